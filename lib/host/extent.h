/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct ExmExtent - A stretch of a sparse file that holds data
 * @start: its first byte
 * @end:   behind its last one
 */
typedef struct {
	uint64_t start;
	uint64_t end;
} ExmExtent;

bool exm_extent_find(int fd, uint64_t from, uint64_t size, ExmExtent *ret_extent, GError **error);
