/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "op/act.h"

bool exm_detach(const ExmPlan *plan, const char *state_directory, pid_t loader, ExmWarn warn,
                pid_t *ret_pid, GError **error);
void exm_detach_end(const ExmPlan *plan, const char *state_directory, pid_t pid);
char *exm_detach_words(const ExmPlan *plan);
