/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_json.c - lib/base/json.c */

#include "base/json.h"

#include "suite.h"

static ExmJson *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	ExmJson *json = exm_json_parse(text, strlen(text), &error);

	assert_no_error(error);
	ck_assert_ptr_nonnull(json);
	return json;
}

static const char *const round_trips[] = {
	"{}",
	"[]",
	"\"text\"",
	"17",
	"true",
	"{\"a\":[1,-2,{\"b\":null}],\"path\":\"/mem/a,b\"}",
	"18446744073709551615",
	"[\"\\n\\\"\\\\\"]",
	"{\"\xc3\xa4\":\"\xff\"}",
};

START_TEST(print_undoes_parse)
{
	g_autoptr(ExmJson) json = parse(round_trips[_i]);

	assert_text_and_free(exm_json_print(json, false), round_trips[_i]);
}
END_TEST

START_TEST(parse_takes_white_space_behind)
{
	g_autoptr(ExmJson) object = parse("{\"a\": 1}\r\n \t");
	g_autoptr(ExmJson) number = parse("12 \n");

	assert_text_and_free(exm_json_print(object, false), "{\"a\":1}");
	assert_text_and_free(exm_json_print(number, false), "12");
}
END_TEST

START_TEST(parse_reads_no_further_than_length)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) json = exm_json_parse("[1]junk", 3, &error);

	assert_no_error(error);
	assert_text_and_free(exm_json_print(json, false), "[1]");
}
END_TEST

static const struct {
	const char *text;
	const char *part;
} bad[] = {
	{ "", "not JSON at byte 0: unexpected end of data" },
	{ " ", "unexpected end of data" },
	{ "{\"a\":", "not JSON at byte 5: unexpected end of data" },
	{ "\"text", "unexpected end of data" },
	{ "[1", "unexpected end of data" },
	{ "{a:1}", "not JSON at byte 1: " },
	{ "['a']", "not JSON at byte 1: " },
	{ "[1,]", "not JSON at byte 3: " },
	{ "{\"a\":1,}", "not JSON at byte 7: " },
	{ "[1] // text", "not JSON at byte 4: " },
	{ "tru", "not JSON at byte " },
	{ "{} x", "not JSON at byte 3: " },
	{ "{}{}", "not JSON at byte 2: " },
	{ "[1]]", "not JSON at byte 3: " },
	{ "null", "a bare null says nothing" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	  "not JSON at byte " },
};

START_TEST(parse_refuses_bad)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_json_parse(bad[_i].text, strlen(bad[_i].text), &error));
	assert_error(error, EXM_ERROR_SYSTEM, bad[_i].part);
}
END_TEST

START_TEST(parse_refuses_nul_inside)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_json_parse("[1]\0[2]", 7, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "not JSON at byte 3: ");
}
END_TEST

START_TEST(parse_refuses_more_than_json_c_can_count)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_json_parse("[]", (size_t)1 << 31, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "2147483648 bytes are too many");
}
END_TEST

START_TEST(print_pretty_is_for_people)
{
	g_autoptr(ExmJson) json = parse("{\"a\":[1],\"b\":\"/x\"}");

	assert_text_and_free(exm_json_print(json, true),
	                     "{\n  \"a\": [\n    1\n  ],\n  \"b\": \"/x\"\n}");
	assert_text_and_free(exm_json_print(NULL, false), "null");
}
END_TEST

START_TEST(getters_read_members)
{
	g_autoptr(ExmJson) json = parse(
		"{\"s\":\"text\",\"n\":18446744073709551615,\"b\":true,\"o\":{\"s\":\"in\"}}");

	ck_assert_str_eq(exm_json_get_string(json, "s"), "text");
	ck_assert_uint_eq(exm_json_get_uint(json, "n"), UINT64_MAX);
	ck_assert(exm_json_get_bool(json, "b"));
	ck_assert_str_eq(exm_json_get_string(exm_json_member(json, "o"), "s"), "in");
}
END_TEST

/* What a getter does not want, in every type there is. */
static const char *const members[] = {
	"missing", "null", "false", "number", "negative", "fraction", "text", "array", "object",
};

