/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring.c - Which disks of a command line ask for io_uring */

#include "plan/io_uring.h"

#include <string.h>

#include "plan/qemu_keys.h"

/* "aio", or "aio" of a member: "file.aio" */
static bool is_key(const char *key, const char *name)
{
	const char *last = strrchr(key, '.');

	return strcmp(last ? last + 1 : key, name) == 0;
}

/* Drivers of libblkio that are rings: QEMU, block/blkio.c */
static bool is_ring_driver(const char *driver)
{
	return strcmp(driver, "io_uring") == 0 || strcmp(driver, "nvme-io_uring") == 0;
}

static bool is_ring(const ExmQemuKey *key)
{
	return (is_key(key->key, "aio") && strcmp(key->value, "io_uring") == 0) ||
	       (is_key(key->key, "driver") && is_ring_driver(key->value));
}

/* QEMU, block.c, bdrv_open_inherit(): a file name may hold the keys of a node as JSON. */
static bool asks_in_name(const char *name)
{
	g_autoptr(GPtrArray) keys = NULL;

	if (!g_str_has_prefix(name, "json:"))
		return false;
	keys = exm_qemu_keys_read(name + strlen("json:"), NULL);
	for (guint i = 0; i < keys->len; i++)
		if (is_ring(keys->pdata[i]))
			return true;
	return false;
}

static bool asks(const char *argument, const char *first)
{
	g_autoptr(GPtrArray) keys = exm_qemu_keys_read(argument, first);

	for (guint i = 0; i < keys->len; i++) {
		const ExmQemuKey *key = keys->pdata[i];

		if (is_ring(key) || asks_in_name(key->value))
			return true;
	}
	return false;
}

/* "drive.d0.aio=io_uring" */
static bool sets(const char *argument)
{
	return g_str_has_prefix(argument, "drive.") && asks(argument, NULL);
}

static bool word_asks(const ExmQemuWord *word)
{
	if (!word->value)
		return false;
	if (exm_qemu_word_is(word, "drive"))
		return asks(word->value, NULL);
	if (exm_qemu_word_is(word, "blockdev"))
		return asks(word->value, "driver");
	if (exm_qemu_word_is(word, "set"))
		return sets(word->value);
	return asks_in_name(word->value);
}

/**
 * exm_io_uring_find() - Find a disk whose I/O goes through io_uring
 * @line: QEMU's command line
 *
 * It is a key of -drive and -blockdev (aio=io_uring), in a list, in JSON, in a file name that
 * begins with "json:", or set by -set. What is in a file of -readconfig, or in the header of an
 * image as the name of its backing file, is not found: QEMU fails there with "failed to init linux
 * io_uring ring".
 *
 * Return: the option and its argument, "-drive file=a,aio=io_uring" (transfer full), or NULL.
 */
char *exm_io_uring_find(const ExmQemuLine *line)
{
	for (guint i = 0; i < line->words->len; i++) {
		const ExmQemuWord *word = line->words->pdata[i];

		if (word_asks(word))
			return word->word ? g_strconcat(word->word, " ", word->value, NULL)
			                  : g_strdup(word->value);
	}
	return NULL;
}
