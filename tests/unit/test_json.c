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
	"{\"\xc3\xa4\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xaf\"}",
	"[[],{}]",
	"-9223372036854775808",
	"[1.50,1e5]",
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
	{ "{\"a\":1,\"a\":1}", "not JSON at byte 13: an object has a member twice" },
	{ "[{\"b:\\\":\":{\"\\u0061\":1,\"a\":2}}]", "an object has a member twice" },
	{ "{}{}", "not JSON at byte 2: " },
	{ "[1]]", "not JSON at byte 3: " },
	{ "null", "a bare null says nothing" },
	{ "[NaN]", "not JSON at byte 1: " },
	{ "[-Infinity]", "not JSON at byte 2: " },
	{ "{'a':1}", "not JSON at byte 1: " },
	{ "[\"a\nb\"]", "not JSON at byte 3: control character in a string" },
	{ "{\"a\tb\":1}", "not JSON at byte 3: control character in a string" },
	{ "[18446744073709551616]", "not JSON at byte 1: number out of range" },
	{ "[2,-9223372036854775809]", "not JSON at byte 3: number out of range" },
	{ "[\"\xff\"]", "not JSON at byte 2: not UTF-8" },
	{ "{\"\xff\":1}", "not JSON at byte 2: not UTF-8" },
	{ "[\"\xed\xa0\x80\"]", "not JSON at byte 2: not UTF-8" },
	{ "[\"\xc0\x80\"]", "not JSON at byte 2: not UTF-8" },
	{ "[\"\\ud800\"]", "not JSON at byte 2: half of a surrogate pair" },
	{ "[\"\\udc00\"]", "not JSON at byte 2: half of a surrogate pair" },
	{ "[\"\\ud800\\ud800\"]", "not JSON at byte 2: half of a surrogate pair" },
	{ "{\"a\\udfff\":1}", "not JSON at byte 3: half of a surrogate pair" },
	{ "[\"\\u0000\"]", "not JSON at byte 2: NUL in a string" },
	{ "[\"\\u12\"]", "not JSON at byte " },
	{ "[\"\\x\"]", "not JSON at byte 2: unknown escape" },
	{ "[\"\\\xc3\xa9\"]", "not JSON at byte 2: unknown escape" },
	{ "[\"\\", "unexpected end of data" },
	{ "[\xc3\xa9]", "not JSON at byte 1: " },
	/* The offset is the text's, in which the letters before it are shorter than escapes. */
	{ "[\"\xc3\xa9\xf0\x9f\x90\xaf\",]", "not JSON at byte 10: " },
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

START_TEST(parse_reads_escapes)
{
	g_autoptr(ExmJson) json = parse("{\"s\":\"\\u00e9\\uD83D\\udc2f\\\\u0000\\/\\n\"}");

	ck_assert_str_eq(exm_json_get_string(json, "s"), "\xc3\xa9\xf0\x9f\x90\xaf\\u0000/\n");
}
END_TEST

START_TEST(print_pretty_is_for_people)
{
	g_autoptr(ExmJson)
		json = parse("{\"a\":[1],\"b\":\"/x\",\"c\":[],\"d\":{},\"e\":[null,\"\"]}");

	assert_text_and_free(exm_json_print(json, true),
	                     "{\n  \"a\": [\n    1\n  ],\n  \"b\": \"/x\",\n  \"c\": [],\n"
	                     "  \"d\": {},\n  \"e\": [\n    null,\n    \"\"\n  ]\n}");
	assert_text_and_free(exm_json_print(NULL, false), "null");
}
END_TEST

/* All bytes that are not UTF-8, and how they are written. */
static const struct {
	const char *text;
	const char *json;
} not_utf8[] = {
	{ "caf\xe9", "{\"bytes\":\"Y2Fm6Q==\"}" },
	{ "\xff", "{\"bytes\":\"/w==\"}" },
	{ "\xed\xa0\x80", "{\"bytes\":\"7aCA\"}" },
	{ "\xc0\x80", "{\"bytes\":\"wIA=\"}" },
	{ "\xf4\x90\x80\x80", "{\"bytes\":\"9JCAgA==\"}" },
	{ "\xc3\xa9\n\xc3", "{\"bytes\":\"w6kKww==\"}" },
};

