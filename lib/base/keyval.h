/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * struct ExmPair - One part of a "first,key=value,flag" list
 * @key:   text before the first '=', or NULL where the part has none
 * @value: text behind it (the whole part where there is no '='); doubled commas are undone
 */
typedef struct {
	char *key;
	char *value;
} ExmPair;

void exm_pair_free(ExmPair *pair);
GPtrArray *exm_keyval_split(const char *text);
const char *exm_keyval_get(const GPtrArray *pairs, const char *key);
char *exm_keyval_escape(const char *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPair, exm_pair_free)
