/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/act.h"
#include "plan/plan.h"

bool exm_load(const ExmPlan *plan, int timeout_ms, GError **error);
bool exm_load_start(const ExmPlan *plan, ExmWarn warn, GError **error);
