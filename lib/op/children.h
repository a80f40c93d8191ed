/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "op/clone.h"

/**
 * struct ExmChildWork - What is done for each child, in a process of its own
 * @act:  does it; where it fails, nothing of the child is left. It sets the id of a QEMU that it
 *        has started
 * @user: is handed to it
 */
typedef struct {
	bool (*act)(ExmPlan *plan, const char *state_directory, const void *user, pid_t *ret_pid,
	            GError **error);
	const void *user;
} ExmChildWork;

bool exm_children_start(const GPtrArray *plans, const char *state_directory,
                        const ExmCloneOrder *order, ExmCloned cloned, GError **error);
bool exm_children_work(const GPtrArray *plans, const char *state_directory,
                       const ExmCloneOrder *order, const ExmChildWork *work, ExmCloned cloned,
                       GError **error);
void exm_children_end(const GPtrArray *plans, const char *state_directory, const char *spared);
