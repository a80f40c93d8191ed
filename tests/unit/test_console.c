/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_console.c - lib/plan/console.c */

#include "plan/console.h"

#include "suite.h"

START_TEST(keys)
{
	static const struct {
		const char *text;
		char key;
		const char *name;
	} cases[] = {
		{ "^]", 0x1d, "Ctrl-]" },   { "^A", 0x01, "Ctrl-A" }, { "^z", 0x1a, "Ctrl-Z" },
		{ "^@", 0x00, "Ctrl-@" },   { "^_", 0x1f, "Ctrl-_" }, { "^^", 0x1e, "Ctrl-^" },
		{ "^\\", 0x1c, "Ctrl-\\" }, { "^[", 0x1b, "Ctrl-[" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		char key = 'x';

		ck_assert(exm_detach_key_parse(cases[i].text, &key, &error));
		assert_no_error(error);
		ck_assert_int_eq(key, cases[i].key);
		assert_text_and_free(exm_detach_key_name(key), cases[i].name);
	}
}
END_TEST

START_TEST(no_keys)
{
	static const char *const cases[] = { "", "^", "]", "^]]", "^1", "^?", "^ ", "Ctrl-]", "A^" };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *quoted = g_strdup_printf("'%s' is not a key", cases[i]);
		char key = 'x';

		ck_assert(!exm_detach_key_parse(cases[i], &key, &error));
		assert_error(error, EXM_ERROR_USAGE, quoted);
		ck_assert_int_eq(key, 'x');
	}
}
END_TEST

static char *scrollback(const char *log, bool whole)
{
	return g_string_free(exm_console_scrollback(log, strlen(log), whole), FALSE);
}

START_TEST(text_stays)
{
	assert_text_and_free(scrollback("", true), "");
	assert_text_and_free(scrollback("a\tb\r\nc\bd\n", true), "a\tb\r\nc\bd\n");
	assert_text_and_free(scrollback("gr\xc3\xbc\xc3\x9f"
	                                "e",
	                                true),
	                     "gr\xc3\xbc\xc3\x9f"
	                     "e");
	assert_text_and_free(scrollback("\033[1;31mred\033[m", true), "\033[1;31mred\033[m");
}
END_TEST

START_TEST(what_a_terminal_obeys_goes)
{
	/* Where is the cursor? What are you? */
	assert_text_and_free(scrollback("linux# \033[6n", true), "linux# ");
	assert_text_and_free(scrollback("a\033[cb\033[>0cc\033Zd", true), "abcd");
	/* Reset, no wrapping, clear: SeaBIOS. */
	assert_text_and_free(scrollback("\033c\033[?7l\033[2J\033[0mSeaBIOS", true),
	                     "\033[0mSeaBIOS");
	/* A title, a colour asked for, a character set. */
	assert_text_and_free(scrollback("a\033]0;title\007b", true), "ab");
	assert_text_and_free(scrollback("a\033]11;?\033\\b", true), "ab");
	assert_text_and_free(scrollback("a\033Pq text\033\\b", true), "ab");
	assert_text_and_free(scrollback("a\033(Bb", true), "ab");
	assert_text_and_free(scrollback("a\007\016\021\177b", true), "a\177b");
}
END_TEST

START_TEST(broken_sequences)
{
	assert_text_and_free(scrollback("a\033", true), "a");
	assert_text_and_free(scrollback("a\033[12", true), "a");
	assert_text_and_free(scrollback("a\033[1\033[31mb", true), "a\033[31mb");
	/* One without its end loses a line at most. */
	assert_text_and_free(scrollback("a\033]0;title\nb\n", true), "a\nb\n");
	assert_text_and_free(scrollback("a\033[1\nb", true), "a\nb");
}
END_TEST

START_TEST(zero_bytes)
{
	static const char log[] = "a\0b\033\0c\033]\0d\n\033[\0me";
	g_autoptr(GString) text = exm_console_scrollback(log, sizeof(log) - 1, true);

	ck_assert_str_eq(text->str, "abc\n\033[\0me");
}
END_TEST

START_TEST(begins_with_a_line)
{
	assert_text_and_free(scrollback("6n of a line\nnext\n", false), "next\n");
	assert_text_and_free(scrollback("no line at all", false), "no line at all");
	assert_text_and_free(scrollback("first\nnext\n", true), "first\nnext\n");
}
END_TEST

Suite *console_suite(void)
{
	Suite *suite = suite_create("console");
	TCase *tcase = tcase_create("console");

	tcase_add_test(tcase, keys);
	tcase_add_test(tcase, no_keys);
	tcase_add_test(tcase, text_stays);
	tcase_add_test(tcase, what_a_terminal_obeys_goes);
	tcase_add_test(tcase, broken_sequences);
	tcase_add_test(tcase, zero_bytes);
	tcase_add_test(tcase, begins_with_a_line);
	suite_add_tcase(suite, tcase);
	return suite;
}