START_TEST(bytes_come_back)
{
	const char *const values[] = { "caf\xc3\xa9", not_utf8[_i].text, NULL };
	g_autofree char *wanted = g_strdup_printf("{\"s\":%s,\"v\":[\"caf\xc3\xa9\",%s]}",
	                                          not_utf8[_i].json, not_utf8[_i].json);
	g_autoptr(ExmJson) json = parse("{}");
	g_autoptr(ExmJson) again = NULL;
	g_auto(GStrv) strv = NULL;

	exm_json_set_string(json, "s", not_utf8[_i].text);
	exm_json_set_strv(json, "v", values);
	ck_assert_str_eq(exm_json_get_string(json, "s"), not_utf8[_i].text);
	assert_text_and_free(exm_json_print(json, false), wanted);
	again = parse(wanted);
	ck_assert_str_eq(exm_json_get_string(again, "s"), not_utf8[_i].text);
	strv = exm_json_get_strv(again, "v");
	ck_assert_ptr_nonnull(strv);
	ck_assert(g_strv_equal(values, (const char *const *)strv));
	assert_text_and_free(exm_json_print(again, false), wanted);
}
END_TEST

START_TEST(bytes_stand_on_a_line_of_their_own)
{
	g_autoptr(ExmJson) json = parse("{\"a\":[\"x\"]}");

	exm_json_set_string(json, "s", "\xff");
	assert_text_and_free(exm_json_print(json, true),
	                     "{\n  \"a\": [\n    \"x\"\n  ],\n  \"s\": {\"bytes\": \"/w==\"}\n}");
	/* A value that is set anew is printed as what it is now. */
	exm_json_set_string(json, "s", "x");
	assert_text_and_free(exm_json_print(json, false), "{\"a\":[\"x\"],\"s\":\"x\"}");
}
END_TEST

/* What another program may write, and what that is. */
static const struct {
	const char *text;
	const char *same;
} bytes_of_others[] = {
	{ "{\"a\":{\"bytes\":\"YQ==\"}}", "{\"a\":\"a\"}" },
	{ "{\"a\":{\"bytes\":\"\"}}", "{\"a\":\"\"}" },
	{ "[[{\"bytes\":\"\\u0059Q==\"}]]", "[[\"a\"]]" },
	{ "[{\"bytes\":1},{\"bytes\":null}]", "[{\"bytes\":1},{\"bytes\":null}]" },
	{ "[{\"bytes\":\"YQ==\",\"a\":1}]", "[{\"bytes\":\"YQ==\",\"a\":1}]" },
	{ "[{\"bytes\":{\"bytes\":\"WVE9PQ==\"}}]", "[\"a\"]" },
	{ "{\"bytes\":\"YQ==\"}", "{\"bytes\":\"YQ==\"}" },
};

START_TEST(bytes_of_others_are_read)
{
	g_autoptr(ExmJson) json = parse(bytes_of_others[_i].text);

	assert_text_and_free(exm_json_print(json, false), bytes_of_others[_i].same);
}
END_TEST

static const char *const bad_bytes[] = {
	"not base64!", "YQ", "YQ=", "YR==", "YQ==YQ==", " YQ==", "AA==", "YQBi", "\xc3\xa9",
};

START_TEST(parse_refuses_bad_bytes)
{
	g_autofree char *text = g_strdup_printf("{\"a\":[{\"bytes\":\"%s\"}]}", bad_bytes[_i]);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) plain = NULL;

	ck_assert_ptr_null(exm_json_parse(text, strlen(text), &error));
	assert_error(error, EXM_ERROR_SYSTEM, bad_bytes[_i]);
	assert_error(error, EXM_ERROR_SYSTEM, "is not the base64 of bytes without NUL");
	plain = exm_json_parse_plain(text, strlen(text), NULL);
	assert_text_and_free(exm_json_print(plain, false), text);
}
END_TEST

START_TEST(plain_json_has_no_bytes)
{
	static const char text[] = "{\"a\":{\"bytes\":\"/w==\"},\"b\":\"caf\xc3\xa9\"}";
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) json = exm_json_parse_plain(text, strlen(text), &error);
	g_autofree char *printed = exm_json_print_plain(json, &error);

	assert_no_error(error);
	ck_assert_str_eq(printed, text);
	exm_json_set_string(json, "c", "/caf\xe9");
	ck_assert_ptr_null(exm_json_print_plain(json, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "'/caf\xe9' is not UTF-8");
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
	tcase_add_test(tests, parse_reads_escapes);
	tcase_add_test(tests, print_pretty_is_for_people);
	tcase_add_loop_test(tests, bytes_come_back, 0, G_N_ELEMENTS(not_utf8));
	tcase_add_test(tests, bytes_stand_on_a_line_of_their_own);
	tcase_add_loop_test(tests, bytes_of_others_are_read, 0, G_N_ELEMENTS(bytes_of_others));
	tcase_add_loop_test(tests, parse_refuses_bad_bytes, 0, G_N_ELEMENTS(bad_bytes));
	tcase_add_test(tests, plain_json_has_no_bytes);
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
