/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_line.c - A QEMU command line, read as QEMU reads it */

#include "plan/qemu_line.h"

#include <string.h>

#include "base/error.h"

static void word_free(gpointer data)
{
	ExmQemuWord *word = data;

	g_free(word->word);
	g_free(word->value);
	g_free(word);
}

/**
 * exm_qemu_line_free() - Free a command line
 * @line: may be NULL
 */
void exm_qemu_line_free(ExmQemuLine *line)
{
	if (!line)
		return;
	g_ptr_array_unref(line->words);
	g_free(line);
}

static bool throw_unknown(GError **error, const char *word)
{
	const char *nearest = exm_qemu_option_nearest(word);

	if (nearest)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not an option of QEMU (did you mean '-%s'?)", word,
		                 nearest);
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not an option of QEMU", word);
}

/* Reads the word at *argv and moves *argv to the last word it took. */
static ExmQemuWord *read_word(const char *const **argv, GError **error)
{
	g_autofree ExmQemuWord *word = g_new0(ExmQemuWord, 1);
	const char *text = **argv;

	if (text[0] != '-') {
		word->value = g_strdup(text);
		return g_steal_pointer(&word);
	}
	word->option = exm_qemu_option_find(text);
	if (!word->option) {
		throw_unknown(error, text);
		return NULL;
	}
	if (word->option->takes_argument) {
		if (!(*argv)[1]) {
			exm_throw(error, EXM_ERROR_USAGE, "'%s' needs an argument", text);
			return NULL;
		}
		word->value = g_strdup(*++*argv);
	}
	word->word = g_strdup(text);
	return g_steal_pointer(&word);
}

/**
 * exm_qemu_line_parse() - Read the words that a user would give to QEMU
 * @argv:  NULL-terminated, without the program's name
 * @error: USAGE for a word that is no option, or an option without its argument
 *
 * The rules are QEMU's (system/vl.c, qemu_init(): a word that begins with a dash is an option and
 * takes the next word whole where its table says so; any other word is a disk image).
 *
 * Return: the command line (transfer full), or NULL.
 */
ExmQemuLine *exm_qemu_line_parse(const char *const *argv, GError **error)
{
	g_autoptr(ExmQemuLine) line = g_new0(ExmQemuLine, 1);

	line->words = g_ptr_array_new_with_free_func(word_free);
	for (; *argv; argv++) {
		ExmQemuWord *word = read_word(&argv, error);

		if (!word)
			return NULL;
		g_ptr_array_add(line->words, word);
	}
	return g_steal_pointer(&line);
}

/**
 * exm_qemu_word_is() - Whether a word is a certain option
 * @word: a word of a command line
 * @name: canonical name without dashes: "machine" also finds -M
 */
bool exm_qemu_word_is(const ExmQemuWord *word, const char *name)
{
	return word->option && strcmp(exm_qemu_option_canonical(word->option), name) == 0;
}

/**
 * exm_qemu_word_text() - An option and its argument as one text
 * @word: the option
 *
 * Return: "-m 64" (transfer full), for messages.
 */
char *exm_qemu_word_text(const ExmQemuWord *word)
{
	return g_strjoin(" ", word->word ? word->word : word->value,
	                 word->word ? word->value : NULL, NULL);
}

/**
 * exm_qemu_word_append() - Write a word back as it was
 * @word: a word of a command line
 * @argv: of char *, grows by one or two strings
 */
void exm_qemu_word_append(const ExmQemuWord *word, GPtrArray *argv)
{
	if (word->word)
		g_ptr_array_add(argv, g_strdup(word->word));
	if (word->value)
		g_ptr_array_add(argv, g_strdup(word->value));
}
