/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host/mapping.h"
#include "plan/extents.h"
#include "plan/strip.h"

/**
 * struct ExmPageSpan - A block of a guest's memory
 * @file:   that it is in
 * @offset: bytes from the start of the guest's memory
 */
typedef struct {
	ExmMappedFile file;
	uint64_t offset;
} ExmPageSpan;

bool exm_page_map_read(pid_t pid, const ExmPageSpan *span, uint64_t memory, ExmStripCell *cells,
                       GError **error);
GArray *exm_page_map_touched(pid_t pid, const ExmMappedFile *file, GError **error);
