/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rehearsal.c - The command line of a guest that is only tried: the same devices, with nothing behind */

#include "plan/rehearsal.h"

#include <string.h>

#include "base/error.h"
#include "base/keyval.h"
#include "plan/disk.h"
#include "plan/qemu_keys.h"
#include "plan/qemu_line.h"

/* QEMU, block/null.c: reads zeros, keeps nothing, locks nothing. */
#define EMPTY_DISK "null-co://"

/* What a device is called stays, and so does what it shows the guest. */
static const char *const kept_keys[] = { "id",      "node-name", "model",   "mac",
	                                 "macaddr", "addr",      "vectors", NULL };

/* Of a tap these too: a virtio-net device's state has them (hw/net/virtio-net.c). */
static const char *const kept_tap_keys[] = { "queues", "vnet_hdr", NULL };

static void append_keys(GString *text, const GPtrArray *keys, const char *const *kept)
{
	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];
		g_autofree char *value = exm_keyval_escape(key->value);

		if (g_strv_contains(kept, key->key))
			g_string_append_printf(text, ",%s=%s", key->key, value);
	}
}

static void append_kept(GString *text, const char *argument, const char *first)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(argument, first);

	append_keys(text, keys, kept_keys);
}

/*
 * A network device with nobody at the other end, so that its address is not announced anywhere.
 * Where it had a tap it gets another one, that is on no bridge: nothing else has the offloads that
 * the guest may have found.
 */
static char *empty_network(const char *argument, guint index)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(argument, "type");
	const char *type = exm_qemu_keys_get(keys, "type");
	const bool is_tap = g_strcmp0(type, "tap") == 0 || g_strcmp0(type, "bridge") == 0;
	g_autoptr(GString) text = g_string_new(is_tap ? "tap,script=no,downscript=no" : NULL);

	if (is_tap)
		append_keys(text, keys, kept_tap_keys);
	else
		g_string_printf(text, "hubport,hubid=%u", index);
	append_keys(text, keys, kept_keys);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The legacy -net is a device, which stays, or what is behind it. */
static char *empty_net(const char *argument, guint index)
{
	(void)index;
	return g_str_has_prefix(argument, "nic") ? g_strdup(argument) : NULL;
}

static char *empty_chardev(const char *argument, guint index)
{
	g_autoptr(GString) text = g_string_new("null");

	(void)index;
	append_kept(text, argument, "backend");
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *empty_node(const char *argument, guint index)
{
	g_autoptr(GString) text = g_string_new("driver=null-co");

	(void)index;
	append_kept(text, argument, "driver");
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *empty_audio(const char *argument, guint index)
{
	g_autoptr(GString) text = g_string_new("none");

	(void)index;
	append_kept(text, argument, "driver");
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *say_null(const char *argument, guint index)
{
	(void)argument;
	(void)index;
	return g_strdup("null");
}

static char *say_none(const char *argument, guint index)
{
	(void)argument;
	(void)index;
	return g_strdup("none");
}

static char *leave_out(const char *argument, guint index)
{
	(void)argument;
	(void)index;
	return NULL;
}

/* What stands in for an option's argument; NULL for neither. */
static const struct {
	const char *option;
	char *(*replace)(const char *argument, guint index);
} rows[] = {
	{ "audiodev", empty_audio }, { "blockdev", empty_node }, { "chardev", empty_chardev },
	{ "D", leave_out },          { "debugcon", say_null },   { "display", say_none },
	{ "gdb", leave_out },        { "monitor", leave_out },   { "net", empty_net },
	{ "netdev", empty_network }, { "nic", empty_network },   { "parallel", say_null },
	{ "pidfile", leave_out },    { "qmp", leave_out },       { "qmp-pretty", leave_out },
	{ "s", leave_out },          { "serial", say_null },     { "spice", leave_out },
	{ "vnc", leave_out },
};

static bool is_nothing(const char *argument)
{
	return strcmp(argument, "none") == 0;
}

static void append_word(const ExmQemuWord *word, guint index, GPtrArray *words)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		char *value;

		if (!exm_qemu_word_is(word, rows[i].option) ||
		    (word->value && is_nothing(word->value)))
			continue;
		value = rows[i].replace(word->value, index);
		if (!value)
			return;
		g_ptr_array_add(words, g_strdup(word->word));
		g_ptr_array_add(words, value);
		return;
	}
	exm_qemu_word_append(word, words);
}

static const ExmDisk *disk_at(const GPtrArray *disks, guint word)
{
	for (guint i = 0; i < disks->len; i++) {
		const ExmDisk *disk = disks->pdata[i];

		if (disk->word == word && !disk->read_only)
			return disk;
	}
	return NULL;
}

/* Its size is the size of memory that the guest sees, so nothing else can stand in for it. */
static bool is_flash(const ExmQemuWord *word)
{
	return exm_qemu_word_is(word, "pflash") || (word->value && strstr(word->value, "if=pflash"));
}

/**
 * exm_rehearsal_words() - The words of a guest that is only tried
 * @command: the guest's words
 * @error:   UNSUPPORTED for what nothing empty can stand in for
 *
 * Its state can be loaded, because the devices are the same; behind them is nothing, so that it
 * takes no lock, port or address of the guest that runs.
 *
 * Return: words (transfer full), or NULL.
 */
char **exm_rehearsal_words(const char *const *command, GError **error)
{
	g_autoptr(ExmQemuLine) line = exm_qemu_line_parse(command, error);
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) disks = line ? exm_disks_read(line) : NULL;

	for (guint i = 0; line && i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];
		const ExmDisk *disk = disk_at(disks, i);

		if (disk && is_flash(word)) {
			exm_throw(error, EXM_ERROR_UNSUPPORTED,
			          "'%s' cannot be tried while the guest uses it: say '--no-rehearsal'",
			          disk->argument);
			return NULL;
		}
		if (!disk || exm_qemu_word_is(word, "blockdev") ||
		    !exm_disk_rewrite(line, disk, EMPTY_DISK, "raw", words))
			append_word(word, i, words);
	}
	if (!line)
		return NULL;
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_steal(words, NULL);
}
