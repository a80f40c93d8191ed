/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"

/*
 * Each fuzz_TARGET.c defines this function. It gives some bytes to one reader of the library and
 * ends the process where what came of it breaks a promise; it returns 0. Either main.c calls it
 * with each file of corpus/TARGET, or clang's libFuzzer with what it makes of them.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a rejected input owes: an error of exomem's own, with some words in it. */
static inline void assert_rejected(const GError *error)
{
	g_assert_nonnull(error);
	g_assert_true(error->domain == EXM_ERROR);
	g_assert_cmpstr(error->message, !=, "");
}

/* The input as a text, which ends at its first NUL (transfer full). */
static inline char *input_text(const uint8_t *data, size_t size)
{
	return g_strndup((const char *)data, size);
}

/* The text of a JSON value, which is put (transfer full). */
static inline char *json_text_and_put(ExmJson *json)
{
	g_autoptr(ExmJson) owned = json;

	return exm_json_print(owned, false);
}

/* What a JSON text holds, which must be JSON (transfer full). */
static inline ExmJson *json_of(const char *text)
{
	g_autoptr(GError) error = NULL;
	ExmJson *json = exm_json_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	return json;
}
