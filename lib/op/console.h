/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * struct ExmConsoleRequest - Whose console, and where to
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @detach_key:      the character that leaves the console, where the input is a terminal
 * @input:           a descriptor: what is read there is typed into the guest
 * @output:          a descriptor: what the guest says goes there
 * @attached:        called when the console is there; it says whether the input is a terminal
 */
typedef struct {
	const char *state_directory;
	const char *name;
	char detach_key;
	int input;
	int output;
	void (*attached)(bool terminal);
} ExmConsoleRequest;

/**
 * enum ExmConsoleReason - Why a console was left
 * @EXM_CONSOLE_DETACHED:    by the key, or the terminal has gone
 * @EXM_CONSOLE_INPUT_ENDED: the input was no terminal and has ended
 * @EXM_CONSOLE_GUEST_ENDED: QEMU has closed it
 * @EXM_CONSOLE_SIGNALLED:   a signal asked for it
 */
typedef enum {
	EXM_CONSOLE_DETACHED,
	EXM_CONSOLE_INPUT_ENDED,
	EXM_CONSOLE_GUEST_ENDED,
	EXM_CONSOLE_SIGNALLED,
} ExmConsoleReason;

/**
 * struct ExmConsoleEnd - How a console was left
 * @reason: why
 * @signal: which, for EXM_CONSOLE_SIGNALLED; else 0
 */
typedef struct {
	ExmConsoleReason reason;
	int signal;
} ExmConsoleEnd;

bool exm_op_console(const ExmConsoleRequest *request, ExmConsoleEnd *ret_end, GError **error);
