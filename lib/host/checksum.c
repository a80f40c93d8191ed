/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.c - The SHA-256 of a large and sparse file */

#include "host/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/extent.h"

/* Bytes between two calls of the progress function. */
#define CHUNK_SIZE EXM_MIB

/* What is read from a hole; nobody writes here, so that it takes no room in the program. */
static unsigned char zeros[CHUNK_SIZE];

/**
 * struct Summing - A checksum in the making
 * @path:     of the file, for messages
 * @fd:       the file
 * @done:     bytes in the checksum
 * @size:     of the file
 * @checksum: of what was read so far
 * @chunk:    what was read last
 * @progress: is told how far it is; may be NULL
 * @user:     for @progress
 */
typedef struct {
	const char *path;
	int fd;
	uint64_t done;
	uint64_t size;
	GChecksum *checksum;
	unsigned char *chunk;
	ExmChecksumProgress progress;
	void *user;
} Summing;

static void add(Summing *summing, const unsigned char *bytes, size_t length)
{
	g_checksum_update(summing->checksum, bytes, (gssize)length);
	summing->done += length;
	if (summing->progress)
		summing->progress(summing->done, summing->size, summing->user);
}

static void add_hole(Summing *summing, uint64_t end)
{
	while (summing->done < end)
		add(summing, zeros, MIN(end - summing->done, CHUNK_SIZE));
}

static bool add_data(Summing *summing, uint64_t end, GError **error)
{
	while (summing->done < end) {
		const size_t wanted = MIN(end - summing->done, CHUNK_SIZE);
		const ssize_t got = TEMP_FAILURE_RETRY(
			pread(summing->fd, summing->chunk, wanted, (off_t)summing->done));

		if (got < 0)
			return exm_throw_errno(error, errno, "read '%s'", summing->path);
		if (got == 0)
			return exm_throw(error, EXM_ERROR_STATE, "'%s' has just changed: try again",
			                 summing->path);
		add(summing, summing->chunk, (size_t)got);
	}
	return true;
}

static bool add_file(Summing *summing, GError **error)
{
	ExmExtent extent;

	while (summing->done < summing->size) {
		if (!exm_extent_find(summing->fd, summing->done, summing->size, &extent, error))
			return false;
		add_hole(summing, extent.start);
		if (!add_data(summing, extent.end, error))
			return false;
	}
	return true;
}

/**
 * exm_checksum_file() - The SHA-256 of a file
 * @path:     the file, which nobody should write meanwhile
 * @progress: is told how far it is; may be NULL
 * @user:     for @progress
 * @error:    STATE where the file shrinks meanwhile, SYSTEM otherwise
 *
 * It is that of the whole content, as sha256sum(1) prints it, however much of the file is holes.
 * Holes are not read: that spares the disk, but not the processor. GLib's SHA-256 is plain C, some
 * 100 to 300 MB a second: a caller with many GiB says so to its user.
 *
 * Return: 64 hexadecimal digits in lower case (transfer full), or NULL.
 */
char *exm_checksum_file(const char *path, ExmChecksumProgress progress, void *user, GError **error)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree unsigned char *chunk = g_malloc(CHUNK_SIZE);
	Summing summing = {
		.path = path,
		.fd = fd,
		.checksum = checksum,
		.chunk = chunk,
		.progress = progress,
		.user = user,
	};
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		exm_throw_errno(error, errno, "open '%s'", path);
		return NULL;
	}
	summing.size = (uint64_t)status.st_size;
	return add_file(&summing, error) ? g_strdup(g_checksum_get_string(checksum)) : NULL;
}
