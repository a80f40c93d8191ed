/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interrupt.c - Ctrl-C and SIGTERM as something to wait for, so that there is an orderly end */

#include "host/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/error.h"

/**
 * exm_interrupt_open() - Take SIGINT, SIGTERM and SIGHUP from now on
 * @ret_fd: readable when one has come
 * @error:  SYSTEM
 */
bool exm_interrupt_open(int *ret_fd, GError **error)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
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
