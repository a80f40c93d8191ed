/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scrub.c - our wiping of a mapping against a plain memset of the same one; for bench.sh */

#include "host/scrub.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The compiler must not take the memset away. */
static void *(*volatile plain_memset)(void *, int, size_t) = memset;

static gint64 time_one(bool ours, unsigned char *memory, size_t size)
{
	const gint64 start = g_get_monotonic_time();

	if (ours)
		exm_scrub_fill(memory, size);
	else
		plain_memset(memory, 0, size);
	return g_get_monotonic_time() - start;
}

/* scrub FILE MIB ROUNDS: microseconds of ours and of memset, in turns, on one mapping. */
int main(int argc, char **argv)
{
	const size_t size = argc == 4 ? (size_t)g_ascii_strtoull(argv[2], NULL, 10) << 20 : 0;
	const guint64 rounds = argc == 4 ? g_ascii_strtoull(argv[3], NULL, 10) : 0;
	const int fd = size ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	unsigned char *memory;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return 1;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (memory == MAP_FAILED)
		return 1;
	for (guint64 i = 0; i < rounds; i++) {
		gint64 ours, plain;

		memset(memory, 'x', size);
		ours = time_one(true, memory, size);
		if (!exm_scrub_is_zero(memory, size))
			return 1;
		memset(memory, 'x', size);
		plain = time_one(false, memory, size);
		printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", ours, plain);
	}
	return 0;
}
