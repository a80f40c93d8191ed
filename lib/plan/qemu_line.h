/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/qemu_option.h"

/**
 * struct ExmQemuWord - One option of a QEMU command line, or a disk image
 * @option: which option; NULL for a disk image, which stands without one
 * @word:   the option as it was written, or NULL
 * @value:  its argument or the image's path; NULL where it takes none
 */
typedef struct {
	const ExmQemuOption *option;
	char *word;
	char *value;
} ExmQemuWord;

/**
 * struct ExmQemuLine - A QEMU command line, read
 * @words: of ExmQemuWord, in the user's order
 */
typedef struct {
	GPtrArray *words;
} ExmQemuLine;

ExmQemuLine *exm_qemu_line_parse(const char *const *argv, GError **error);
void exm_qemu_line_free(ExmQemuLine *line);
bool exm_qemu_word_is(const ExmQemuWord *word, const char *name);
char *exm_qemu_word_text(const ExmQemuWord *word);
void exm_qemu_word_append(const ExmQemuWord *word, GPtrArray *argv);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmQemuLine, exm_qemu_line_free)
