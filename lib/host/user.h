/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_user_give_fd(const char *user, int fd, GError **error);
bool exm_user_give_path(const char *user, const char *path, GError **error);
