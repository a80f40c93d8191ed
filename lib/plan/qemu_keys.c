/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_keys.c - The argument of a QEMU option as keys and values, however it is written */

#include "plan/qemu_keys.h"

#include <json-c/json_visit.h>
#include <string.h>

#include "base/json.h"
#include "base/keyval.h"

/* The characters of a JSON value that stands outside of quotation marks, and of a placeholder. */
#define BARE_LETTERS                 \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789+-.@"

static void key_free(gpointer data)
{
	ExmQemuKey *key = data;

	g_free(key->key);
	g_free(key->value);
	g_free(key->prefix);
	g_free(key->suffix);
	g_free(key);
}

static GPtrArray *new_keys(void)
{
	return g_ptr_array_new_with_free_func(key_free);
}

static ExmQemuKey *add_key(GPtrArray *keys, const char *name, const char *value, const char *prefix)
{
	ExmQemuKey *key = g_new0(ExmQemuKey, 1);

	key->key = g_strdup(name);
	key->value = g_strdup(value);
	key->prefix = g_strdup(prefix);
	key->suffix = g_strdup("");
	g_ptr_array_add(keys, key);
	return key;
}

static void add_listed(GPtrArray *keys, const char *name, const char *value, const char *prefix)
{
	add_key(keys, name, value, prefix)->listed = true;
}

/* A switch that stands alone is on, with "no" before it off (util/qemu-option.c). */
static void add_switch(GPtrArray *keys, const char *word)
{
	const bool off = g_str_has_prefix(word, "no");
	const char *name = off ? word + strlen("no") : word;
	g_autofree char *prefix = g_strconcat(name, "=", NULL);

	add_listed(keys, name, off ? "off" : "on", prefix);
}

static void add_pair(GPtrArray *keys, const ExmPair *pair, const char *first)
{
	g_autofree char *prefix = pair->key ? g_strconcat(pair->key, "=", NULL) : NULL;

	if (pair->key)
		add_listed(keys, pair->key, pair->value, prefix);
	else if (first)
		add_listed(keys, first, pair->value, "");
	else if (*pair->value)
		add_switch(keys, pair->value);
}

static void add_pairs(GPtrArray *keys, const GPtrArray *pairs, guint from, const char *first)
{
	for (guint i = from; i < pairs->len; i++)
		add_pair(keys, pairs->pdata[i], i == 0 ? first : NULL);
}

/* The length of a value outside of quotation marks; placeholders are part of it. */
static size_t bare_length(const char *text)
{
	size_t length = 0;

	for (;;) {
		const char *end;

		length += strspn(text + length, BARE_LETTERS);
		if (length == 0 || text[length] != '{' || text[length - 1] != '@')
			return length;
		end = strchr(text + length, '}');
		if (!end)
			return length;
		length = (size_t)(end - text) + 1;
	}
}

/*
 * JSON has no placeholders: one in the place of a number would be an error of syntax. Such a value
 * is put into quotation marks here; exm_identity_expand() makes a number of it before QEMU reads.
 */
static char *quote_placeholders(const char *text)
{
	g_autoptr(GString) quoted = g_string_new(NULL);
	bool in_string = false;

	while (*text) {
		const size_t length = in_string ? 0 : bare_length(text);
		g_autofree char *bare = g_strndup(text, length);

		if (length) {
			g_string_append_printf(quoted, strstr(bare, "@{") ? "\"%s\"" : "%s", bare);
			text += length;
			continue;
		}
		if (*text == '"')
			in_string = !in_string;
		if (*text == '\\' && text[1])
			g_string_append_c(quoted, *text++);
		g_string_append_c(quoted, *text++);
	}
	return g_string_free(g_steal_pointer(&quoted), FALSE);
}

static const char *scalar_text(ExmJson *json)
{
	if (json_object_is_type(json, json_type_boolean))
		return json_object_get_boolean(json) ? "on" : "off";
	return json ? json_object_get_string(json) : "";
}

static void add_json_scalar(GPtrArray *keys, const char *path, const char *name, ExmJson *json)
{
	const char *mark = json_object_is_type(json, json_type_string) ? "\"" : "";
	g_autofree char *prefix = name ? g_strdup_printf("\"%s\":%s", name, mark) : g_strdup(mark);
	ExmQemuKey *key = add_key(keys, path, scalar_text(json), prefix);

	g_free(key->suffix);
	key->suffix = g_strdup(mark);
}

