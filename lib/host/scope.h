/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define EXM_SCOPE_SUFFIX ".scope"

bool exm_scope_is_needed(void);
bool exm_scope_enter(const char *unit, uint64_t bytes, GError **error);
