/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_pool.c - Labels that are read have names, and a class that placement takes; no namespace has two */

#include "plan/pool.h"

#include "fuzz.h"

static void check_label(const ExmPool *pool, const ExmPoolLabel *label, GHashTable *names)
{
	g_assert_cmpstr(label->label, !=, "");
	g_assert_true(exm_pool_find(pool, label->label) == label);
	g_assert_true(g_str_has_prefix(label->resource_class, "CUSTOM_"));
	/* Nova, nova/objects/fields.py and placement's API: at most 255 of these. */
	for (const char *at = label->resource_class; *at; at++)
		g_assert_true(g_ascii_isupper(*at) || g_ascii_isdigit(*at) || *at == '_');
	g_assert_cmpuint(label->names->len, >, 0);
	for (guint i = 0; i < label->names->len; i++) {
		g_assert_cmpstr(label->names->pdata[i], !=, "");
		g_assert_true(g_hash_table_add(names, label->names->pdata[i]));
	}
}

/**
 * LLVMFuzzerTestOneInput() - Read what pmem_namespaces says
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, size);
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	g_autoptr(GPtrArray) problems = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPool) pool = exm_pool_parse(text, &error);

	if (!pool) {
		assert_rejected(error);
		return 0;
	}
	g_assert_no_error(error);
	for (guint i = 0; i < pool->labels->len; i++)
		check_label(pool, pool->labels->pdata[i], names);
	/* None of the namespaces is there. */
	problems = exm_pool_problems(pool, none);
	g_assert_true((problems->len > 0) == (pool->labels->len > 0));
	return 0;
}