START_TEST(getters_of_other_types_give_nothing)
{
	g_autoptr(ExmJson) json = parse("{\"null\":null,\"false\":false,\"number\":7,\"negative\":-1,"
	                                "\"fraction\":1.5,\"text\":\"7\",\"array\":[1],"
	                                "\"object\":{\"a\":1}}");
	const char *name = members[_i];

	if (strcmp(name, "text") != 0)
		ck_assert_ptr_null(exm_json_get_string(json, name));
	if (strcmp(name, "number") != 0)
		ck_assert_uint_eq(exm_json_get_uint(json, name), 0);
	ck_assert(!exm_json_get_bool(json, name));
	ck_assert_ptr_null(exm_json_get_strv(json, name));
	/* Nor does a value that is no object have members. */
	ck_assert_ptr_null(exm_json_member(exm_json_member(json, name), "b"));
}
END_TEST

START_TEST(setters_set_and_replace)
{
	g_autoptr(ExmJson) json = parse("{\"s\":1}");

	exm_json_set_string(json, "s", "/a \"b\"");
	exm_json_set_uint(json, "n", UINT64_MAX);
	exm_json_set_bool(json, "t", true);
	exm_json_set_bool(json, "f", false);
	assert_text_and_free(
		exm_json_print(json, false),
		"{\"s\":\"/a \\\"b\\\"\",\"n\":18446744073709551615,\"t\":true,\"f\":false}");
	exm_json_set_string(json, "s", NULL);
	exm_json_set_string(json, "never", NULL);
	ck_assert(!json_object_object_get_ex(json, "s", NULL));
	ck_assert(!json_object_object_get_ex(json, "never", NULL));
}
END_TEST

START_TEST(strv_comes_back)
{
	const char *const values[] = { "-m", "", "a,b c", NULL };
	g_autoptr(ExmJson) json = parse("{}");
	g_auto(GStrv) again = NULL;

	exm_json_set_strv(json, "argv", values);
	again = exm_json_get_strv(json, "argv");
	ck_assert_ptr_nonnull(again);
	ck_assert(g_strv_equal(values, (const char *const *)again));
}
END_TEST

START_TEST(strv_of_null_is_empty)
{
	g_autoptr(ExmJson) json = parse("{}");
	g_auto(GStrv) again = NULL;

	exm_json_set_strv(json, "argv", NULL);
	assert_text_and_free(exm_json_print(json, false), "{\"argv\":[]}");
	again = exm_json_get_strv(json, "argv");
	ck_assert_ptr_nonnull(again);
	ck_assert_ptr_null(again[0]);
}
END_TEST

START_TEST(strv_with_a_number_is_null)
{
	g_autoptr(ExmJson) json = parse("{\"argv\":[\"a\",1]}");

	ck_assert_ptr_null(exm_json_get_strv(json, "argv"));
}
END_TEST

START_TEST(put_takes_null)
{
	ExmJson *json = parse("[]");

	exm_json_put(NULL);
	json_object_get(json);
	exm_json_put(json);
	assert_text_and_free(exm_json_print(json, false), "[]");
	exm_json_put(json);
}
END_TEST

/** json_suite() - Tests of lib/base/json.c */
Suite *json_suite(void)
{
	Suite *suite = suite_create("json");
	TCase *tests = tcase_create("json");

	tcase_add_loop_test(tests, print_undoes_parse, 0, G_N_ELEMENTS(round_trips));
	tcase_add_test(tests, parse_takes_white_space_behind);
	tcase_add_test(tests, parse_reads_no_further_than_length);
	tcase_add_loop_test(tests, parse_refuses_bad, 0, G_N_ELEMENTS(bad));
	tcase_add_test(tests, parse_refuses_nul_inside);
	tcase_add_test(tests, parse_refuses_more_than_json_c_can_count);
	tcase_add_test(tests, print_pretty_is_for_people);
	tcase_add_test(tests, getters_read_members);
	tcase_add_loop_test(tests, getters_of_other_types_give_nothing, 0, G_N_ELEMENTS(members));
	tcase_add_test(tests, setters_set_and_replace);
	tcase_add_test(tests, strv_comes_back);
	tcase_add_test(tests, strv_of_null_is_empty);
	tcase_add_test(tests, strv_with_a_number_is_null);
	tcase_add_test(tests, put_takes_null);
	suite_add_tcase(suite, tests);
	return suite;
}
