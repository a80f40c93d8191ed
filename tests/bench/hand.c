/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hand.c - save and load a guest as one would by hand, as fast as that goes; for bench.sh */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 60000,     /* a QEMU that says nothing is not waited for longer */
	CONNECT_PAUSE_US = 1000, /* it only has to be there before RESUME */
	PIPE_SIZE = 1 << 20,     /* a device state fits in */
	QMP_FD = 3,              /* what QEMU inherits */
	STATE_FD = 4,
};

static const char usage[] =
	"usage: hand load DEVICES QEMU...     microseconds until a QEMU with QMP on descriptor 3 has\n"
	"                                     loaded DEVICES and says RESUME; it is killed then\n"
	"       hand leave DEVICES QEMU...    the same, but the QEMU runs on, and nothing is printed\n"
	"       hand gap LOG SECONDS          microseconds of the longest time in which LOG did not grow;\n"
	"                                     another file may take its place meanwhile\n"
	"       hand watch become|start SOCKET COMMAND...\n"
	"                                     microseconds until the QEMU with QMP on SOCKET, which\n"
	"                                     COMMAND is to become or to start, says RESUME; it quits then\n"
	"       hand save stop|run SOCKET DEVICES\n"
	"                                     microseconds from STOP to the end of saving without\n"
	"                                     shared memory, of a guest that is stopped or runs\n"
	"       hand full SOCKET URI          microseconds of saving with all memory to URI, until\n"
	"                                     QEMU has ended\n"
	"       hand type SOCKET LINE ANSWER  type LINE on a console and wait for ANSWER\n";

#define CAPABILITY(name) "{\"capability\":\"" name "\",\"state\":true}"
#define SET_CAPABILITIES(list) \
	"{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":[" list "]}}\n"

static const char hello[] = "{\"execute\":\"qmp_capabilities\"}\n";
static const char share[] = SET_CAPABILITIES(CAPABILITY("x-ignore-shared") "," CAPABILITY("events"));
static const char share_nothing[] = SET_CAPABILITIES(CAPABILITY("events"));
static const char unlimited[] = "{\"execute\":\"migrate-set-parameters\","
				"\"arguments\":{\"max-bandwidth\":1099511627776}}\n";

static const char stopped[] = "\"event\": \"STOP\"";
static const char resumed[] = "\"event\": \"RESUME\"";
static const char completed[] = "\"status\": \"completed\"";

/**
 * struct conversation - What QEMU says
 * @fd:     the socket
 * @length: bytes in @text
 * @text:   what has come and was not looked at
 */
struct conversation {
	int fd;
	size_t length;
	char text[65536];
};

static void die(const char *what)
{
	fprintf(stderr, "hand: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void give_up(const char *why)
{
	fprintf(stderr, "hand: %s\n", why);
	exit(1);
}

/* As QEMU's events have it. */
static double now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_REALTIME, &time) < 0)
		die("clock_gettime");
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("write");
}

/* One message a line.  False where QEMU has hung up. */
static bool next_line(struct conversation *qmp, char *line, size_t size)
{
	const char *end;
	size_t length;

	while (!(end = memchr(qmp->text, '\n', qmp->length))) {
		struct pollfd ready = { .fd = qmp->fd, .events = POLLIN };
		ssize_t got;

		if (poll(&ready, 1, PATIENCE_MS) < 1)
			give_up("QEMU is silent");
		got = read(qmp->fd, qmp->text + qmp->length, sizeof(qmp->text) - qmp->length);
		if (got <= 0)
			return false;
		qmp->length += (size_t)got;
	}
	length = (size_t)(end - qmp->text) + 1;
	snprintf(line, size, "%.*s", (int)length, qmp->text);
	qmp->length -= length;
	memmove(qmp->text, end + 1, qmp->length);
	return true;
}

/* QEMU's own time of an event. */
static bool read_time(const char *event, double *ret_time)
{
	long seconds, microseconds;

	if (sscanf(event, "{\"timestamp\": {\"seconds\": %ld, \"microseconds\": %ld", &seconds,
	           &microseconds) != 2)
		give_up(event);
	*ret_time = (double)seconds * 1e6 + (double)microseconds;
	return true;
}

