/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.c - run exomem with one system call that fails, or with a SIGKILL after one, for hard.bash */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
	"usage: fault REPORT SECONDS count COMMAND...\n"
	"       fault REPORT SECONDS KIND K ACTION COMMAND...\n"
	"\n"
	"Runs COMMAND and exits as it does, with 128 and the signal where one ended it, or with 124\n"
	"after SECONDS, when it is killed.  Calls are counted from the program's entry point, after the\n"
	"dynamic linker, over COMMAND and all processes that it forks, each of them until it executes\n"
	"another program.  Output to our own stdout and stderr does not count.\n"
	"\n"
	"count   writes a line `KIND N` to the file REPORT for each kind of call\n"
	"ACTION  of the Kth call of KIND: an errno's name, short (half of the bytes), kill: SIGKILL for\n"
	"        the process that made it, after the call, or group: for the process group of COMMAND,\n"
	"        as a terminal that is closed sends its signals, or all: for COMMAND and all that it has\n"
	"        forked and that has its name, at once, or others: for all of those but the one that made the call, or guest:\n"
	"        for the process $FAULT_GUEST.  REPORT gets a line that says which call it was, and stays\n"
	"        empty where there was none; and a line `late` after SECONDS.\n";

/* Which argument of a call says what it is about. */
enum subject {
	NOTHING,
	FD_0,
	PATH_0,
	PATH_1,
	FD_4,
};

struct call {
	uint64_t number;
	const char *kind;
	enum subject subject;
	bool counts; /* the third argument is a number of bytes */
};

static const struct call calls[] = {
	{ SYS_openat, "openat", PATH_1 },
	{ SYS_write, "write", FD_0, true },
	{ SYS_pwrite64, "pwrite", FD_0, true },
	{ SYS_fsync, "fsync", FD_0 },
	{ SYS_fdatasync, "fdatasync", FD_0 },
	{ SYS_rename, "rename", PATH_0 },
	{ SYS_renameat, "rename", PATH_1 },
	{ SYS_renameat2, "rename", PATH_1 },
	{ SYS_link, "link", PATH_0 },
	{ SYS_linkat, "link", PATH_1 },
	{ SYS_unlink, "unlink", PATH_0 },
	{ SYS_unlinkat, "unlink", PATH_1 },
	{ SYS_rmdir, "unlink", PATH_0 },
	{ SYS_ftruncate, "ftruncate", FD_0 },
	{ SYS_fallocate, "fallocate", FD_0 },
	{ SYS_flock, "flock", FD_0 },
	{ SYS_mmap, "mmap", FD_4 },
	{ SYS_clone, "fork" },
	{ SYS_clone3, "fork" },
	{ SYS_fork, "fork" },
	{ SYS_vfork, "fork" },
	{ SYS_execve, "execve", PATH_0 },
	{ SYS_socket, "socket" },
	{ SYS_connect, "connect", FD_0 },
	{ SYS_sendmsg, "sendmsg", FD_0 },
	{ SYS_sendto, "sendmsg", FD_0, true },
	{ SYS_recvmsg, "recvmsg", FD_0 },
	{ SYS_recvfrom, "recvmsg", FD_0, true },
	{ SYS_ioctl, "ficlone", FD_0 },
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "ENOSPC", ENOSPC }, { "EIO", EIO },       { "EMFILE", EMFILE }, { "ENOMEM", ENOMEM },
	{ "EINTR", EINTR },   { "EAGAIN", EAGAIN }, { "EACCES", EACCES }, { "EDQUOT", EDQUOT },
};

enum action {
	COUNT,
	FAIL,
	SHORT,
	KILL,
	KILL_GROUP,
	KILL_ALL,
	KILL_OTHERS,
	KILL_GUEST,
};

static enum action action;
static const char *kind; /* of the call that is met */
static long wanted;      /* its number, from 1 */
static int error_number; /* with FAIL */
static long counts[CALLS];
static long seen;         /* calls of the kind */
static pid_t group;       /* of the command */
static pid_t guest;       /* the process of $FAULT_GUEST */
static bool met;          /* the call has been made: nobody is traced any more */
static pid_t victim;      /* the process in that call, until it returns from it */
static uint64_t old_size; /* with SHORT: what the call asked for */
static uint64_t size_at;  /* and where that is in the process's memory; 0 for its registers */
static FILE *report;
static volatile sig_atomic_t late;

