/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_record.c - lib/base/record.c */

#include "base/record.h"

#include "facts.h"
#include "suite.h"

typedef struct {
	char *name;
} Part;

typedef enum { RED, GREEN } Colour;

/* A struct with a member of each type. */
typedef struct {
	uint64_t number;
	bool flag;
	char *text;
	Colour colour;
	char **words;
	ExmJson *json;
	GPtrArray *parts;
} Whole;

static const char *const colour_names[] = { "red", "green" };
static const ExmEnumTable colours = { "colour", colour_names, G_N_ELEMENTS(colour_names) };

static const ExmField part_fields[] = { EXM_FIELD(Part, "name", STRING, name, true) };
static const ExmLayout part_layout = { "part", sizeof(Part), part_fields, G_N_ELEMENTS(part_fields) };

static const ExmField fields[] = {
	EXM_FIELD(Whole, "number", UINT, number, true),
	EXM_FIELD(Whole, "flag", BOOL, flag, false),
	EXM_FIELD(Whole, "text", STRING, text, false),
	{ .name = "colour",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(Whole, colour),
	  .names = &colours },
	EXM_FIELD(Whole, "words", STRV, words, false),
	EXM_FIELD(Whole, "json", JSON, json, false),
	{ .name = "parts",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(Whole, parts),
	  .items = &part_layout },
};
static const ExmLayout layout = { "whole", sizeof(Whole), fields, G_N_ELEMENTS(fields) };

static void whole_free(Whole *whole)
{
	exm_record_free(&layout, whole);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Whole, whole_free)

static Whole *read_whole(const char *text, GError **error)
{
	g_autoptr(ExmJson) json = facts_json(text);

	return exm_record_from_json(&layout, json, error);
}

static char *print(const Whole *whole)
{
	g_autoptr(ExmJson) json = exm_record_to_json(&layout, whole);

	return exm_json_print(json, false);
}

#define ALL                                                                                   \
	"{\"number\":18446744073709551615,\"flag\":true,\"text\":\"t\",\"colour\":\"green\"," \
	"\"words\":[\"a\",\"\"],\"json\":[1,{\"b\":null}],"                                   \
	"\"parts\":[{\"name\":\"p\"},{\"name\":\"q\"}]}"

START_TEST(there_and_back)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Whole) whole = read_whole(ALL, &error);

	assert_no_error(error);
	ck_assert_uint_eq(whole->number, UINT64_MAX);
	ck_assert(whole->flag);
	ck_assert_str_eq(whole->text, "t");
	ck_assert_int_eq(whole->colour, GREEN);
	ck_assert_uint_eq(g_strv_length(whole->words), 2);
	ck_assert_str_eq(whole->words[0], "a");
	ck_assert_uint_eq(json_object_array_length(whole->json), 2);
	ck_assert_uint_eq(whole->parts->len, 2);
	ck_assert_str_eq(((const Part *)whole->parts->pdata[1])->name, "q");
	assert_text_and_free(print(whole), ALL);
}
END_TEST

/* What is absent, or null, is zero; a list is empty and not NULL. */
static const struct {
	const char *text;
	const char *printed;
} sparse[] = {
	{ "{'number': 1}", "{\"number\":1,\"flag\":false,\"colour\":\"red\",\"parts\":[]}" },
	{ "{'number': 1, 'flag': null, 'text': null, 'colour': null, 'words': null, 'json': null,"
	  " 'parts': null}",
	  "{\"number\":1,\"flag\":false,\"colour\":\"red\",\"parts\":[]}" },
	{ "{'number': 0, 'text': '', 'words': [], 'json': {}, 'parts': []}",
	  "{\"number\":0,\"flag\":false,\"text\":\"\",\"colour\":\"red\",\"words\":[],\"json\":{},"
	  "\"parts\":[]}" },
};

START_TEST(absent_is_zero)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Whole) whole = read_whole(sparse[_i].text, &error);

	assert_no_error(error);
	ck_assert_ptr_nonnull(whole->parts);
	assert_text_and_free(print(whole), sparse[_i].printed);
}
END_TEST

START_TEST(a_new_one_is_empty)
{
	g_autoptr(Whole) whole = exm_record_new(&layout);

	assert_text_and_free(print(whole),
	                     "{\"number\":0,\"flag\":false,\"colour\":\"red\",\"parts\":[]}");
	exm_record_free(&layout, NULL);
}
END_TEST

static const struct {
	const char *text;
	ExmErrorCode code;
	const char *message;
} bad[] = {
	{ "[]", EXM_ERROR_SYSTEM, "whole is not an object" },
	{ "{}", EXM_ERROR_SYSTEM, "whole: 'number' is missing or of another type" },
	{ "{'number': null}", EXM_ERROR_SYSTEM, "whole: 'number' is missing or of another type" },
	{ "{'number': -1}", EXM_ERROR_SYSTEM, "whole: 'number' is missing or of another type" },
	{ "{'number': 1.5}", EXM_ERROR_SYSTEM, "whole: 'number' is missing or of another type" },
	{ "{'number': '1'}", EXM_ERROR_SYSTEM, "whole: 'number' is missing or of another type" },
	{ "{'number': 1, 'flag': 1}", EXM_ERROR_SYSTEM,
	  "whole: 'flag' is missing or of another type" },
	{ "{'number': 1, 'text': []}", EXM_ERROR_SYSTEM,
	  "whole: 'text' is missing or of another type" },
	{ "{'number': 1, 'colour': 0}", EXM_ERROR_SYSTEM,
	  "whole: 'colour' is missing or of another type" },
	{ "{'number': 1, 'colour': 'grene'}", EXM_ERROR_USAGE,
	  "'grene' is not a colour (did you mean 'green'?)" },
	{ "{'number': 1, 'words': 'a'}", EXM_ERROR_SYSTEM,
	  "whole: 'words' is missing or of another type" },
	{ "{'number': 1, 'words': ['a', 1]}", EXM_ERROR_SYSTEM,
	  "'words' holds something that is no string" },
	{ "{'number': 1, 'json': 'a'}", EXM_ERROR_SYSTEM,
	  "whole: 'json' is missing or of another type" },
	{ "{'number': 1, 'parts': {}}", EXM_ERROR_SYSTEM,
	  "whole: 'parts' is missing or of another type" },
	{ "{'number': 1, 'parts': [{'name': 'p'}, null]}", EXM_ERROR_SYSTEM, "part is not an object" },
	{ "{'number': 1, 'parts': [{'name': 'p'}, {}]}", EXM_ERROR_SYSTEM,
	  "part: 'name' is missing or of another type" },
	{ "{'number': 1, 'parts': [{'name': 'p', 'nmae': 'q'}]}", EXM_ERROR_SYSTEM,
	  "part: 'nmae' is not known" },
	{ "{'number': 1, 'numbr': 2}", EXM_ERROR_SYSTEM, "whole: 'numbr' is not known" },
};

START_TEST(refuses_bad)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(read_whole(bad[_i].text, &error));
	assert_error(error, bad[_i].code, bad[_i].message);
	ck_assert_str_eq(error->message, bad[_i].message);
}
END_TEST

Suite *record_suite(void)
{
	Suite *suite = suite_create("record");
	TCase *tcase = tcase_create("record");

	tcase_add_test(tcase, there_and_back);
	tcase_add_loop_test(tcase, absent_is_zero, 0, G_N_ELEMENTS(sparse));
	tcase_add_test(tcase, a_new_one_is_empty);
	tcase_add_loop_test(tcase, refuses_bad, 0, G_N_ELEMENTS(bad));
	suite_add_tcase(suite, tcase);
	return suite;
}
