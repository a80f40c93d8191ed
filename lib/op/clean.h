/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/act.h"

bool exm_op_clean(const char *state_directory, bool dry_run, ExmWarn warn, GPtrArray **ret_names,
                  GError **error);
