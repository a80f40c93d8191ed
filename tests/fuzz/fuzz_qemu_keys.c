/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_qemu_keys.c - A key that is read is written with another value, and that value is read again */

#include "plan/qemu_keys.h"

#include "fuzz.h"

#define KEY_LETTERS                  \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789-_."

/* Has a comma, and is the path of a device too. */
#define OTHER_VALUE "/dev/a,b"

static void check_key(const GPtrArray *keys, const ExmQemuKey *key)
{
	g_assert_nonnull(key->key);
	g_assert_nonnull(key->value);
	g_assert_nonnull(key->prefix);
	g_assert_nonnull(key->suffix);
	g_assert_nonnull(exm_qemu_keys_get(keys, key->key));
}

/* One that was read from "key=value" or "key"; others have a name that QEMU knows to be none. */
static bool is_plain(const ExmQemuKey *key, bool is_first)
{
	const size_t length = strlen(key->key);

	return (is_first && !*key->prefix) || (length > 0 && strspn(key->key, KEY_LETTERS) == length);
}

/* All keys but one as they were; that one with another value. */
static char *write_list(const GPtrArray *keys, guint changed)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];
		g_autofree char *written = exm_qemu_key_write(key, i == changed ? OTHER_VALUE
		                                                                : key->value);

		g_string_append_printf(text, "%s%s", i ? "," : "", written);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void check_written_list(const GPtrArray *keys, const char *first, guint changed)
{
	g_autofree char *text = write_list(keys, changed);
	g_autoptr(GPtrArray) again = exm_qemu_keys_read(text, first);

	g_assert_cmpuint(again->len, ==, keys->len);
	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *one = keys->pdata[i];
		const ExmQemuKey *other = again->pdata[i];

		g_assert_cmpstr(other->key, ==, one->key);
		g_assert_cmpstr(other->value, ==, i == changed ? OTHER_VALUE : one->value);
		g_assert_cmpstr(other->prefix, ==, one->prefix);
	}
}

static void check_list(const char *argument, const char *first)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(argument, first);
	bool plain = true;

	for (guint i = 0; i < keys->len; i++) {
		check_key(keys, keys->pdata[i]);
		plain = plain && is_plain(keys->pdata[i], i == 0);
	}
	/* The first stays, for it may be what says whether the text is JSON. */
	for (guint i = 1; plain && i < MIN(keys->len, 4); i++)
		check_written_list(keys, first, i);
}

static guint count_scalars(ExmJson *json)
{
	guint count = 0;

	if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach(json, name, member) {
			(void)name;
			count += count_scalars(member);
		}
		return count;
	}
	if (!json_object_is_type(json, json_type_array))
		return 1;
	for (size_t i = 0; i < json_object_array_length(json); i++)
		count += count_scalars(json_object_array_get_idx(json, i));
	return count;
}

/* What is JSON without our help has a key for each scalar; json-c takes single quotes for names. */
static void check_json(const char *argument)
{
	const size_t length = strchr(argument, '\'') ? 0 : strlen(argument);
	g_autoptr(ExmJson) json = exm_json_parse(argument, length, NULL);
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(argument, NULL);

	for (guint i = 0; i < keys->len; i++)
		check_key(keys, keys->pdata[i]);
	if (!json)
		return;
	g_assert_cmpuint(keys->len, ==, count_scalars(json));
	json_object_object_foreach(json, name, member)
		if (json_object_is_type(member, json_type_string) && !strchr(name, '.'))
			g_assert_cmpstr(exm_qemu_keys_get(keys, name), ==,
			                json_object_get_string(member));
}

/* What a short form names can be put into it. */
static void check_chardev(const char *argument)
{
	static const char *const changeable[] = { "path", "port", "localport", NULL };
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read_chardev(argument);

	g_assert_cmpuint(keys->len, >, 0);
	g_assert_cmpstr(((const ExmQemuKey *)keys->pdata[0])->key, ==, "backend");
	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];
		g_autofree char *written = exm_qemu_key_write(key, "/dev/1");
		g_autoptr(GPtrArray) again = NULL;

		check_key(keys, key);
		if (strchr(argument, ',') || !g_strv_contains(changeable, key->key))
			continue;
		again = exm_qemu_keys_read_chardev(written);
		g_assert_cmpstr(exm_qemu_keys_get(again, key->key), ==, "/dev/1");
	}
}

/**
 * LLVMFuzzerTestOneInput() - Read an option's argument in each form that one may have
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, size);
	g_autoptr(GPtrArray) whole = exm_qemu_keys_read_whole("-D", text);
	g_autofree char *written = exm_qemu_key_write(whole->pdata[0], text);
	g_autofree char *wanted = g_strconcat("-D ", text, NULL);

	g_assert_cmpstr(written, ==, wanted);
	check_chardev(text);
	if (text[0] == '{') {
		check_json(text);
	} else {
		check_list(text, NULL);
		check_list(text, "type");
	}
	return 0;
}
