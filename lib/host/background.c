/* SPDX-License-Identifier: GPL-2.0-or-later */
/* background.c - A process that belongs to nobody and to no terminal, and holds nothing open */

#include "host/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

/**
 * exm_background_close_from() - Close descriptors that were inherited
 * @first: this one and all behind it
 */
void exm_background_close_from(int first)
{
	if (close_range((unsigned int)first, UINT32_MAX, 0) == 0)
		return;
	/* Before Linux 5.9, and under valgrind. */
	for (long fd = sysconf(_SC_OPEN_MAX) - 1; fd >= first; fd--)
		close((int)fd);
}

/**
 * exm_background_reset_signals() - Take signals as a program does that has just been started
 */
void exm_background_reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number <= SIGRTMAX; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool leave_all_behind(void)
{
	const int null = open("/dev/null", O_RDWR);

	if (setsid() < 0 || chdir("/") < 0 || null < 0)
		return false;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return false;
	exm_background_close_from(STDERR_FILENO + 1);
	exm_background_reset_signals();
	return true;
}

/* Its descriptors are closed here, so that no lock of ours is held when it has ended. */
static G_GNUC_NORETURN void run_middle_process(const char *name, ExmBackgroundWork work, void *user)
{
	pid_t pid;

	if (!leave_all_behind())
		_exit(1);
	prctl(PR_SET_NAME, name);
	/* Not the leader of its session, so that no terminal it opens becomes its own. */
	pid = fork();
	if (pid == 0) {
		work(user);
		_exit(0);
	}
	_exit(pid < 0 ? 1 : 0);
}

/**
 * exm_background_start() - Do something in a process that goes on when this one has ended
 * @name:  what the process is called, 15 bytes at most
 * @work:  what it does
 * @user:  passed to it
 * @error: SYSTEM
 */
bool exm_background_start(const char *name, ExmBackgroundWork work, void *user, GError **error)
{
	const pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		run_middle_process(name, work, user);
	if (pid < 0)
		return exm_throw_errno(error, errno, "start a process");
	/* Where SIGCHLD is ignored it is reaped by the kernel, and nothing is known of it. */
	if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) == pid && status != 0)
		return exm_throw(error, EXM_ERROR_SYSTEM, "cannot start a process");
	return true;
}
