/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/caps.h"

ExmCaps *exm_op_probe(const char *binary, const char *cache_dir, bool refresh, bool *ret_cached,
                      GError **error);
