/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_config_file_read(const char *path, GPtrArray *entries, GError **error);
bool exm_config_file_read_all(const char *path, GPtrArray *entries, GError **error);
