/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_quote.c - lib/base/quote.c */

#include "base/quote.h"

#include "suite.h"

static const struct {
	const char *word;
	const char *quoted;
} words[] = {
	{ "", "''" },
	{ "plain", "plain" },
	{ "/mem/qemu_back_mem.0+200000000.pc.ram", "/mem/qemu_back_mem.0+200000000.pc.ram" },
	{ "id=m0,size=8G,x:y@z%1-_", "id=m0,size=8G,x:y@z%1-_" },
	{ "a b", "'a b'" },
	{ "$HOME", "'$HOME'" },
	{ "it's", "'it'\\''s'" },
	{ "'", "''\\'''" },
	{ "~", "'~'" },
	{ "a\nb", "'a\nb'" },
	{ "{\"a\":1}", "'{\"a\":1}'" },
	{ "\xc3\xa4", "'\xc3\xa4'" },
};

START_TEST(word_is_quoted_where_needed)
{
	assert_text_and_free(exm_quote_word(words[_i].word), words[_i].quoted);
}
END_TEST

/* Every byte but NUL, before and behind the others: GLib's shell parser gives it back. */
START_TEST(shell_reads_back_every_byte)
{
	for (unsigned int byte = 1; byte < 256; byte++) {
		const char word[] = { 'a', (char)byte, (char)byte, 'z', '\0' };
		const char *const argv[] = { word, word + 1, "", word + 2, NULL };
		g_autofree char *line = exm_quote_argv(argv);
		g_auto(GStrv) again = NULL;
		g_autoptr(GError) error = NULL;

		ck_assert(g_shell_parse_argv(line, NULL, &again, &error));
		assert_no_error(error);
		ck_assert(g_strv_equal(argv, (const char *const *)again));
	}
}
END_TEST

static const struct {
	const char *text;
	const char *line;
} texts[] = {
	{ "", "" },
	{ "plain \\ 'text'", "plain \\ 'text'" },
	{ "\xc3\xa4 \xe2\x82\xac", "\xc3\xa4 \xe2\x82\xac" },
	{ "a\tb\nc", "a\\x09b\\x0ac" },
	{ "\x1b[2J\x7f", "\\x1b[2J\\x7f" },
	{ "\xc2\x9bq", "\\xc2\\x9bq" },
	{ "\xe4\xf6.\x9b", "\xe4\xf6.\\x9b" },
	{ "cut \xe2\x82", "cut \xe2\\x82" },
};

START_TEST(nothing_is_done_to_a_terminal)
{
	assert_text_and_free(exm_quote_printable(texts[_i].text), texts[_i].line);
}
END_TEST

START_TEST(argv_is_joined_with_spaces)
{
	const char *const argv[] = { "qemu-system-x86_64", "-name", "my vm", "", "-S", NULL };
	const char *const none[] = { NULL };

	assert_text_and_free(exm_quote_argv(argv), "qemu-system-x86_64 -name 'my vm' '' -S");
	assert_text_and_free(exm_quote_argv(none), "");
}
END_TEST

/** quote_suite() - Tests of lib/base/quote.c */
Suite *quote_suite(void)
{
	Suite *suite = suite_create("quote");
	TCase *tests = tcase_create("quote");

	tcase_add_loop_test(tests, word_is_quoted_where_needed, 0, G_N_ELEMENTS(words));
	tcase_add_loop_test(tests, nothing_is_done_to_a_terminal, 0, G_N_ELEMENTS(texts));
	tcase_add_test(tests, shell_reads_back_every_byte);
	tcase_add_test(tests, argv_is_joined_with_spaces);
	suite_add_tcase(suite, tests);
	return suite;
}
