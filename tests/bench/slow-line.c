/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slow-line.c - run a command as if it were at the end of a long line, for prefetch.sh */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] = "usage: slow-line MICROSECONDS COMMAND...\n"
			    "What is written to COMMAND, and what it answers, takes so long each.\n";

/* What is on its way. */
typedef struct {
	char *bytes;
	size_t length;
	gint64 due;
} Parcel;

static void die(const char *what)
{
	fprintf(stderr, "slow-line: %s: %s\n", what, strerror(errno));
	exit(1);
}

static Parcel *take(int from, gint64 delay)
{
	static char buffer[1 << 18];
	const ssize_t length = read(from, buffer, sizeof(buffer));
	Parcel *parcel;

	if (length <= 0)
		return NULL;
	parcel = g_new0(Parcel, 1);
	parcel->bytes = g_memdup2(buffer, (gsize)length);
	parcel->length = (size_t)length;
	parcel->due = g_get_monotonic_time() + delay;
	return parcel;
}

static void deliver(Parcel *parcel, int to)
{
	for (size_t done = 0; done < parcel->length;) {
		const ssize_t part = write(to, parcel->bytes + done, parcel->length - done);

		if (part < 0)
			exit(0); /* the other end has gone */
		done += (size_t)part;
	}
	g_free(parcel->bytes);
	g_free(parcel);
}

/* Until @from has ended and everything has arrived. */
static void carry(int from, int to, gint64 delay)
{
	struct pollfd arrival = { .fd = from, .events = POLLIN };
	GQueue way = G_QUEUE_INIT;

	while (arrival.fd >= 0 || !g_queue_is_empty(&way)) {
		Parcel *first = g_queue_peek_head(&way);
		const gint64 wait = first ? MAX(first->due - g_get_monotonic_time(), 0) : 0;
		const struct timespec time = { wait / G_USEC_PER_SEC, wait % G_USEC_PER_SEC * 1000 };

		if (ppoll(&arrival, 1, first ? &time : NULL, NULL) > 0) {
			Parcel *parcel = take(from, delay);

			if (parcel)
				g_queue_push_tail(&way, parcel);
			else
				arrival.fd = -1;
		}
		while ((first = g_queue_peek_head(&way)) && first->due <= g_get_monotonic_time())
			deliver(g_queue_pop_head(&way), to);
	}
}

static void become(char **command, int in, int out)
{
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		die("dup2");
	execvp(command[0], command);
	die(command[0]);
}

int main(int argc, char **argv)
{
	int there[2];
	int back[2];
	gint64 delay;
	pid_t child;

	if (argc < 3) {
		fputs(usage, stderr);
		return 2;
	}
	delay = strtoll(argv[1], NULL, 10);
	if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
		die("pipe2");
	if ((child = fork()) < 0)
		die("fork");
	if (child == 0)
		become(argv + 2, there[0], back[1]);
	close(there[0]);
	close(back[1]);
	if ((child = fork()) < 0)
		die("fork");
	if (child == 0) {
		close(there[1]);
		carry(back[0], STDOUT_FILENO, delay);
		return 0;
	}
	close(back[0]);
	carry(STDIN_FILENO, there[1], delay);
	return 0;
}