/* The next event with one of these in it, and QEMU's own time of it. */
static const char *await_either(struct conversation *qmp, const char *one, const char *other,
                                double *ret_time)
{
	char line[8192];

	for (;;) {
		const char *found;

		if (!next_line(qmp, line, sizeof(line)))
			give_up("QEMU has hung up");
		if (strstr(line, "\"error\"") || strstr(line, "\"failed\""))
			give_up(line);
		found = strstr(line, one) ? one : strstr(line, other) ? other : NULL;
		if (!found)
			continue;
		read_time(line, ret_time);
		return found;
	}
}

static double await(struct conversation *qmp, const char *event)
{
	double time;

	await_either(qmp, event, event, &time);
	return time;
}

/* One that was saved paused rests when it is loaded, and has to be told. */
static double await_resume(struct conversation *qmp)
{
	double time;

	if (await_either(qmp, resumed, completed, &time) == resumed)
		return time;
	say(qmp->fd, "{\"execute\":\"cont\"}\n");
	return await(qmp, resumed);
}

static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The whole device state waits in a pipe before QEMU is there. */
static int fill_pipe(const char *devices)
{
	static char state[PIPE_SIZE];
	int file = open(devices, O_RDONLY);
	ssize_t length = file < 0 ? -1 : read(file, state, sizeof(state));
	int ends[2];

	if (length <= 0)
		die(devices);
	if (pipe(ends) < 0 || fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE) < 0)
		die("pipe");
	if (write(ends[1], state, (size_t)length) != length)
		die("write");
	close(ends[1]);
	close(file);
	return ends[0];
}

static pid_t start(char **command, int qmp, int state)
{
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child > 0)
		return child;
	/* Out of each other's way first. */
	qmp = qmp < 0 ? -1 : fcntl(qmp, F_DUPFD_CLOEXEC, 10);
	state = state < 0 ? -1 : fcntl(state, F_DUPFD_CLOEXEC, 10);
	if (qmp >= 0)
		dup2(qmp, QMP_FD);
	if (state >= 0)
		dup2(state, STATE_FD);
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

/* All that is to be said to QEMU is said before it starts. */
static pid_t load_and_run(const char *devices, char **command, double *ret_time)
{
	struct conversation qmp = { 0 };
	int ends[2], state = fill_pipe(devices);
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		die("socketpair");
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	qmp.fd = ends[0];
	say(qmp.fd, hello);
	say(qmp.fd, share);
	say(qmp.fd, "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:4\"}}\n");
	child = start(command, ends[1], state);
	close(ends[1]);
	close(state);
	*ret_time = await_resume(&qmp);
	return child;
}

static int load(const char *devices, char **command)
{
	double begin = now(), end;
	pid_t child = load_and_run(devices, command, &end);

	printf("%.0f\n", end - begin);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

static int leave(const char *devices, char **command)
{
	double end;

	load_and_run(devices, command, &end);
	return 0;
}

static long length_of(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 ? 0 : (long)status.st_size;
}

/* Often enough that a tenth of a millisecond is seen. */
static int gap(const char *log, const char *seconds)
{
	double end = now() + atof(seconds) * 1e6, last = now(), longest = 0;
	long length = length_of(log);

	while (now() < end) {
		long grown = length_of(log);

		if (grown != length) {
			if (now() - last > longest)
				longest = now() - last;
			last = now();
			length = grown;
		}
		usleep(100);
	}
	printf("%.0f\n", longest);
	return 0;
}

/* Its memory is given back after the socket. */
static void await_end(int socket)
{
	struct ucred qemu;
	socklen_t length = sizeof(qemu);
	struct pollfd ended = { .events = POLLIN };

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &qemu, &length) < 0)
		die("getsockopt");
	ended.fd = pidfd_open(qemu.pid, 0);
	if (ended.fd >= 0 && poll(&ended, 1, PATIENCE_MS) < 1)
		give_up("QEMU does not end");
}

/* Whether we came in time to hear it; on a busy machine we may not. */
static bool hear_resume(struct conversation *qmp, double *ret_time)
{
	char line[8192];

	for (;;) {
		if (!next_line(qmp, line, sizeof(line)))
			give_up("QEMU has hung up");
		if (strstr(line, resumed))
			return read_time(line, ret_time);
		if (strstr(line, "\"running\": true"))
			return false;
	}
}

