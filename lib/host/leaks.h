/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct ExmLeak - A memory file that nobody holds
 * @path:     of it
 * @size:     bytes
 * @blocks:   bytes of its blocks
 * @template: it belongs to a template, and is kept on purpose
 */
typedef struct {
	char *path;
	uint64_t size;
	uint64_t blocks;
	bool template;
} ExmLeak;

GPtrArray *exm_leaks_find(const char *directory);
