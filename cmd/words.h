/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

bool exm_words_guest(const char *const *words, const char **ret_name, GError **error);
bool exm_words_count(const char *option, const char *text, uint64_t max, uint64_t *count,
                     GError **error);
bool exm_words_size(const char *option, const char *text, uint64_t *bytes, GError **error);
bool exm_words_none(const char *const *words, GError **error);
bool exm_words_seconds(const char *option, const char *text, int *ms, GError **error);
