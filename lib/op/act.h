/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "plan/plan.h"

/**
 * typedef ExmWarn - Tell the user something
 * @warning: one line
 */
typedef void (*ExmWarn)(const char *warning);

bool exm_act(const ExmPlan *plan, const char *state_directory, pid_t loader, ExmWarn warn,
             GError **error);
