/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * struct ExmChildProcess - A process to fork
 * @work:            what it does; it exits with status 0 when that returns
 * @user:            passed to @work
 * @name:            its name, 15 bytes at most; NULL keeps this process's
 * @ignored_signals: signals that it ignores, ended by 0; NULL for none
 * @outlives_group:  whether it has a session of its own and ignores every signal that a terminal, a
 *                   limit or another program's kill(1) sends and that can be ignored
 * @kept_fds:        the only descriptors it keeps, in ascending order, ended by -1, where its
 * stdin, stdout and stderr are /dev/null unless they are among them; NULL keeps all
 * @death_signal:    the signal that it gets when this process ends; 0 for none
 * @own_group:       whether it leads a process group
 * @daemon:          whether it has a session of its own, without a terminal, and "/" as its working
 *                   directory
 */
typedef struct {
	void (*work)(void *user);
	void *user;
	const char *name;
	const int *ignored_signals;
	const int *kept_fds;
	int death_signal;
	bool outlives_group;
	bool own_group;
	bool daemon;
} ExmChildProcess;

bool exm_child_process_start(const ExmChildProcess *process, pid_t *ret_pid, GError **error);
bool exm_child_process_start_orphan(const ExmChildProcess *process, pid_t *ret_pid, GError **error);