static bool try_watch(const char *how, const char *socket_path, char **command)
{
	struct conversation qmp = { .fd = -1 };
	double begin = now(), end;
	pid_t child = start(command, -1, -1);
	bool heard;

	while ((qmp.fd = try_connect(socket_path)) < 0) {
		if (now() - begin > PATIENCE_MS * 1e3)
			give_up("nobody listens there");
		usleep(CONNECT_PAUSE_US);
	}
	say(qmp.fd, hello);
	say(qmp.fd, "{\"execute\":\"query-status\"}\n");
	heard = hear_resume(&qmp, &end);
	if (heard)
		printf("%.0f\n", end - begin);
	if (strcmp(how, "start") == 0)
		waitpid(child, NULL, 0);
	say(qmp.fd, "{\"execute\":\"quit\"}\n");
	await_end(qmp.fd);
	if (strcmp(how, "start") != 0)
		waitpid(child, NULL, 0);
	close(qmp.fd);
	return heard;
}

static int watch(const char *how, const char *socket_path, char **command)
{
	while (!try_watch(how, socket_path, command))
		;
	return 0;
}

static void give_descriptor(int fd, int given)
{
	static char text[] = "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"hand\"}}\n";
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ancillary = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
		                    .cmsg_level = SOL_SOCKET,
		                    .cmsg_type = SCM_RIGHTS } };
	struct iovec data = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr message = { .msg_iov = &data,
		                  .msg_iovlen = 1,
		                  .msg_control = &ancillary,
		                  .msg_controllen = sizeof(ancillary) };

	memcpy(CMSG_DATA(&ancillary.header), &given, sizeof(given));
	if (sendmsg(fd, &message, 0) != (ssize_t)data.iov_len)
		die("sendmsg");
}

static void copy_all(int from, const char *path)
{
	static char piece[PIPE_SIZE];
	int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	ssize_t got;

	if (file < 0)
		die(path);
	while ((got = read(from, piece, sizeof(piece))) > 0)
		if (write(file, piece, (size_t)got) != got)
			die(path);
	close(file);
}

static int save(const char *how, const char *socket_path, const char *devices)
{
	struct conversation qmp = { .fd = try_connect(socket_path) };
	double begin;
	int ends[2];

	if (qmp.fd < 0 || pipe(ends) < 0)
		die(socket_path);
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE);
	say(qmp.fd, hello);
	say(qmp.fd, share);
	say(qmp.fd, unlimited);
	if (strcmp(how, "stop") == 0)
		say(qmp.fd, "{\"execute\":\"stop\"}\n");
	give_descriptor(qmp.fd, ends[1]);
	close(ends[1]);
	say(qmp.fd, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"fd:hand\"}}\n");
	copy_all(ends[0], devices);
	begin = await(&qmp, stopped);
	printf("%.0f\n", await(&qmp, completed) - begin);
	return 0;
}

static int full(const char *socket_path, const char *uri)
{
	double begin = now();
	struct conversation qmp = { .fd = try_connect(socket_path) };
	char line[8192];

	if (qmp.fd < 0)
		die(socket_path);
	say(qmp.fd, hello);
	say(qmp.fd, share_nothing);
	say(qmp.fd, unlimited);
	snprintf(line, sizeof(line), "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"%s\"}}\n",
	         uri);
	say(qmp.fd, line);
	await(&qmp, completed);
	say(qmp.fd, "{\"execute\":\"quit\"}\n");
	await_end(qmp.fd);
	printf("%.0f\n", now() - begin);
	return 0;
}

static int type(const char *socket_path, const char *typed, const char *answer)
{
	struct conversation console = { .fd = try_connect(socket_path) };
	char line[8192];

	if (console.fd < 0)
		die(socket_path);
	say(console.fd, typed);
	say(console.fd, "\n");
	while (next_line(&console, line, sizeof(line)))
		if (strstr(line, answer))
			return 0;
	give_up("the guest has hung up");
	return 1;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc > 3 && strcmp(argv[1], "load") == 0)
		return load(argv[2], argv + 3);
	if (argc > 3 && strcmp(argv[1], "leave") == 0)
		return leave(argv[2], argv + 3);
	if (argc == 4 && strcmp(argv[1], "gap") == 0)
		return gap(argv[2], argv[3]);
	if (argc > 4 && strcmp(argv[1], "watch") == 0)
		return watch(argv[2], argv[3], argv + 4);
	if (argc == 5 && strcmp(argv[1], "save") == 0)
		return save(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "full") == 0)
		return full(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "type") == 0)
		return type(argv[2], argv[3], argv[4]);
	fputs(usage, stderr);
	return 2;
}
