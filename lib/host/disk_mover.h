/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "host/qmp.h"

bool exm_disk_move(ExmQmp *qmp, const char *node, const char *overlay, const char *overlay_node,
                   GError **error);
bool exm_disk_is_moved(ExmQmp *qmp, const char *overlay_node);
void exm_disk_move_back(ExmQmp *qmp, const char *overlay_node, const char *node);
