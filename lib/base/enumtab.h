/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct ExmEnumTable - The texts of an enum, in the order of its values from 0
 * @what:  what one value is called in an error: "mode", "policy"
 * @names: one text for each value
 * @count: number of texts
 */
typedef struct {
	const char *what;
	const char *const *names;
	size_t count;
} ExmEnumTable;

bool exm_enum_parse(const ExmEnumTable *table, const char *text, int *ret_value, GError **error);
const char *exm_enum_name(const ExmEnumTable *table, int value);
const char *exm_nearest(const char *text, const char *const *names, size_t count);
