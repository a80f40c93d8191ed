/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/qmp.h"

void exm_overlay_forget(ExmQmp *qmp);
bool exm_overlay_create(ExmQmp *qmp, const char *path, const char *backing_path,
                        const char *backing_format, uint64_t virtual_size, GError **error);
bool exm_overlay_copy(const char *from, int to_fd, GError **error);
