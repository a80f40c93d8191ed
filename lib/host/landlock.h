/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

uint64_t exm_landlock_version(void);
bool exm_landlock_restrict(const char *program, const GPtrArray *allowed, GError **error);
