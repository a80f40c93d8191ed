/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interrupt.c - Ctrl-C and SIGTERM as something to wait for, so that there is an orderly end */

#include "host/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/error.h"

static const int last_signals[] = { SIGINT, SIGTERM, SIGHUP };

static volatile sig_atomic_t caught;

static void catch (int signal_number)
{
	caught = signal_number;
}

/**
 * exm_interrupt_defer() - Let SIGINT, SIGTERM and SIGHUP wait for exm_interrupt_raise()
 *
 * For work that has to be undone. System calls fail with EINTR. One that was ignored (nohup) still
 * is. Another program that this process becomes has none of that.
 */
void exm_interrupt_defer(void)
{
	const struct sigaction action = { .sa_handler = catch };

	for (size_t i = 0; i < G_N_ELEMENTS(last_signals); i++) {
		struct sigaction old;

		if (sigaction(last_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(last_signals[i], &action, NULL);
	}
}

/**
 * exm_interrupt_came() - Whether one was deferred
 */
bool exm_interrupt_came(void)
{
	return caught;
}

/**
 * exm_interrupt_raise() - End this process by the signal that was deferred, where one was
 */
void exm_interrupt_raise(void)
{
	if (!caught)
		return;
	signal(caught, SIG_DFL);
	raise(caught);
}

/**
 * exm_interrupt_open() - Take SIGINT, SIGTERM and SIGHUP from now on
 * @ret_fd: readable when one has come
 * @error:  SYSTEM
 */
bool exm_interrupt_open(int *ret_fd, GError **error)
{
	sigset_t signals;

	sigemptyset(&signals);
	for (size_t i = 0; i < G_N_ELEMENTS(last_signals); i++)
		sigaddset(&signals, last_signals[i]);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	*ret_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	return *ret_fd >= 0 || exm_throw_errno(error, errno, "take signals");
}

/**
 * exm_interrupt_wait() - Wait for such a signal
 * @fd:         of exm_interrupt_open()
 * @timeout_ms: no longer than that
 *
 * Return: whether one has come.
 */
bool exm_interrupt_wait(int fd, int timeout_ms)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	return poll(&polled, 1, timeout_ms) > 0;
}