static void die(const char *what)
{
	fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
	late = 1;
}

static struct user_regs_struct registers_of(pid_t pid)
{
	struct user_regs_struct registers = { 0 };

	/* ESRCH: killed meanwhile. The next waitpid() says so. */
	if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0 && errno != ESRCH)
		die("PTRACE_GETREGS");
	return registers;
}

static bool peek(pid_t pid, uint64_t address, void *buffer, size_t size)
{
	const struct iovec ours = { buffer, size }, theirs = { (void *)(uintptr_t)address, size };

	return process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)size;
}

static void poke(pid_t pid, uint64_t address, uint64_t word)
{
	if (ptrace(PTRACE_POKEDATA, pid, (void *)(uintptr_t)address, (void *)(uintptr_t)word) < 0 &&
	    errno != ESRCH)
		die("PTRACE_POKEDATA");
}

/* --- what a call is, and what it is about --- */

static void write_path(pid_t pid, uint64_t address)
{
	char text[PATH_MAX] = "";

	/* Byte by byte: the page behind the string may not be mapped. */
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		if (!peek(pid, address + i, text + i, 1) || !text[i])
			break;
	fprintf(report, " %s", text);
}

static void write_fd(pid_t pid, uint64_t fd)
{
	char link[64], target[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)fd);
	if (readlink(link, target, sizeof(target) - 1) > 0)
		fprintf(report, " %s", target);
}

static void write_report(pid_t pid, const struct call *call, const uint64_t *arguments)
{
	fprintf(report, "process %d: %s %ld", pid, call->kind, seen);
	switch (call->subject) {
	case PATH_0:
		write_path(pid, arguments[0]);
		break;
	case PATH_1:
		write_path(pid, arguments[1]);
		break;
	case FD_0:
		write_fd(pid, arguments[0]);
		break;
	case FD_4:
		write_fd(pid, arguments[4]);
		break;
	case NOTHING:
		break;
	}
	fprintf(report, "\n");
	fflush(report);
}

/* What is written there is our caller's to read: that it fails cannot be said. */
static bool is_our_output(pid_t pid, uint64_t fd)
{
	struct stat theirs, ours;
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)fd);
	if (stat(link, &theirs) < 0)
		return false;
	for (int output = STDOUT_FILENO; output <= STDERR_FILENO; output++)
		/* A pipe is the channel of `exomem receive -`. */
		if (fstat(output, &ours) == 0 && !S_ISFIFO(ours.st_mode) &&
		    ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
			return true;
	return false;
}

static const struct call *find_call(pid_t pid, uint64_t number, const uint64_t *arguments)
{
	for (const struct call *call = calls; call < calls + CALLS; call++) {
		if (call->number != number)
			continue;
		if (number == SYS_ioctl && arguments[1] != FICLONE)
			return NULL;
		if (number == SYS_write && is_our_output(pid, arguments[0]))
			return NULL;
		return call;
	}
	return NULL;
}

/* --- what is done to it --- */

/* Where the length of the first piece of a message is. */
static uint64_t find_message_size(pid_t pid, uint64_t message)
{
	struct msghdr header;

	if (!peek(pid, message, &header, sizeof(header)) || header.msg_iovlen == 0)
		return 0;
	return (uint64_t)(uintptr_t)&header.msg_iov->iov_len;
}

/* Half of the bytes that it asks for. Fails where it asks for fewer than two. */
static bool shorten(pid_t pid, const struct call *call)
{
	struct user_regs_struct registers = registers_of(pid);

	size_at = 0;
	old_size = registers.rdx;
	if (!call->counts) {
		size_at = find_message_size(pid, registers.rsi);
		if (!size_at || !peek(pid, size_at, &old_size, sizeof(old_size)))
			return false;
	}
	if (old_size < 2)
		return false;
	if (size_at) {
		poke(pid, size_at, old_size / 2);
		return true;
	}
	registers.rdx = old_size / 2;
	ptrace(PTRACE_SETREGS, pid, NULL, &registers);
	return true;
}

