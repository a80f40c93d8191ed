/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - Replays files as a fuzzer's inputs: FILE..., results as TAP on standard output */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define SECONDS_FOR_ONE 60

/* In a process of its own, so that one bad input does not hide those behind it. */
static void replay_and_exit(const char *path)
{
	g_autofree char *bytes = NULL;
	g_autoptr(GError) error = NULL;
	gsize size = 0;

	alarm(SECONDS_FOR_ONE);
	if (!g_file_get_contents(path, &bytes, &size, &error)) {
		fprintf(stderr, "%s\n", error->message);
		exit(EXIT_FAILURE);
	}
	LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
	/* Freed here: leaks are looked for by exit(). */
	g_clear_pointer(&bytes, g_free);
	exit(EXIT_SUCCESS);
}

static bool replay(const char *path)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0)
		replay_and_exit(path);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;

	printf("1..%d\n", MAX(argc - 1, 1));
	if (failed)
		printf("not ok 1 - no corpus to replay\n");
	for (int i = 1; i < argc; i++) {
		const bool ok = replay(argv[i]);

		printf("%sok %d - %s\n", ok ? "" : "not ", i, argv[i]);
		failed |= !ok;
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
