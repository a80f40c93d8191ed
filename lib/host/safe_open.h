/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

bool exm_safe_others_may_write(const struct stat *status);
bool exm_safe_is_ours(const struct stat *status);
int exm_safe_open_directory(const char *path, char **distrust, GError **error);
int exm_safe_open_parent(const char *path, char **distrust, GError **error);
bool exm_safe_look(const char *path, char **ret_distrust);
GString *exm_safe_read(int directory, const char *path, size_t max, char **distrust, GError **error);
GString *exm_safe_read_path(const char *path, size_t max, char **distrust, GError **error);
