/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * other_user.c - What another user of the host tries, where a shell is too slow or has no word for it
 *
 * other_user exchange A B SECONDS        exchange two names, as often as possible
 * other_user watch DIRECTORY A B SECONDS exchange two names each time something happens in DIRECTORY
 * other_user grab DIRECTORY LOOT SECONDS copy whatever appears in DIRECTORY to files in LOOT
 * other_user attach PID                  trace a process, and read its memory; 0 where one succeeded
 *
 * exchange, watch and grab print how often they have done it.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* What a memory file of the tests has. */
#define COPY_MAX ((size_t)64 << 20)

#define EVENTS (IN_ACCESS | IN_ATTRIB | IN_CLOSE | IN_CREATE | IN_DELETE | IN_MOVE | IN_OPEN)

static uint64_t count;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void exchange(const char *a, const char *b)
{
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0)
		count++;
}

/* A pause of another length each time, so that no step of the other side is always missed. */
static void exchange_always(const char *a, const char *b, double end)
{
	while (now() < end) {
		exchange(a, b);
		usleep((useconds_t)(count * 37 % 400));
	}
}

static int watch(const char *directory)
{
	const int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0 || inotify_add_watch(fd, directory, EVENTS) < 0) {
		fprintf(stderr, "cannot watch '%s': %s\n", directory, strerror(errno));
		exit(1);
	}
	return fd;
}

/* Calls back for each event until the time is over. */
static void follow(int fd, double end, void (*happened)(const struct inotify_event *, char **),
                   char **words)
{
	_Alignas(struct inotify_event) char buffer[16384];
	struct pollfd source = { .fd = fd, .events = POLLIN };

	while (now() < end) {
		ssize_t length;

		if (poll(&source, 1, 50) <= 0)
			continue;
		length = read(fd, buffer, sizeof(buffer));
		for (char *at = buffer; at < buffer + length;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			happened(event, words);
			at += sizeof(*event) + event->len;
		}
	}
}

static void exchange_now(const struct inotify_event *event, char **words)
{
	(void)event;
	exchange(words[3], words[4]);
}

static void copy(const char *from, const char *to)
{
	static char buffer[65536];
	const int input = open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const int output = input < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t done = 0;
	ssize_t got;

	if (output < 0)
		return;
	count++;
	while (done < COPY_MAX && (got = read(input, buffer, sizeof(buffer))) > 0) {
		if (write(output, buffer, (size_t)got) != got)
			break;
		done += (size_t)got;
	}
	close(output);
	close(input);
}

static void grab(const struct inotify_event *event, char **words)
{
	static unsigned int number;
	char from[4096], to[4096];

	if (event->len == 0)
		return;
	snprintf(from, sizeof(from), "%s/%s", words[2], event->name);
	snprintf(to, sizeof(to), "%s/grabbed-%u", words[3], number++);
	copy(from, to);
}

static bool attach(pid_t pid)
{
	char byte;
	struct iovec here = { &byte, 1 };
	/* Where the kernel puts the first page of many programs; what is refused is the process. */
	struct iovec there = { (void *)0x400000, 1 };

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0)
		return true;
	return process_vm_readv(pid, &here, 1, &there, 1, 0) > 0 || errno != EPERM;
}

static int usage(void)
{
	fprintf(stderr, "see the top of other_user.c\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "exchange") == 0 && argc == 5)
		exchange_always(argv[2], argv[3], now() + atof(argv[4]));
	else if (strcmp(verb, "watch") == 0 && argc == 6)
		follow(watch(argv[2]), now() + atof(argv[5]), exchange_now, argv);
	else if (strcmp(verb, "grab") == 0 && argc == 5)
		follow(watch(argv[2]), now() + atof(argv[4]), grab, argv);
	else if (strcmp(verb, "attach") == 0 && argc == 3)
		return attach((pid_t)atoi(argv[2])) ? 0 : 1;
	else
		return usage();
	printf("%llu\n", (unsigned long long)count);
	return 0;
}
