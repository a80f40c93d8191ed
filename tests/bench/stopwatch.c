/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stopwatch.c - time one start of a program, for bench.sh */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 60000, /* a program that says nothing is not waited for longer */
};

static const char usage[] =
	"usage: stopwatch output TEXT COMMAND...  microseconds until TEXT is on its stdout\n"
	"       stopwatch qmp TEXT COMMAND...     the same, after asking query-status on its stdin\n"
	"       stopwatch end COMMAND...          microseconds until it has ended\n"
	"       stopwatch exec N COMMAND...       CPU microseconds until its Nth exec is done,\n"
	"                                         and its peak memory by then in KiB\n"
	"COMMAND is killed then.\n";

static const char ask_status[] = "{\"execute\":\"qmp_capabilities\"}\n"
				 "{\"execute\":\"query-status\"}\n";

static void die(const char *what)
{
	fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void give_up(pid_t child, const char *why)
{
	kill(child, SIGKILL);
	fprintf(stderr, "stopwatch: %s\n", why);
	exit(1);
}

static double microseconds(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		die("clock_gettime");
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void become(char **command)
{
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

/* A stdin that stays open and silent: at its end a QMP monitor on stdio would close. */
static pid_t start_with_pipes(char **command, int *ret_output, int *ret_input)
{
	int in[2], out[2];
	pid_t child;

	if (pipe(in) < 0 || pipe(out) < 0)
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		become(command);
	}
	close(in[0]);
	close(out[1]);
	*ret_input = in[1];
	*ret_output = out[0];
	return child;
}

static void await_text(pid_t child, int fd, const char *text)
{
	char seen[65536] = "";
	size_t length = 0;

	while (!memmem(seen, length, text, strlen(text))) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (length == sizeof(seen))
			give_up(child, "it says a lot, but not this");
		if (poll(&ready, 1, PATIENCE_MS) < 1)
			give_up(child, "it does not say this");
		got = read(fd, seen + length, sizeof(seen) - length);
		if (got <= 0)
			give_up(child, "it ends and has not said this");
		length += (size_t)got;
	}
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		die("write");
}

static int time_output(const char *question, const char *text, char **command)
{
	double start = microseconds(CLOCK_MONOTONIC), end;
	int output, input;
	pid_t child = start_with_pipes(command, &output, &input);

	say(input, question);
	await_text(child, output, text);
	end = microseconds(CLOCK_MONOTONIC);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0); /* its memory is torn down before the next one is timed */
	close(input);
	printf("%.0f\n", end - start);
	return 0;
}

static int time_end(char **command)
{
	double start = microseconds(CLOCK_MONOTONIC), end;
	int output, input, status;
	pid_t child = start_with_pipes(command, &output, &input);

	if (waitpid(child, &status, 0) < 0 || status != 0)
		die("it fails");
	end = microseconds(CLOCK_MONOTONIC);
	printf("%.0f\n", end - start);
	return 0;
}

/* Stopped before its first exec, so that loading the command itself counts. */
static pid_t start_traced(char **command)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork");
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		become(command);
	}
	if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
		give_up(child, "cannot trace");
	if (ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		die("ptrace");
	return child;
}

/* The stop comes when the new image is in place and none of it has run. */
static void continue_to_exec(pid_t child)
{
	int status, signal = 0;

	for (;;) {
		if (ptrace(PTRACE_CONT, child, NULL, (void *)(long)signal) < 0 ||
		    waitpid(child, &status, 0) < 0)
			die("ptrace");
		if (!WIFSTOPPED(status))
			give_up(child, "it ends before that exec");
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			return;
		signal = WSTOPSIG(status);
	}
}

static int time_exec(int count, char **command)
{
	pid_t child = start_traced(command);
	struct rusage used;
	clockid_t clock;
	double start, end;

	if (clock_getcpuclockid(child, &clock) != 0)
		die("clock_getcpuclockid");
	start = microseconds(clock);
	for (int i = 0; i < count; i++)
		continue_to_exec(child);
	end = microseconds(clock);
	kill(child, SIGKILL);
	/* ru_maxrss is the largest of all images the process has had (fs/exec.c, exec_mmap()). */
	if (wait4(child, NULL, 0, &used) < 0)
		die("wait4");
	printf("%.0f %ld\n", end - start, used.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], "output") == 0)
		return time_output("", argv[2], argv + 3);
	if (argc > 3 && strcmp(argv[1], "qmp") == 0)
		return time_output(ask_status, argv[2], argv + 3);
	if (argc > 2 && strcmp(argv[1], "end") == 0)
		return time_end(argv + 2);
	if (argc > 3 && strcmp(argv[1], "exec") == 0)
		return time_exec((int)strtol(argv[2], NULL, 10), argv + 3);
	fputs(usage, stderr);
	return 2;
}
