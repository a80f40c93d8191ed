/* SPDX-License-Identifier: GPL-2.0-or-later */
/* enumtab.c - Enums from text and to text, and the name that was probably meant */

#include "base/enumtab.h"

#include <string.h>

#include "base/error.h"

#define NEAR_DISTANCE 2
#define NEAR_PREFIX   3

/* The costs of all pairs of prefixes of two texts, row by row. */
typedef struct {
	const char *from;
	const char *to;
	GArray *costs;
	size_t columns;
} DistanceTable;

static size_t *cost_at(const DistanceTable *table, size_t row, size_t column)
{
	return &g_array_index(table->costs, size_t, row * table->columns + column);
}

static bool is_transposed(const DistanceTable *table, size_t row, size_t column)
{
	return row > 1 && column > 1 && table->from[row - 1] == table->to[column - 2] &&
	       table->from[row - 2] == table->to[column - 1];
}

static size_t cheapest(const DistanceTable *table, size_t row, size_t column)
{
	size_t cost;

	if (row == 0 || column == 0)
		return row + column;
	cost = *cost_at(table, row - 1, column - 1);
	if (table->from[row - 1] != table->to[column - 1])
		cost++;
	cost = MIN(cost, *cost_at(table, row - 1, column) + 1);
	cost = MIN(cost, *cost_at(table, row, column - 1) + 1);
	if (is_transposed(table, row, column))
		cost = MIN(cost, *cost_at(table, row - 2, column - 2) + 1);
	return cost;
}

/* Letters to add, drop, change or swap with their neighbour (restricted Damerau-Levenshtein). */
static size_t edit_distance(const char *from, const char *to)
{
	const size_t rows = strlen(from) + 1, columns = strlen(to) + 1;
	g_autoptr(GArray) costs = g_array_new(FALSE, FALSE, sizeof(size_t));
	const DistanceTable table = { from, to, costs, columns };

	g_array_set_size(costs, (unsigned int)(rows * columns));
	for (size_t row = 0; row < rows; row++)
		for (size_t column = 0; column < columns; column++)
			*cost_at(&table, row, column) = cheapest(&table, row, column);
	return *cost_at(&table, rows - 1, columns - 1);
}

static const char *only_with_prefix(const char *text, const char *const *names, size_t count)
{
	const char *found = NULL;

	if (strlen(text) < NEAR_PREFIX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!g_str_has_prefix(names[i], text))
			continue;
		if (found != NULL)
			return NULL;
		found = names[i];
	}
	return found;
}

/**
 * exm_nearest() - The name that a mistyped text probably means
 * @text:  what was written
 * @names: the names there are
 * @count: number of names
 *
 * Return: the only name that begins with @text, where that is three letters or more; else the
 * first of those with the fewest typing errors, of which two are allowed, but fewer than @text has
 * letters; else NULL. It belongs to @names
 */
const char *exm_nearest(const char *text, const char *const *names, size_t count)
{
	const size_t length = strlen(text);
	const char *nearest = only_with_prefix(text, names, count);
	size_t limit = MIN(NEAR_DISTANCE + 1, length);

	if (nearest != NULL)
		return nearest;
	for (size_t i = 0; i < count; i++) {
		const size_t name_length = strlen(names[i]);
		size_t distance;

		/* Spares a table of any size for a text that cannot be near. */
		if (length > name_length + NEAR_DISTANCE || name_length > length + NEAR_DISTANCE)
			continue;
		distance = edit_distance(text, names[i]);
		if (distance < limit) {
			limit = distance;
			nearest = names[i];
		}
	}
	return nearest;
}

static bool throw_unknown(const ExmEnumTable *table, const char *text, GError **error)
{
	const char *near = exm_nearest(text, table->names, table->count);
	g_autoptr(GString) all = g_string_new(NULL);

	if (near != NULL)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a %s (did you mean '%s'?)",
		                 text, table->what, near);
	for (size_t i = 0; i < table->count; i++)
		g_string_append_printf(all, "%s%s", i == 0 ? "" : ", ", table->names[i]);
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a %s (one of %s)", text, table->what,
	                 all->str);
}

/**
 * exm_enum_parse() - The value of an enum that a text names
 * @table:     the texts
 * @text:      one of them, exactly
 * @ret_value: its value
 * @error:     EXM_ERROR_USAGE, with the text that was probably meant or else all of them
 *
 * Return: true, or false with @error set
 */
bool exm_enum_parse(const ExmEnumTable *table, const char *text, int *ret_value, GError **error)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(text, table->names[i]) == 0) {
			*ret_value = (int)i;
			return true;
		}
	}
	return throw_unknown(table, text, error);
}

/**
 * exm_enum_name() - The text of an enum's value
 * @table: the texts
 * @value: the value
 *
 * Return: its text, or NULL where the enum has no such value
 */
const char *exm_enum_name(const ExmEnumTable *table, int value)
{
	if (value < 0 || (size_t)value >= table->count)
		return NULL;
	return table->names[value];
}
