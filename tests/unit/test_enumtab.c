/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_enumtab.c - lib/base/enumtab.c */

#include "base/enumtab.h"

#include "suite.h"

static const char *const mode_names[] = { "temp", "open", "create" };
static const ExmEnumTable modes = { "mode", mode_names, G_N_ELEMENTS(mode_names) };

START_TEST(parse_undoes_name)
{
	g_autoptr(GError) error = NULL;
	int value = -7;

	ck_assert(exm_enum_parse(&modes, exm_enum_name(&modes, _i), &value, &error));
	assert_no_error(error);
	ck_assert_int_eq(value, _i);
}
END_TEST

START_TEST(name_of_no_value_is_null)
{
	ck_assert_ptr_null(exm_enum_name(&modes, -1));
	ck_assert_ptr_null(exm_enum_name(&modes, 3));
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} bad[] = {
	{ "opne", "'opne' is not a mode (did you mean 'open'?)" },
	{ "cre", "'cre' is not a mode (did you mean 'create'?)" },
	{ "Open", "'Open' is not a mode (did you mean 'open'?)" },
	{ "open ", "'open ' is not a mode (did you mean 'open'?)" },
	{ "shared", "'shared' is not a mode (one of temp, open, create)" },
	{ "", "'' is not a mode (one of temp, open, create)" },
};

START_TEST(parse_refuses_and_suggests)
{
	g_autoptr(GError) error = NULL;
	int value = -7;

	ck_assert(!exm_enum_parse(&modes, bad[_i].text, &value, &error));
	assert_error(error, EXM_ERROR_USAGE, "is not a mode");
	ck_assert_str_eq(error->message, bad[_i].message);
	ck_assert_int_eq(value, -7);
}
END_TEST

static const char *const words[] = { "prealloc", "prefetch", "policy", "discard",
	                             "dump",     "on",       "off" };

static const struct {
	const char *text;
	const char *nearest;
} texts[] = {
	{ "dump", "dump" },
	/* One change, one letter more, one less, two swapped; then two of them. */
	{ "dumb", "dump" },
	{ "dumpp", "dump" },
	{ "dmp", "dump" },
	{ "dupm", "dump" },
	{ "oplicy", "policy" },
	{ "oplciy", "policy" },
	{ "discadr", "discard" },
	{ "diskart", "discard" },
	{ "iscar", "discard" },
	/* Three are too many. */
	{ "diskrat", NULL },
	{ "discardable", NULL },
	{ "scar", NULL },
	/* A letter that moves further than its neighbour is not a swap. */
	{ "olicyp", "policy" },
	{ "licypo", NULL },
	/* A beginning of three letters finds a name at any distance, but only one name. */
	{ "pol", "policy" },
	{ "prea", "prealloc" },
	{ "pre", NULL },
	{ "po", NULL },
	/* A short text is not near by changing all of it. */
	{ "x", NULL },
	{ "xy", NULL },
	{ "no", "on" },
	/* As near to "off", but the first counts. */
	{ "of", "on" },
	{ "", NULL },
};

START_TEST(nearest_finds_what_was_meant)
{
	ck_assert_pstr_eq(exm_nearest(texts[_i].text, words, G_N_ELEMENTS(words)), texts[_i].nearest);
}
END_TEST

START_TEST(nearest_prefers_the_smaller_distance)
{
	static const char *const names[] = { "abcdxx", "abcdx", "abcdy" };

	ck_assert_str_eq(exm_nearest("zbcdx", names, 3), "abcdx");
}
END_TEST

START_TEST(nearest_takes_a_text_of_any_length)
{
	g_autofree char *text = g_strnfill(10000000, 'd');

	ck_assert_ptr_null(exm_nearest(text, words, G_N_ELEMENTS(words)));
	ck_assert_ptr_null(exm_nearest("dump", NULL, 0));
}
END_TEST

/** enumtab_suite() - Tests of lib/base/enumtab.c */
Suite *enumtab_suite(void)
{
	Suite *suite = suite_create("enumtab");
	TCase *tests = tcase_create("enumtab");

	tcase_add_loop_test(tests, parse_undoes_name, 0, G_N_ELEMENTS(mode_names));
	tcase_add_test(tests, name_of_no_value_is_null);
	tcase_add_loop_test(tests, parse_refuses_and_suggests, 0, G_N_ELEMENTS(bad));
	tcase_add_loop_test(tests, nearest_finds_what_was_meant, 0, G_N_ELEMENTS(texts));
	tcase_add_test(tests, nearest_prefers_the_smaller_distance);
	tcase_add_test(tests, nearest_takes_a_text_of_any_length);
	suite_add_tcase(suite, tests);
	return suite;
}
