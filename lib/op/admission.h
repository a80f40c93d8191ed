/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/capacity.h"
#include "plan/plan.h"

ExmCapacityFacts *exm_op_capacity_read(const ExmMemoryConfig *config, const char *state_directory,
                                       ExmJson *recorded, GError **error);
bool exm_op_admit(const ExmPlan *plan, const char *state_directory, GError **error);
bool exm_op_reserve(const ExmPlan *plan, const char *state_directory, const char *directory,
                    GError **error);
bool exm_op_settle(const ExmMemoryConfig *store, const char *state_directory,
                   const char *reservation, const char *directory, GError **error);
bool exm_op_admit_all(const GPtrArray *plans, ExmCapacityFacts *facts, GError **error);