/* The kernel makes no call of number -1. */
static void skip_call(pid_t pid)
{
	struct user_regs_struct registers = registers_of(pid);

	registers.orig_rax = UINT64_MAX;
	ptrace(PTRACE_SETREGS, pid, NULL, &registers);
}

/* Does what there is to do before the call is made. */
static void on_entry(pid_t pid, uint64_t number, const uint64_t *arguments)
{
	const struct call *call = find_call(pid, number, arguments);

	if (!call || met || victim)
		return;
	counts[call - calls]++;
	if (action == COUNT || strcmp(call->kind, kind) != 0 || ++seen != wanted)
		return;
	if (action == SHORT && !shorten(pid, call))
		return;
	if (action == FAIL)
		skip_call(pid);
	victim = pid;
	write_report(pid, call, arguments);
}

/* Not what has a name of its own: it stays with a guest, to keep its log or record its end. */
static bool is_traced(const char *process)
{
	char path[64], line[128];
	bool named = true;
	long tracer = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%.20s/status", process);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (strcmp(line, "Name:\texomem\n") == 0)
			named = false;
		else if (strncmp(line, "TracerPid:", strlen("TracerPid:")) == 0)
			tracer = strtol(line + strlen("TracerPid:"), NULL, 10);
	if (status)
		fclose(status);
	return !named && tracer == getpid();
}

/* They are stopped, or stop at their next call: none gets to see the end of another. */
static void kill_traced(pid_t spared)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;

	if (!processes)
		die("/proc");
	while ((entry = readdir(processes))) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != spared && is_traced(entry->d_name))
			kill(pid, SIGKILL);
	}
	closedir(processes);
}

/* Whether that is all there is to do after the call. */
static bool send_signals(pid_t pid)
{
	switch (action) {
	case KILL:
		kill(pid, SIGKILL);
		return true;
	case KILL_GROUP:
		kill(-group, SIGKILL);
		return true;
	case KILL_ALL:
		kill_traced(0);
		return true;
	case KILL_OTHERS:
		kill_traced(pid);
		return true;
	case KILL_GUEST:
		kill(guest, SIGKILL);
		return true;
	case COUNT:
	case FAIL:
	case SHORT:
		break;
	}
	return false;
}

/* And what after it. */
static void on_exit_of_call(pid_t pid)
{
	struct user_regs_struct registers;

	if (pid != victim)
		return;
	victim = 0;
	met = true;
	if (send_signals(pid))
		return;
	registers = registers_of(pid);
	if (action == FAIL)
		registers.rax = (uint64_t)-error_number;
	else if (size_at)
		poke(pid, size_at, old_size);
	else
		/* The compiler knows that the kernel changes no argument. */
		registers.rdx = old_size;
	ptrace(PTRACE_SETREGS, pid, NULL, &registers);
}

static void on_call(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(pid, info.entry.nr, (const uint64_t *)info.entry.args);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_of_call(pid);
}

/* --- the program's start --- */

static uint64_t find_entry_point(pid_t pid)
{
	uint64_t pair[2] = { 0 }, entry = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, pair, sizeof(pair)) == sizeof(pair))
		if (pair[0] == 9) /* AT_ENTRY */
			entry = pair[1];
	if (fd < 0 || !entry)
		die("AT_ENTRY");
	close(fd);
	return entry;
}

/* Lets the dynamic linker do its work: a breakpoint at the program's own first instruction. */
static void run_linker(pid_t pid)
{
	const uint64_t entry = find_entry_point(pid);
	struct user_regs_struct registers;
	uint64_t word;
	int status;

	if (!peek(pid, entry, &word, sizeof(word)))
		die("the entry point");
	poke(pid, entry, (word & ~UINT64_C(0xff)) | 0xcc); /* int3 */
	if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid ||
	    !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		die("the dynamic linker");
	poke(pid, entry, word);
	registers = registers_of(pid);
	registers.rip = entry;
	ptrace(PTRACE_SETREGS, pid, NULL, &registers);
}

