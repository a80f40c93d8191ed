/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct ExmExtent - A stretch of a file
 * @start: its first byte
 * @end:   behind its last one
 */
typedef struct {
	uint64_t start;
	uint64_t end;
} ExmExtent;

GArray *exm_extents_new(void);
void exm_extents_add(GArray *extents, uint64_t start, uint64_t end);
const ExmExtent *exm_extents_at(const GArray *extents, guint index);
uint64_t exm_extents_bytes(const GArray *extents);
GArray *exm_extents_join(const GArray *extents, uint64_t gap);
GArray *exm_extents_intersect(const GArray *one, const GArray *other);
GArray *exm_extents_subtract(const GArray *from, const GArray *what);
