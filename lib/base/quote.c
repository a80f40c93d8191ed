/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quote.c - Words and command lines that a POSIX shell reads back unchanged */

#include "base/quote.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define PLAIN_LETTERS                \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789_@%+=:,./-"

static void append_quoted(GString *line, const char *word)
{
	if (*word != '\0' && word[strspn(word, PLAIN_LETTERS)] == '\0') {
		g_string_append(line, word);
		return;
	}
	g_string_append_c(line, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			g_string_append(line, "'\\''");
		else
			g_string_append_c(line, *word);
	}
	g_string_append_c(line, '\'');
}

/**
 * exm_quote_word() - Quote one word for a POSIX shell, where it needs it
 * @word: the word
 *
 * Return: (transfer full): the text that a shell reads as @word
 */
char *exm_quote_word(const char *word)
{
	GString *line = g_string_new(NULL);

	append_quoted(line, word);
	return g_string_free(line, FALSE);
}

/**
 * exm_quote_printable() - Make a text one line that does nothing to a terminal
 * @text: any bytes
 *
 * Return: (transfer full): @text, with \xNN for each byte of a control character, of UTF-8 or of
 * ISO 8859; a name in the latter stays
 */
char *exm_quote_printable(const char *text)
{
	GString *line = g_string_new(NULL);

	while (*text) {
		const gunichar character = g_utf8_get_char_validated(text, -1);
		const bool valid = character < (gunichar)-2;
		const char *next = text + (valid ? g_utf8_skip[(guchar)*text] : 1);

		if (valid ? !g_unichar_iscntrl(character) : (guchar)*text >= 0xa0)
			g_string_append_len(line, text, next - text);
		else
			for (; text < next; text++)
				g_string_append_printf(line, "\\x%02x", (unsigned char)*text);
		text = next;
	}
	return g_string_free(line, FALSE);
}

/**
 * exm_quote_argv() - Write a command line for a POSIX shell
 * @argv: its words, closed by NULL
 *
 * Return: (transfer full): the quoted words, one space between two of them
 */
char *exm_quote_argv(const char *const *argv)
{
	GString *line = g_string_new(NULL);

	for (size_t i = 0; argv[i] != NULL; i++) {
		if (i > 0)
			g_string_append_c(line, ' ');
		append_quoted(line, argv[i]);
	}
	return g_string_free(line, FALSE);
}
