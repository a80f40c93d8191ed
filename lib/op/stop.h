/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * struct ExmStopRequest - Which guests shall end, and how
 * @state_directory: where guests' directories are
 * @names:           of the guests, closed by NULL; NULL for all of this user
 * @kill:            at once, without a word
 * @timeout_ms:      how long a guest may take to power itself off
 */
typedef struct {
	const char *state_directory;
	const char *const *names;
	bool kill;
	int timeout_ms;
} ExmStopRequest;

bool exm_op_stop(const ExmStopRequest *request, GPtrArray *failed, GError **error);
