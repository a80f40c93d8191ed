/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * struct ExmPathMap - What is called otherwise on another host
 * @from: a path there
 * @to:   the same here
 */
typedef struct {
	char *from;
	char *to;
} ExmPathMap;

ExmPathMap *exm_path_map_parse(const char *text, GError **error);
void exm_path_map_free(ExmPathMap *map);
char *exm_path_map_apply(const GPtrArray *maps, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPathMap, exm_path_map_free)
