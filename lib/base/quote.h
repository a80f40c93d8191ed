/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

char *exm_quote_word(const char *word);
char *exm_quote_printable(const char *text);
char *exm_quote_argv(const char *const *argv);