/**
 * struct Walk - A way through JSON
 * @keys: of ExmQemuKey, grows
 * @path: the names of the members that lead to where it is, with a dot before each
 */
typedef struct {
	GPtrArray *keys;
	GString *path;
} Walk;

/* A json_c_visit_userfunc: comes by each value, and again when it leaves one that holds others. */
static int visit_json(ExmJson *json, int flags, G_GNUC_UNUSED ExmJson *parent, const char *name,
                      size_t *index, void *data) /* NOLINT(readability-non-const-parameter) */
{
	const bool holds_others = json_object_is_type(json, json_type_object) ||
	                          json_object_is_type(json, json_type_array);
	g_autofree char *step = name    ? g_strconcat(".", name, NULL)
	                        : index ? g_strdup_printf(".%zu", *index)
	                                : g_strdup("");
	Walk *walk = data;

	if (flags != JSON_C_VISIT_SECOND)
		g_string_append(walk->path, step);
	if (!holds_others)
		add_json_scalar(walk->keys, walk->path->str + 1, name, json);
	if (!holds_others || flags == JSON_C_VISIT_SECOND)
		g_string_truncate(walk->path, walk->path->len - strlen(step));
	return JSON_C_VISIT_RETURN_CONTINUE;
}

static void add_json(GPtrArray *keys, ExmJson *json)
{
	g_autoptr(GString) path = g_string_new(NULL);
	Walk walk = { keys, path };

	json_c_visit(json, 0, visit_json, &walk);
}

/**
 * exm_qemu_keys_read() - Read an argument that is a list or JSON
 * @argument: "user,id=n0" or "{\"type\":\"user\",\"id\":\"n0\"}"
 * @first:    the key of a first part that has none, or NULL
 *
 * JSON members of members have their names joined by dots and elements their number, as QEMU reads
 * the same in a list (util/keyval.c). JSON that cannot be read has no keys: QEMU will refuse it.
 *
 * Return: of ExmQemuKey, in the order in which they stand (transfer full).
 */
GPtrArray *exm_qemu_keys_read(const char *argument, const char *first)
{
	GPtrArray *keys = new_keys();

	if (argument[0] == '{') {
		g_autofree char *text = quote_placeholders(argument);
		g_autoptr(ExmJson) json = exm_json_parse_plain(text, strlen(text), NULL);

		if (json)
			add_json(keys, json);
	} else {
		g_autoptr(GPtrArray) pairs = exm_keyval_split(argument);

		add_pairs(keys, pairs, 0, first);
	}
	return keys;
}

/* "HOST:PORT" of which the port is wanted; what stands before it goes into its prefix. */
static void add_address(GPtrArray *keys, const char *text, const char *prefix, const char *host_key,
                        const char *port_key)
{
	const char *colon = strrchr(text, ':');
	g_autofree char *host = g_strndup(text, colon ? (gsize)(colon - text) : 0);
	g_autofree char *before = g_strconcat(prefix, host, ":", NULL);

	if (!colon)
		return;
	add_listed(keys, host_key, host, prefix);
	add_listed(keys, port_key, colon + 1, before);
}

static void read_socket(GPtrArray *keys, const char *rest, const char *prefix)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(rest);
	const ExmPair *address = pairs->pdata[0];

	add_address(keys, address->value, prefix, "host", "port");
	add_pairs(keys, pairs, 1, NULL);
}

static void read_unix(GPtrArray *keys, const char *rest, const char *prefix)
{
	g_autoptr(GPtrArray) pairs = exm_keyval_split(rest);
	const ExmPair *path = pairs->pdata[0];

	add_listed(keys, "path", path->value, prefix);
	add_pairs(keys, pairs, 1, NULL);
}

/* The '@' before the local address; that of a placeholder is another. */
static const char *find_local(const char *text)
{
	const char *at = strchr(text, '@');

	while (at && at[1] == '{')
		at = strchr(at + 1, '@');
	return at;
}

/* "[HOST]:PORT[@[LOCAL]:PORT]" */
static void read_udp(GPtrArray *keys, const char *rest, const char *prefix)
{
	const char *at = find_local(rest);
	g_autofree char *remote = g_strndup(rest, at ? (gsize)(at - rest) : strlen(rest));
	g_autofree char *before = g_strconcat(prefix, remote, "@", NULL);

	add_address(keys, remote, prefix, "host", "port");
	if (at)
		add_address(keys, at + 1, before, "localaddr", "localport");
}

