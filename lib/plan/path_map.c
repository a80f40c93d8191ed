/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path_map.c - Paths of one host in words that another one uses */

#include "plan/path_map.h"

#include <string.h>

#include "base/error.h"

/**
 * exm_path_map_parse() - Read the argument of --path-map
 * @text:  "/srv/mem=/mnt/mem"
 * @error: USAGE
 *
 * Return: the map (transfer full), or NULL.
 */
ExmPathMap *exm_path_map_parse(const char *text, GError **error)
{
	const char *middle = strchr(text, '=');
	g_autoptr(ExmPathMap) map = g_new0(ExmPathMap, 1);

	map->from = middle ? g_strndup(text, (gsize)(middle - text)) : NULL;
	map->to = middle ? g_strdup(middle + 1) : NULL;
	if (!middle || *map->from != '/' || *map->to != '/' || !map->from[1]) {
		exm_throw(error, EXM_ERROR_USAGE,
		          "--path-map: '%s' is not two absolute paths with '=' between them", text);
		return NULL;
	}
	/* "/mnt/" and "/mnt" are the same place. */
	for (char *end = strrchr(map->from, '/'); end > map->from && !end[1];
	     end = strrchr(map->from, '/'))
		*end = '\0';
	for (char *end = strrchr(map->to, '/'); end > map->to && !end[1]; end = strrchr(map->to, '/'))
		*end = '\0';
	return g_steal_pointer(&map);
}

/**
 * exm_path_map_free() - Free a map
 * @map: may be NULL
 */
void exm_path_map_free(ExmPathMap *map)
{
	if (!map)
		return;
	g_free(map->from);
	g_free(map->to);
	g_free(map);
}

/* A path begins a word, or stands behind one of these; and ends where a name in it ends. */
static bool is_path_at(const char *text, const char *found, size_t length)
{
	const char before = (char)(found == text ? '\0' : found[-1]);
	const char behind = found[length];

	return (before == '\0' || strchr("=:,\"", before)) &&
	       (behind == '\0' || strchr("/,\"", behind));
}

/**
 * exm_path_map_apply() - Say a text as this host has it
 * @maps: of ExmPathMap; the first that fits counts
 * @text: a path, or an argument with paths in it
 *
 * Return: the text (transfer full).
 */
char *exm_path_map_apply(const GPtrArray *maps, const char *text)
{
	g_autoptr(GString) mapped = g_string_new(NULL);

	for (const char *at = text; *at;) {
		const ExmPathMap *fits = NULL;

		for (guint i = 0; i < maps->len && !fits; i++) {
			const ExmPathMap *map = maps->pdata[i];

			if (g_str_has_prefix(at, map->from) && is_path_at(text, at, strlen(map->from)))
				fits = map;
		}
		if (fits)
			g_string_append(mapped, fits->to);
		else
			g_string_append_c(mapped, *at);
		at += fits ? strlen(fits->from) : 1;
	}
	return g_string_free(g_steal_pointer(&mapped), FALSE);
}
