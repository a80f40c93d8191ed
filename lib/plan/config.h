/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/**
 * struct ExmConfigKey - A key of the configuration; described in exomem.conf(5)
 * @group:   that it belongs to: "pmem"
 * @name:    "pmem_namespaces"
 * @also:    other groups that it may stand in, as in Nova's configuration; NULL-terminated
 * @summary: what it says, in a few words
 */
typedef struct {
	const char *group;
	const char *name;
	const char *const *also;
	const char *summary;
} ExmConfigKey;

/**
 * struct ExmConfigEntry - One line of a configuration file
 * @group: the group it stands in
 * @name:  its key
 * @value: what it says, without spaces around it
 * @file:  path of the file
 */
typedef struct {
	char *group;
	char *name;
	char *value;
	char *file;
} ExmConfigEntry;

/**
 * struct ExmConfigValue - What a key says in the end
 * @key:   the key
 * @entry: that said it last (borrowed), or NULL where none did
 */
typedef struct {
	const ExmConfigKey *key;
	const ExmConfigEntry *entry;
} ExmConfigValue;

/**
 * struct ExmConfig - All that the configuration says
 * @entries:  of ExmConfigEntry, in the order they were read
 * @values:   one for each key there is
 * @count:    number of @values
 * @warnings: of char *, one for each entry that is not known
 */
typedef struct {
	GPtrArray *entries;
	ExmConfigValue *values;
	size_t count;
	GPtrArray *warnings;
} ExmConfig;

ExmConfigEntry *exm_config_entry_new(const char *group, const char *name, const char *value,
                                     const char *file);
void exm_config_entry_free(ExmConfigEntry *entry);
ExmConfig *exm_config_new(GPtrArray *entries);
void exm_config_free(ExmConfig *config);
const char *exm_config_get(const ExmConfig *config, const char *group, const char *name);
ExmJson *exm_config_to_json(const ExmConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmConfigEntry, exm_config_entry_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmConfig, exm_config_free)
