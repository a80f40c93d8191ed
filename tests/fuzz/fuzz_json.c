/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_json.c - JSON that is read is printed and read again as the same; so are any bytes as text */

#include <string.h>

#include "fuzz.h"

/* Large enough for all that there is to go wrong. */
#define INPUT_MAX 65536

typedef ExmJson *Reader(const char *text, size_t length, GError **error);

static void check_same(ExmJson *json, const char *text, Reader *read)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) again = read(text, strlen(text), &error);

	g_assert_no_error(error);
	g_assert_true(json_object_equal(json, again));
	g_assert_true(g_utf8_validate(text, -1, NULL));
}

static void check_printed(ExmJson *json)
{
	for (int pretty = 0; pretty <= 1; pretty++) {
		g_autofree char *text = exm_json_print(json, pretty);
		g_autofree char *text_again = NULL;

		check_same(json, text, exm_json_parse);
		text_again = json_text_and_put(json_of(text));
		if (!pretty)
			g_assert_cmpstr(text, ==, text_again);
	}
}

/* A string that was read holds neither NUL nor half of a pair, and in plain JSON it is UTF-8. */
static void check_plain(ExmJson *json)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = exm_json_print_plain(json, &error);

	g_assert_no_error(error);
	check_same(json, text, exm_json_parse_plain);
}

/* The input as JSON. */
static void check_text(const char *text, size_t length)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) plain_error = NULL;
	g_autoptr(ExmJson) json = exm_json_parse(text, length, &error);
	g_autoptr(ExmJson) plain = exm_json_parse_plain(text, length, &plain_error);

	/* Only bytes that are none make a difference. */
	g_assert_true(plain || !json);
	if (json)
		check_printed(json);
	else
		assert_rejected(error);
	if (plain)
		check_plain(plain);
	else
		assert_rejected(plain_error);
	g_assert_true(!plain || g_utf8_validate_len(text, length, NULL));
}

/* The input as text, and its lines as a command line. */
static void check_bytes(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(ExmJson) json = json_object_new_object();
	g_autoptr(ExmJson) again = NULL;
	g_auto(GStrv) lines_again = NULL;
	g_autofree char *printed = NULL;
	g_autofree char *plain = NULL;

	exm_json_set_string(json, "text", text);
	exm_json_set_strv(json, "lines", (const char *const *)lines);
	check_printed(json);
	printed = exm_json_print(json, true);
	again = json_of(printed);
	g_assert_cmpstr(exm_json_get_string(again, "text"), ==, text);
	lines_again = exm_json_get_strv(again, "lines");
	g_assert_true(g_strv_equal((const char *const *)lines, (const char *const *)lines_again));
	plain = exm_json_print_plain(json, NULL);
	g_assert_true((plain != NULL) == g_utf8_validate(text, -1, NULL));
}

/**
 * LLVMFuzzerTestOneInput() - Read some bytes as JSON, and write them in it
 * @data: the bytes
 * @size: how many
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, MIN(size, INPUT_MAX));

	if (size > INPUT_MAX)
		return 0;
	check_text((const char *)data, size);
	check_bytes(text);
	return 0;
}
