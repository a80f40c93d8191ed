/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_state_root_open(const char *path, int *ret_fd, GError **error);
bool exm_state_root_lock(const char *path, int *ret_fd, GError **error);
char *exm_state_root_id(const char *path);
bool exm_state_root_make(const char *path, GError **error);
