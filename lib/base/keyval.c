/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keyval.c - "first,key=value,flag" lists with QEMU's doubled commas */

#include "base/keyval.h"

#include <string.h>

#define KEY_LETTERS                  \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789-_."

/**
 * exm_pair_free() - Free one part of a list
 * @pair: the part; may be NULL
 */
void exm_pair_free(ExmPair *pair)
{
	if (pair == NULL)
		return;
	g_free(pair->key);
	g_free(pair->value);
	g_free(pair);
}

static void free_pair(gpointer pair)
{
	exm_pair_free(pair);
}

/* A path may hold a '=' too: only a plain word before it is a key. */
static ExmPair *make_pair(const char *part)
{
	const size_t key_length = strspn(part, KEY_LETTERS);
	ExmPair *pair = g_new0(ExmPair, 1);

	if (key_length > 0 && part[key_length] == '=') {
		pair->key = g_strndup(part, key_length);
		part += key_length + 1;
	}
	pair->value = g_strdup(part);
	return pair;
}

/* The rule of get_opt_value() in QEMU 7.2's util/qemu-option.c. */
static const char *read_part(const char *text, GString *part)
{
	g_string_truncate(part, 0);
	while (*text != '\0' && (text[0] != ',' || text[1] == ',')) {
		g_string_append_c(part, *text);
		text += *text == ',' ? 2 : 1;
	}
	return text;
}

/**
 * exm_keyval_split() - Cut a list at its single commas
 * @text: the list; ",," stands for a comma
 *
 * A part has a key where letters, digits, '-', '_' and '.' only stand before its first '='.
 * A comma at the end is followed by no further part; an empty @text is one empty part.
 *
 * Return: (transfer full): an array of ExmPair that owns them, never empty
 */
GPtrArray *exm_keyval_split(const char *text)
{
	GPtrArray *pairs = g_ptr_array_new_with_free_func(free_pair);
	g_autoptr(GString) part = g_string_new(NULL);

	do {
		text = read_part(text, part);
		g_ptr_array_add(pairs, make_pair(part->str));
		if (*text == ',')
			text++;
	} while (*text != '\0');
	return pairs;
}

/**
 * exm_keyval_get() - Look a key up
 * @pairs: what exm_keyval_split() returned
 * @key:   the key
 *
 * Return: the value of the last part that has @key, as in QEMU the last one wins; it belongs to
 * @pairs. NULL where no part has @key
 */
const char *exm_keyval_get(const GPtrArray *pairs, const char *key)
{
	for (unsigned int i = pairs->len; i > 0; i--) {
		const ExmPair *pair = g_ptr_array_index(pairs, i - 1);

		if (g_strcmp0(pair->key, key) == 0)
			return pair->value;
	}
	return NULL;
}

/**
 * exm_keyval_escape() - Double the commas of a value, so that QEMU reads it as one
 * @value: the value
 *
 * Return: (transfer full): the text to put behind "key="
 */
char *exm_keyval_escape(const char *value)
{
	GString *text = g_string_new(value);

	g_string_replace(text, ",", ",,", 0);
	return g_string_free(text, FALSE);
}
