/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_keyval.c - A list that is cut, escaped and joined is cut into the same parts again */

#include "base/keyval.h"

#include <string.h>

#include "fuzz.h"

static char *join(const GPtrArray *pairs)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < pairs->len; i++) {
		const ExmPair *pair = pairs->pdata[i];
		g_autofree char *value = exm_keyval_escape(pair->value);

		g_string_append_printf(text, "%s%s%s%s", i > 0 ? "," : "",
		                       pair->key ? pair->key : "", pair->key ? "=" : "", value);
	}
	return g_string_free(text, FALSE);
}

static void check_same(const GPtrArray *one, const GPtrArray *other)
{
	g_assert_cmpuint(one->len, ==, other->len);
	for (guint i = 0; i < one->len; i++) {
		const ExmPair *a = one->pdata[i];
		const ExmPair *b = other->pdata[i];

		g_assert_cmpstr(a->key, ==, b->key);
		g_assert_cmpstr(a->value, ==, b->value);
	}
}

/* The last part of a key is the one that counts. */
static void check_get(const GPtrArray *pairs)
{
	g_autoptr(GHashTable) last = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < pairs->len; i++) {
		ExmPair *pair = pairs->pdata[i];

		if (pair->key)
			g_hash_table_insert(last, pair->key, pair->value);
	}
	for (guint i = 0; i < pairs->len; i++) {
		const ExmPair *pair = pairs->pdata[i];

		if (pair->key)
			g_assert_true(exm_keyval_get(pairs, pair->key) ==
			              g_hash_table_lookup(last, pair->key));
	}
}

/**
 * LLVMFuzzerTestOneInput() - Cut a list
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, size);
	g_autoptr(GPtrArray) pairs = exm_keyval_split(text);
	g_autofree char *joined = join(pairs);
	g_autoptr(GPtrArray) again = exm_keyval_split(joined);

	g_assert_cmpuint(pairs->len, >, 0);
	check_same(pairs, again);
	check_get(pairs);
	return 0;
}
