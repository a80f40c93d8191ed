/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* So many cells are a guest's memory, whatever its size. */
#define EXM_STRIP_CELLS 256

/**
 * struct ExmStripCell - One piece of a guest's physical memory, in pages
 * @pages:  all of them
 * @shared: those that it maps from its file
 * @copied: those that it has to itself, also in swap; the rest it has not touched
 */
typedef struct {
	uint64_t pages;
	uint64_t shared;
	uint64_t copied;
} ExmStripCell;

char *exm_strip_to_text(const ExmStripCell *cells, uint64_t size, bool colour);
char *exm_strip_to_svg(const ExmStripCell *cells, const char *title, uint64_t size);
