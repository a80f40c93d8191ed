/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/act.h"
#include "op/facts.h"

ExmPlan *exm_op_plan_run(const ExmRunRequest *request, const ExmSources *sources, GError **error);
bool exm_op_run(const ExmRunRequest *request, const ExmSources *sources, ExmWarn warn,
                char **ret_name, GError **error);