static void read_path(GPtrArray *keys, const char *rest, const char *prefix)
{
	add_key(keys, "path", rest, prefix);
}

/* QEMU, chardev/char.c, qemu_chr_parse_compat(); the first that fits counts. */
static const struct {
	const char *prefix;
	const char *backend;
	bool keep_prefix;
	void (*read)(GPtrArray *keys, const char *rest, const char *prefix);
} chardev_forms[] = {
	{ "file:", "file", false, read_path },
	{ "pipe:", "pipe", false, read_path },
	{ "pty:", "pty", false, read_path },
	{ "tcp:", "socket", false, read_socket },
	{ "telnet:", "socket", false, read_socket },
	{ "tn3270:", "socket", false, read_socket },
	{ "websocket:", "socket", false, read_socket },
	{ "udp:", "udp", false, read_udp },
	{ "unix:", "socket", false, read_unix },
	{ "/dev/parport", "parallel", true, read_path },
	{ "/dev/ppi", "parallel", true, read_path },
	{ "/dev/", "serial", true, read_path },
};

/**
 * exm_qemu_keys_read_chardev() - Read what -serial, -monitor, -qmp and others take
 * @argument: "mon:telnet::4444,server=on"
 *
 * The keys are those that -chardev has for the same: backend, path, host, port, localport, server.
 * What is a word alone ("stdio", "none", "chardev:ID") is the backend.
 *
 * Return: of ExmQemuKey (transfer full).
 */
GPtrArray *exm_qemu_keys_read_chardev(const char *argument)
{
	GPtrArray *keys = new_keys();
	const char *device = g_str_has_prefix(argument, "mon:") ? argument + strlen("mon:")
	                                                        : argument;

	for (size_t i = 0; i < G_N_ELEMENTS(chardev_forms); i++) {
		const size_t skip = chardev_forms[i].keep_prefix ? 0
		                                                 : strlen(chardev_forms[i].prefix);
		g_autofree char *prefix = g_strndup(argument, (gsize)(device - argument) + skip);

		if (!g_str_has_prefix(device, chardev_forms[i].prefix))
			continue;
		add_key(keys, "backend", chardev_forms[i].backend, "");
		chardev_forms[i].read(keys, device + skip, prefix);
		return keys;
	}
	add_key(keys, "backend", device, "");
	return keys;
}

/**
 * exm_qemu_keys_read_whole() - An argument that is one value: -pidfile, -D
 * @word:     the option as written
 * @argument: its argument
 *
 * Return: the only key is "path" (transfer full).
 */
GPtrArray *exm_qemu_keys_read_whole(const char *word, const char *argument)
{
	GPtrArray *keys = new_keys();
	g_autofree char *prefix = g_strconcat(word, " ", NULL);

	add_key(keys, "path", argument, prefix);
	return keys;
}

/**
 * exm_qemu_keys_get() - Look a key up
 * @keys: of ExmQemuKey
 * @key:  the key
 *
 * Return: the last value that @key is given, or NULL; it belongs to @keys.
 */
const char *exm_qemu_keys_get(const GPtrArray *keys, const char *key)
{
	for (guint i = keys->len; i > 0; i--) {
		const ExmQemuKey *one = keys->pdata[i - 1];

		if (strcmp(one->key, key) == 0)
			return one->value;
	}
	return NULL;
}

/**
 * exm_qemu_keys_is_on() - Whether a switch is on
 * @keys: of ExmQemuKey
 * @key:  the switch
 *
 * The words are those of QEMU (qapi/qapi-util.c, qapi_bool_parse()).
 */
bool exm_qemu_keys_is_on(const GPtrArray *keys, const char *key)
{
	static const char *const words[] = { "on", "yes", "true", "y", NULL };
	const char *value = exm_qemu_keys_get(keys, key);

	return value && g_strv_contains(words, value);
}

/**
 * exm_qemu_key_write() - Write a key with another value, in the form that the user chose
 * @key:   the key
 * @value: the value
 *
 * Return: "hostfwd=tcp::2223-:22" (transfer full).
 */
char *exm_qemu_key_write(const ExmQemuKey *key, const char *value)
{
	g_autofree char *listed = key->listed ? exm_keyval_escape(value) : g_strdup(value);

	return g_strconcat(key->prefix, listed, key->suffix, NULL);
}
