/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * struct ExmQemuKey - One key of an option's argument
 * @key:    "file.filename" for a member of a member
 * @value:  as QEMU reads it: doubled commas undone; "on" of a key that stands alone; "" for null
 * @prefix: what the user wrote before the value: "hostfwd=", "tcp::"
 * @suffix: what he wrote behind it; the quotation mark of a JSON string
 * @listed: commas of the value are written twice
 */
typedef struct {
	char *key;
	char *value;
	char *prefix;
	char *suffix;
	bool listed;
} ExmQemuKey;

GPtrArray *exm_qemu_keys_read(const char *argument, const char *first);
GPtrArray *exm_qemu_keys_read_chardev(const char *argument);
GPtrArray *exm_qemu_keys_read_whole(const char *word, const char *argument);
const char *exm_qemu_keys_get(const GPtrArray *keys, const char *key);
bool exm_qemu_keys_is_on(const GPtrArray *keys, const char *key);
char *exm_qemu_key_write(const ExmQemuKey *key, const char *value);
