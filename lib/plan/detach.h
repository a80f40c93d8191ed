/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/qemu_line.h"

/**
 * struct ExmDetachment - The sockets that stand in for a detached guest's terminal
 * @console:         its serial line
 * @console_chardev: id of the user's own -chardev stdio, which is then the console; else NULL
 * @console_default: -nographic alone: the serial line that QEMU would make has to be said
 * @console_monitor: the human monitor is on the console too, behind Ctrl-A c
 * @monitor:         what was -monitor stdio
 * @monitor_default: -nographic with a serial line: the monitor that QEMU would make has to be said
 * @qmp:             what was -qmp stdio
 */
typedef struct {
	bool console;
	const char *console_chardev;
	bool console_default;
	bool console_monitor;
	bool monitor;
	bool monitor_default;
	bool qmp;
} ExmDetachment;

bool exm_detachment_new(const ExmQemuLine *line, ExmDetachment *ret_detachment, GError **error);
char *exm_detach_value(const ExmQemuWord *word, int console_fd);
GArray *exm_detach_named_fds(const GPtrArray *argv);
bool exm_detach_has_config(const GPtrArray *argv, const char *own);
char *exm_detach_chardev(const char *id, int fd, bool mux, bool log);
