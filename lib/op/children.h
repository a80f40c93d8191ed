/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/clone.h"

bool exm_children_start(const GPtrArray *plans, const char *state_directory,
                        const ExmCloneOrder *order, ExmCloned cloned, GError **error);
