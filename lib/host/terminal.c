/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.c - A terminal in raw mode, and the signals that must not leave it so */

#include "host/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Signals that are caught, or (SIGPIPE) ignored so that a write fails instead. */
static const int caught[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGPIPE };

/**
 * struct ExmTerminal - A terminal in raw mode
 * @fd:      the terminal, or something else that is left as it is
 * @is_one:  it is a terminal
 * @saved:   its modes before
 * @actions: what the signals did before
 * @reader:  end of a pipe that says which signals came
 */
struct ExmTerminal {
	int fd;
	bool is_one;
	struct termios saved;
	struct sigaction actions[G_N_ELEMENTS(caught)];
	int reader;
};

/* Other end of that pipe; there is one terminal at a time. */
static int signal_writer = -1;

static void tell_signal(int number)
{
	const int errnum = errno;
	const char byte = (char)number;

	/* Where the pipe is full, there is enough to do. */
	(void)!write(signal_writer, &byte, 1);
	errno = errnum;
}

static void make_raw(const ExmTerminal *terminal)
{
	struct termios raw = terminal->saved;

	if (!terminal->is_one)
		return;
	cfmakeraw(&raw);
	/* As QEMU's own stdio has it (chardev/char-stdio.c): guests that end lines with \n exist. */
	raw.c_oflag = terminal->saved.c_oflag;
	/* In the background this stops us until we are in the foreground, as it should. */
	(void)TEMP_FAILURE_RETRY(tcsetattr(terminal->fd, TCSANOW, &raw));
}

/* In the background the terminal is the shell's, which has set its modes. */
static void restore(const ExmTerminal *terminal)
{
	if (terminal->is_one && tcgetpgrp(terminal->fd) == getpgrp())
		(void)TEMP_FAILURE_RETRY(tcsetattr(terminal->fd, TCSANOW, &terminal->saved));
}

/* Who ignores a signal that would end us, such as nohup(1), goes on ignoring it. */
static void catch_signals(ExmTerminal *terminal)
{
	for (size_t i = 0; i < G_N_ELEMENTS(caught); i++) {
		const bool ignored = caught[i] == SIGPIPE;
		/* No SA_RESTART: a write to a terminal that is held must not outlast the signal. */
		const struct sigaction action = { .sa_handler = ignored ? SIG_IGN : tell_signal };

		sigaction(caught[i], NULL, &terminal->actions[i]);
		if (terminal->actions[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &action, NULL);
	}
}

static void release_signals(const ExmTerminal *terminal)
{
	for (size_t i = 0; i < G_N_ELEMENTS(caught); i++)
		sigaction(caught[i], &terminal->actions[i], NULL);
}

/**
 * exm_terminal_is_one() - Whether a descriptor is a terminal
 * @fd: the descriptor
 */
bool exm_terminal_is_one(int fd)
{
	return isatty(fd) == 1;
}

/**
 * exm_terminal_new() - Put a terminal into raw mode
 * @fd:    the terminal; where it is none only the signals are caught
 * @error: SYSTEM
 *
 * From now on SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP and SIGCONT are told by a descriptor, and
 * SIGPIPE is ignored.
 *
 * Return: the terminal (transfer full), or NULL; freeing it undoes everything.
 */
ExmTerminal *exm_terminal_new(int fd, GError **error)
{
	ExmTerminal *terminal;
	struct termios saved = { 0 };
	const bool is_one = exm_terminal_is_one(fd);
	int ends[2];

	g_assert(signal_writer < 0);
	if ((is_one && tcgetattr(fd, &saved) < 0) || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		exm_throw_errno(error, errno, "prepare the terminal");
		return NULL;
	}
	terminal = g_new0(ExmTerminal, 1);
	terminal->fd = fd;
	terminal->is_one = is_one;
	terminal->saved = saved;
	terminal->reader = ends[0];
	signal_writer = ends[1];
	catch_signals(terminal);
	make_raw(terminal);
	return terminal;
}

/**
 * exm_terminal_free() - Give a terminal its modes back, and the signals what they did
 * @terminal: may be NULL
 */
void exm_terminal_free(ExmTerminal *terminal)
{
	if (!terminal)
		return;
	restore(terminal);
	release_signals(terminal);
	exm_fd_clear(&signal_writer);
	close(terminal->reader);
	g_free(terminal);
}

/**
 * exm_terminal_signal_fd() - Where to hear of signals
 * @terminal: the terminal
 *
 * Return: a descriptor that can be read when exm_terminal_take_signal() has something to do.
 */
int exm_terminal_signal_fd(const ExmTerminal *terminal)
{
	return terminal->reader;
}

/* Stops this process as SIGTSTP does; it goes on here. */
static void stop(const ExmTerminal *terminal)
{
	const struct sigaction stops = { .sa_handler = SIG_DFL };
	struct sigaction tells;

	restore(terminal);
	sigaction(SIGTSTP, &stops, &tells);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &tells, NULL);
}

/**
 * exm_terminal_take_signal() - Do what a signal asks for
 * @terminal: the terminal
 *
 * SIGTSTP restores the terminal and stops the process; when it goes on the terminal is raw again.
 *
 * Return: a signal that asks to end, or 0.
 */
int exm_terminal_take_signal(ExmTerminal *terminal)
{
	char number;

	while (TEMP_FAILURE_RETRY(read(terminal->reader, &number, 1)) == 1) {
		if (number == SIGTSTP)
			stop(terminal);
		else if (number != SIGCONT)
			return number;
		make_raw(terminal);
	}
	return 0;
}
