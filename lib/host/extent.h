/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/extents.h"

bool exm_extent_find(int fd, uint64_t from, uint64_t size, ExmExtent *ret_extent, GError **error);
