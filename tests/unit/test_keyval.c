/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_keyval.c - lib/base/keyval.c */

#include "base/keyval.h"

#include "suite.h"

/* The parts as "key|value" or "|value", one a line. */
static const struct {
	const char *text;
	const char *parts;
} lists[] = {
	{ "", "|\n" },
	{ ",", "|\n" },
	{ "a", "|a\n" },
	{ "a,", "|a\n" },
	{ ",a", "|\n|a\n" },
	{ "a,b=c", "|a\nb|c\n" },
	{ "/mem,mode=create,mmap=shared", "|/mem\nmode|create\nmmap|shared\n" },
	{ "a,b=c,,d", "|a\nb|c,d\n" },
	{ "a,,b", "|a,b\n" },
	{ ",,a", "|,a\n" },
	{ "a,,", "|a,\n" },
	{ "a,,,", "|a,\n" },
	{ "a,,,b", "|a,\n|b\n" },
	{ "a,,,,b", "|a,,b\n" },
	{ "a=,,", "a|,\n" },
	{ "nofallback,anyfs", "|nofallback\n|anyfs\n" },
	{ "b=", "b|\n" },
	{ "b=c=d", "b|c=d\n" },
	{ "=x", "|=x\n" },
	{ "a,,b=c", "|a,b=c\n" },
	{ "/mem,,x=1,mode=open", "|/mem,x=1\nmode|open\n" },
	{ "/a=b", "|/a=b\n" },
	{ "a b=c", "|a b=c\n" },
	{ "host-nodes=0-1,x_y.z9=Q", "host-nodes|0-1\nx_y.z9|Q\n" },
	{ "k=\xc3\xa4", "k|\xc3\xa4\n" },
};

static char *join_parts(const GPtrArray *pairs)
{
	GString *text = g_string_new(NULL);

	for (unsigned int i = 0; i < pairs->len; i++) {
		const ExmPair *pair = g_ptr_array_index(pairs, i);

		g_string_append_printf(text, "%s|%s\n", pair->key == NULL ? "" : pair->key,
		                       pair->value);
	}
	return g_string_free(text, FALSE);
}

START_TEST(split_cuts_at_single_commas)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(lists[_i].text);

	assert_text_and_free(join_parts(pairs), lists[_i].parts);
}
END_TEST

/* An empty key would look like none in the table above. */
START_TEST(part_without_key_has_null)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split("=x");
	const ExmPair *pair = g_ptr_array_index(pairs, 0);

	ck_assert_ptr_null(pair->key);
}
END_TEST

START_TEST(get_finds_last_value)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split("/mem,mode=temp,mode,align=2M,mode=open");

	ck_assert_str_eq(exm_keyval_get(pairs, "mode"), "open");
	ck_assert_str_eq(exm_keyval_get(pairs, "align"), "2M");
}
END_TEST

START_TEST(get_of_missing_key_is_null)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split("mode,align=2M");

	ck_assert_ptr_null(exm_keyval_get(pairs, "mode"));
	ck_assert_ptr_null(exm_keyval_get(pairs, "ali"));
	ck_assert_ptr_null(exm_keyval_get(pairs, ""));
}
END_TEST

static const char *const values[] = {
	"", "a", ",", ",,", ",,,", "a,b", "/dir,with,commas/", "a=b,c=d", ",x", "x,",
};

START_TEST(split_undoes_escape)
{
	g_autofree char *escaped = exm_keyval_escape(values[_i]);
	g_autofree char *text = g_strdup_printf("first,key=%s,last", escaped);
	g_autoptr(GPtrArray) pairs = exm_keyval_split(text);

	ck_assert_uint_eq(pairs->len, 3);
	ck_assert_str_eq(exm_keyval_get(pairs, "key"), values[_i]);
}
END_TEST

START_TEST(escape_doubles_commas_only)
{
	assert_text_and_free(exm_keyval_escape("a,b=c d"), "a,,b=c d");
}
END_TEST

START_TEST(pair_free_takes_null_and_half_built)
{
	exm_pair_free(NULL);
	exm_pair_free(g_new0(ExmPair, 1));
}
END_TEST

/** keyval_suite() - Tests of lib/base/keyval.c */
Suite *keyval_suite(void)
{
	Suite *suite = suite_create("keyval");
	TCase *tests = tcase_create("keyval");

	tcase_add_loop_test(tests, split_cuts_at_single_commas, 0, G_N_ELEMENTS(lists));
	tcase_add_test(tests, part_without_key_has_null);
	tcase_add_test(tests, get_finds_last_value);
	tcase_add_test(tests, get_of_missing_key_is_null);
	tcase_add_loop_test(tests, split_undoes_escape, 0, G_N_ELEMENTS(values));
	tcase_add_test(tests, escape_doubles_commas_only);
	tcase_add_test(tests, pair_free_takes_null_and_half_built);
	suite_add_tcase(suite, tests);
	return suite;
}
