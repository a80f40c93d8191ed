/* SPDX-License-Identifier: GPL-2.0-or-later */
/* beat.c - say at each interval, over one TCP connection, that the Linux guest of the tests lives
 *
 * nc would do, but for Nagle's algorithm: what follows a segment whose acknowledgement was lost
 * waits for TCP's 200 ms, and that is no measure of how long the guest stood still.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] = "usage: beat ADDRESS PORT MICROSECONDS\n";

static void die(const char *what)
{
	fprintf(stderr, "beat: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(const char *address, const char *port)
{
	const int on = 1;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port)) };
	int fd;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	return fd;
}

int main(int argc, char **argv)
{
	useconds_t interval;
	int fd;

	if (argc != 4) {
		fputs(usage, stderr);
		return 2;
	}
	interval = (useconds_t)atoi(argv[3]);
	fd = dial(argv[1], argv[2]);
	for (unsigned long beat = 1;; beat++) {
		if (dprintf(fd, "beat %lu\n", beat) < 0)
			die("write");
		usleep(interval);
	}
}
