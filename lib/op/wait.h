/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_op_wait_exit(const char *state_directory, const char *name, int timeout_ms,
                      char **ret_text, GError **error);
bool exm_op_wait_running(const char *state_directory, const char *name, int timeout_ms,
                         GError **error);
