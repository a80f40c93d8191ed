/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child_process.c - Fork a process with known signals and descriptors: the only place that forks */

#include "host/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Exit status of a process that could not be prepared, as a shell has it for a command. */
#define EXIT_NOT_STARTED 127

/* Signals that end or stop a process and that a terminal, a limit or kill(1) sends (signal(7)). */
static const int sent_by_others[] = {
	SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE,   SIGALRM, SIGUSR1, SIGUSR2, SIGTSTP,
	SIGTTIN, SIGTTOU, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,  SIGSTKFLT,
};

/* The handlers of the process that forked are not for this one. */
static void set_signals(const ExmChildProcess *process)
{
	const int *ignored = process->ignored_signals;
	sigset_t none;

	for (int number = 1; number <= SIGRTMAX; number++)
		signal(number, number == SIGXFSZ ? SIG_IGN : SIG_DFL);
	for (; ignored && *ignored; ignored++)
		signal(*ignored, SIG_IGN);
	for (size_t i = 0; process->outlives_group && i < G_N_ELEMENTS(sent_by_others); i++)
		signal(sent_by_others[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool prepare(const ExmChildProcess *process, pid_t parent)
{
	set_signals(process);
	if (process->death_signal && prctl(PR_SET_PDEATHSIG, process->death_signal) < 0)
		return false;
	/* Orphaned before the call above: the signal will never come. */
	if (process->death_signal && getppid() != parent)
		return false;
	if (process->own_group && setpgid(0, 0) < 0)
		return false;
	if ((process->daemon || process->outlives_group) && setsid() < 0)
		return false;
	if (process->daemon && chdir("/") < 0)
		return false;
	if (process->kept_fds && !exm_fd_close_all_but(process->kept_fds))
		return false;
	return !process->name || prctl(PR_SET_NAME, process->name) == 0;
}

static G_GNUC_NORETURN void run(const ExmChildProcess *process)
{
	process->work(process->user);
	_exit(0);
}

/* No signal is handled twice: between fork() and set_signals() all are blocked. */
static pid_t fork_blocked(void)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

static G_GNUC_NORETURN void tell_and_exit(int told)
{
	const int reason = errno;

	(void)!write(told, &reason, sizeof(reason));
	_exit(EXIT_NOT_STARTED);
}

/* Its end of the pipe closes when it is prepared, or killed. */
static bool is_ready(int ready, pid_t pid, GError **error)
{
	int reason;

	if (TEMP_FAILURE_RETRY(read(ready, &reason, sizeof(reason))) != sizeof(reason))
		return true;
	waitpid(pid, NULL, 0);
	return exm_throw_errno(error, reason, "cannot prepare a forked process");
}

/**
 * exm_child_process_start() - Fork a process
 * @process: what it does, and what it inherits
 * @ret_pid: its id; the caller reaps it
 * @error:   SYSTEM
 *
 * It begins with all signals at their default action but SIGXFSZ, in place of which write(2) fails,
 * and those it ignores, and none blocked. It is all that @process says when this returns.
 */
bool exm_child_process_start(const ExmChildProcess *process, pid_t *ret_pid, GError **error)
{
	const pid_t parent = getpid();
	exm_autofd int ready = -1;
	exm_autofd int told = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "cannot make a pipe");
	ready = ends[0];
	told = ends[1];
	pid = fork_blocked();
	if (pid < 0)
		return exm_throw_errno(error, errno, "cannot fork");
	if (pid == 0) {
		if (!prepare(process, parent))
			tell_and_exit(told);
		/* Unless it was closed with all others. */
		if (!process->kept_fds) {
			exm_fd_clear(&ready);
			exm_fd_clear(&told);
		}
		run(process);
	}
	exm_fd_clear(&told);
	*ret_pid = pid;
	return is_ready(ready, pid, error);
}

/**
 * struct Orphan - What the process between this one and the orphan is given
 * @process: the orphan
 * @ret_pid: its id, in memory that is shared with this process
 */
typedef struct {
	const ExmChildProcess *process;
	pid_t *ret_pid;
} Orphan;

/* Not the leader of its session, so that no terminal it opens becomes its own. */
static void fork_again(void *user)
{
	const Orphan *orphan = user;
	const pid_t pid = fork();

	if (pid == 0)
		run(orphan->process);
	if (pid < 0)
		_exit(EXIT_NOT_STARTED);
	*orphan->ret_pid = pid;
}

static bool start_middle(const Orphan *orphan, GError **error)
{
	ExmChildProcess middle = *orphan->process;
	int status = 0;
	pid_t pid = -1;

	middle.work = fork_again;
	middle.user = (void *)(uintptr_t)orphan;
	if (!exm_child_process_start(&middle, &pid, error))
		return false;
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) != pid)
		return exm_throw_errno(error, errno, "cannot wait for a forked process");
	return status == 0 || exm_throw(error, EXM_ERROR_SYSTEM, "cannot start a background process");
}

/**
 * exm_child_process_start_orphan() - Fork a process that need not be reaped
 * @process: what it does, and what it inherits; without @death_signal
 * @ret_pid: its id; may be NULL
 * @error:   SYSTEM; the process was not started
 *
 * It is forked twice. This process does not become its parent, and neither does a program that this
 * process executes.
 */
bool exm_child_process_start_orphan(const ExmChildProcess *process, pid_t *ret_pid, GError **error)
{
	exm_autofd int memory = memfd_create("pid", MFD_CLOEXEC);
	Orphan orphan = { .process = process };
	bool started;

	if (memory < 0 || ftruncate(memory, sizeof(*orphan.ret_pid)) < 0)
		return exm_throw_errno(error, errno, "cannot make a file in memory");
	orphan.ret_pid = mmap(NULL, sizeof(*orphan.ret_pid), PROT_READ | PROT_WRITE, MAP_SHARED,
	                      memory, 0);
	if (orphan.ret_pid == MAP_FAILED)
		return exm_throw_errno(error, errno, "cannot map memory");
	started = start_middle(&orphan, error);
	if (ret_pid)
		*ret_pid = *orphan.ret_pid;
	munmap(orphan.ret_pid, sizeof(*orphan.ret_pid));
	return started;
}
