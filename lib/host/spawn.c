/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.c - Start a program, wait for it, and never leave it behind */

#include "host/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/child_process.h"

/* Microseconds between two looks at a program that is to end. */
#define SHORTEST_PAUSE 200
#define LONGEST_PAUSE  5000

/**
 * struct Start - What the child needs between fork and exec
 * @spawn:    the program
 * @null:     /dev/null
 * @report:   end of the pipe that takes the errno of a start that failed
 * @floor:    a number above all that the program's descriptors shall have
 * @parked:   the kept descriptors, moved above @floor; as many as the program has
 */
typedef struct {
	const ExmSpawn *spawn;
	int null;
	int report;
	int floor;
	int *parked;
} Start;

/*
 * Everything is moved above the numbers that will be given out first: else one of them could close
 * another that is still needed.
 */
static bool park(int *fd, int floor)
{
	*fd = fcntl(*fd, F_DUPFD_CLOEXEC, floor);
	return *fd >= 0;
}

static bool give_fds(Start *start)
{
	const ExmSpawn *spawn = start->spawn;
	int standard[] = { spawn->input, spawn->output, spawn->errors };

	for (size_t i = 0; i < G_N_ELEMENTS(standard); i++) {
		if (standard[i] < 0)
			standard[i] = start->null;
		if (!park(&standard[i], start->floor))
			return false;
	}
	for (size_t i = 0; i < spawn->fd_count; i++) {
		start->parked[i] = spawn->fds[i].ours;
		if (!park(&start->parked[i], start->floor))
			return false;
	}
	if (!exm_fd_close_on_exec_from(STDERR_FILENO + 1))
		return false;
	for (int i = 0; i < (int)G_N_ELEMENTS(standard); i++)
		if (dup2(standard[i], i) < 0)
			return false;
	for (size_t i = 0; i < spawn->fd_count; i++)
		if (dup2(start->parked[i], spawn->fds[i].theirs) < 0)
			return false;
	return true;
}

static void execute(void *user)
{
	Start *start = user;
	/* The cast is execv's own: it changes nothing (POSIX, rationale of exec). */
	char **argv = (char **)(uintptr_t)start->spawn->argv;
	int errnum;

	/* A report that fails leaves the parent with an exit status instead. */
	if (park(&start->report, start->floor) && give_fds(start)) {
		if (start->spawn->search_path)
			execvp(argv[0], argv);
		else
			execv(argv[0], argv);
	}
	errnum = errno;
	(void)!write(start->report, &errnum, sizeof(errnum));
	_exit(127);
}

static int floor_of(const ExmSpawn *spawn)
{
	int floor = STDERR_FILENO + 1;

	for (size_t i = 0; i < spawn->fd_count; i++)
		floor = MAX(floor, spawn->fds[i].theirs + 1);
	return floor;
}

static ExmProcess *fork_program(Start *start, GError **error)
{
	g_autoptr(ExmProcess) process = g_new0(ExmProcess, 1);
	const ExmChildProcess child = {
		.work = execute,
		.user = start,
		.own_group = start->spawn->own_group,
		.death_signal = start->spawn->die_with_us ? SIGKILL : 0,
	};

	process->own_group = start->spawn->own_group;
	if (!exm_child_process_start(&child, &process->pid, error)) {
		g_prefix_error(error, "cannot start '%s': ", start->spawn->argv[0]);
		return NULL;
	}
	return g_steal_pointer(&process);
}

/**
 * exm_process_start() - Start a program
 * @spawn: what to start, and how
 * @error: UNSUPPORTED where the kernel does not execute it, SYSTEM for the rest
 *
 * Its environment and working directory are ours, all signals have their default action and none is
 * blocked, and it inherits no descriptor but those that @spawn names. Returns when the program has
 * been executed or that has failed.
 *
 * Return: the process (transfer full), or NULL.
 */
ExmProcess *exm_process_start(const ExmSpawn *spawn, GError **error)
{
	exm_autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	g_autofree int *parked = g_new(int, spawn->fd_count + 1);
	g_autoptr(ExmProcess) process = NULL;
	exm_autofd int report = -1;
	int ends[2], errnum;

	if (null < 0) {
		exm_throw_errno(error, errno, "cannot open '/dev/null'");
		return NULL;
	}
	if (pipe2(ends, O_CLOEXEC) < 0) {
		exm_throw_errno(error, errno, "cannot make a pipe");
		return NULL;
	}
	report = ends[0];
	process = fork_program(&(Start){ spawn, null, ends[1], floor_of(spawn), parked }, error);
	close(ends[1]);
	if (!process)
		return NULL;
	/* A successful exec closes the pipe without a word. */
	if (TEMP_FAILURE_RETRY(read(report, &errnum, sizeof(errnum))) == sizeof(errnum)) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "cannot execute '%s': %s", spawn->argv[0],
		          g_strerror(errnum));
		return NULL;
	}
	return g_steal_pointer(&process);
}

/* It is not reaped here: until then its id cannot belong to another process. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	/* ECHILD: SIGCHLD is ignored, and the kernel has reaped it. */
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid;
}

/**
 * exm_process_wait() - Wait until a program ends, and reap it
 * @process:    the process
 * @timeout_ms: at most that long
 * @ret_status: as waitpid(2) gives it
 *
 * Must not be called again once it has returned true.
 *
 * Return: true, or false where the program still runs.
 */
bool exm_process_wait(ExmProcess *process, int timeout_ms, int *ret_status)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	gulong pause = SHORTEST_PAUSE;

	g_assert(process->pid > 0);
	/* Not by pidfd: containers that filter system calls, and valgrind, do not let it through. */
	while (!has_ended(process->pid)) {
		if (g_get_monotonic_time() >= deadline)
			return false;
		g_usleep(pause);
		pause = MIN(2 * pause, LONGEST_PAUSE);
	}
	/* A process that it started and left must not outlive it either; its id is still taken. */
	if (process->own_group)
		kill(-process->pid, SIGKILL);
	*ret_status = 0;
	(void)TEMP_FAILURE_RETRY(waitpid(process->pid, ret_status, 0));
	process->pid = -1;
	return true;
}

/**
 * exm_process_free() - Kill a program that still runs, reap it and forget it
 * @process: may be NULL
 */
void exm_process_free(ExmProcess *process)
{
	if (!process)
		return;
	if (process->pid > 0) {
		if (process->own_group)
			kill(-process->pid, SIGKILL);
		kill(process->pid, SIGKILL);
		(void)TEMP_FAILURE_RETRY(waitpid(process->pid, NULL, 0));
	}
	g_free(process);
}
