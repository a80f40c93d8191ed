/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - A table whose columns are as wide as what stands in them */

#include "table.h"

#include <stdio.h>

static void row_free(gpointer row)
{
	g_strfreev(row);
}

/**
 * exm_table_new() - A table without rows
 *
 * Return: the table (transfer full).
 */
GPtrArray *exm_table_new(void)
{
	return g_ptr_array_new_with_free_func(row_free);
}

/**
 * exm_table_add() - Add a row
 * @table: the table
 * @...:   its cells, closed by NULL; as many as the first row has
 */
void exm_table_add(GPtrArray *table, ...)
{
	g_autoptr(GStrvBuilder) row = g_strv_builder_new();
	va_list cells;

	va_start(cells, table);
	for (const char *cell; (cell = va_arg(cells, const char *));)
		g_strv_builder_add(row, cell);
	va_end(cells);
	g_ptr_array_add(table, g_strv_builder_end(row));
}

static int width_of(const GPtrArray *table, guint column)
{
	glong width = 0;

	for (guint i = 0; i < table->len; i++)
		width = MAX(width, g_utf8_strlen(((char **)table->pdata[i])[column], -1));
	return (int)width;
}

static void print_row(const GPtrArray *table, char *const *row)
{
	for (guint i = 0; row[i]; i++) {
		const int spaces = width_of(table, i) - (int)g_utf8_strlen(row[i], -1);

		printf("%s%*s", row[i], row[i + 1] ? spaces + 2 : 0, "");
	}
	printf("\n");
}

/**
 * exm_table_print() - Print a table
 * @table: the table
 */
void exm_table_print(const GPtrArray *table)
{
	for (guint i = 0; i < table->len; i++)
		print_row(table, table->pdata[i]);
}
