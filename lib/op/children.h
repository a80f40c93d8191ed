/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/clone.h"

/**
 * typedef ExmChildWork - What is done for a child, in a process of its own
 * @plan:            of the child
 * @state_directory: where guests' directories are
 * @user:            what was given with it
 * @error:           why it failed; nothing of the child is left then
 */
typedef bool (*ExmChildWork)(ExmPlan *plan, const char *state_directory, const void *user,
                             GError **error);

bool exm_children_start(const GPtrArray *plans, const char *state_directory,
                        const ExmCloneOrder *order, ExmCloned cloned, GError **error);
bool exm_children_work(const GPtrArray *plans, const char *state_directory,
                       const ExmCloneOrder *order, ExmChildWork work, const void *user,
                       ExmCloned cloned, GError **error);
void exm_children_end(const GPtrArray *plans, const char *state_directory, const char *spared);