static pid_t start(char **command)
{
	int go[2];
	pid_t pid;
	char byte;

	if (pipe2(go, O_CLOEXEC) < 0)
		die("pipe2");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(go[1]);
		setpgid(0, 0);
		(void)!read(go[0], &byte, 1);
		execvp(command[0], command);
		die(command[0]);
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL,
	           PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	                   PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC) < 0)
		die("PTRACE_SEIZE");
	close(go[0]);
	close(go[1]);
	group = pid;
	return pid;
}

/* --- the loop --- */

static bool is_group_stop(int status)
{
	const int number = WSTOPSIG(status);

	return status >> 16 == PTRACE_EVENT_STOP &&
	       (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU);
}

/* A process that has executed another program is left alone; our own first one is not. */
static bool has_left(pid_t pid, pid_t main_process)
{
	static bool started;

	if (pid == main_process && !started) {
		started = true;
		run_linker(pid);
		return false;
	}
	on_exit_of_call(pid);
	return true;
}

static void on_stop(pid_t pid, int status, pid_t main_process)
{
	const int event = status >> 16;
	long signal_number = 0;
	bool left = false;

	if (event == PTRACE_EVENT_EXEC)
		left = has_left(pid, main_process);
	else if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		on_call(pid);
	else if (event == 0)
		signal_number = WSTOPSIG(status);
	if (left || (met && !is_group_stop(status)))
		ptrace(PTRACE_DETACH, pid, NULL, (void *)signal_number);
	else
		ptrace(is_group_stop(status) ? PTRACE_LISTEN : PTRACE_SYSCALL, pid, NULL,
		       (void *)signal_number);
}

static int run(char **command)
{
	const pid_t main_process = start(command);
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == EINTR && late) {
			kill(main_process, SIGKILL);
			fprintf(report, "late\n");
			return 124;
		}
		if (pid < 0 && errno != EINTR)
			die("waitpid");
		if (pid > 0 && WIFSTOPPED(status))
			on_stop(pid, status, main_process);
		/* Killed by somebody else in the call that was to return. */
		else if (pid > 0 && pid == victim)
			victim = 0;
	} while (pid != main_process || WIFSTOPPED(status));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool read_action(const char *text)
{
	static const struct {
		const char *name;
		enum action action;
	} others[] = {
		{ "short", SHORT },  { "kill", KILL },          { "group", KILL_GROUP },
		{ "all", KILL_ALL }, { "others", KILL_OTHERS }, { "guest", KILL_GUEST },
	};

	action = FAIL;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i].name, text) == 0)
			action = others[i].action;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].name, text) == 0)
			error_number = errors[i].number;
	if (action == KILL_GUEST)
		guest = (pid_t)strtol(getenv("FAULT_GUEST") ? getenv("FAULT_GUEST") : "", NULL, 10);
	return (action != FAIL || error_number != 0) && (action != KILL_GUEST || guest > 0);
}

static void write_counts(void)
{
	for (size_t i = 0; i < CALLS; i++) {
		/* Calls of one kind stand next to each other. */
		if (i + 1 < CALLS && strcmp(calls[i].kind, calls[i + 1].kind) == 0)
			counts[i + 1] += counts[i];
		else
			fprintf(report, "%s %ld\n", calls[i].kind, counts[i]);
	}
}

/* Again every second: the first may come just before waitpid(). */
static void set_alarm(long seconds)
{
	const struct itimerval timer = { { 1, 0 }, { seconds, 0 } };

	/* No SA_RESTART: it is waitpid() that has to end. */
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char **argv)
{
	const bool counting = argc > 4 && strcmp(argv[3], "count") == 0;
	int status;

	if (!counting && (argc < 7 || !read_action(argv[5]))) {
		fputs(usage, stderr);
		return 125;
	}
	report = fopen(argv[1], "we");
	if (!report)
		die(argv[1]);
	if (!counting) {
		kind = argv[3];
		wanted = strtol(argv[4], NULL, 10);
	}
	set_alarm(strtol(argv[2], NULL, 10));
	status = run(argv + (counting ? 4 : 6));
	if (counting)
		write_counts();
	return status;
}
