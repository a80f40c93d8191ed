/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_qemu_line.c - The words of a QEMU command line that is read are the words that were given */

#include "plan/qemu_line.h"

#include <string.h>

#include "fuzz.h"

static void check_word(const ExmQemuWord *word)
{
	if (!word->option) {
		g_assert_null(word->word);
		g_assert_cmpint(word->value[0], !=, '-');
		g_assert_false(exm_qemu_word_is(word, "machine"));
		return;
	}
	g_assert_true(exm_qemu_option_find(word->word) == word->option);
	g_assert_true((word->value != NULL) == word->option->takes_argument);
	g_assert_true(exm_qemu_word_is(word, exm_qemu_option_canonical(word->option)));
}

static void check_line(const ExmQemuLine *line, char **words)
{
	g_autoptr(GPtrArray) written = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < line->words->len; i++) {
		check_word(line->words->pdata[i]);
		exm_qemu_word_append(line->words->pdata[i], written);
	}
	g_ptr_array_add(written, NULL);
	g_assert_cmpuint(written->len, ==, g_strv_length(words) + 1);
	for (guint i = 0; i + 1 < written->len; i++)
		g_assert_cmpstr(written->pdata[i], ==, words[i]);
}

/**
 * LLVMFuzzerTestOneInput() - Read a QEMU command line
 * @data: its words, one a line
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, size);
	g_auto(GStrv) words = g_strsplit(text, "\n", -1);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmQemuLine) line = exm_qemu_line_parse((const char *const *)words, &error);

	if (line)
		check_line(line, words);
	else
		assert_rejected(error);
	g_assert_true((line == NULL) == (error != NULL));
	return 0;
}
