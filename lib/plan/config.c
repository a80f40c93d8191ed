/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c - The configuration: which keys there are, and what they say */

#include "plan/config.h"

#include <string.h>

#include "base/enumtab.h"

/* Nova's own group is taken too, so that its lines can be copied as they are. */
static const char *const also_libvirt[] = { "libvirt", NULL };
static const char *const also_nova[] = { "libvirt", "DEFAULT", NULL };
static const char *const no_other[] = { NULL };

/* Every key: a row here and an .It in exomem.conf(5). */
static const ExmConfigKey keys[] = {
	{ "pmem", "pmem_namespaces", also_libvirt, "labels for namespaces of persistent memory" },
	{ "memory", "file_backed_memory", also_nova, "MiB of guests' memory in files; 0 is off" },
	{ "memory", "memory_backing_dir", also_nova, "where these files are" },
	{ "memory", "ram_allocation_ratio", also_nova, "must be 1.0 with memory in files" },
	{ "memory", "reserved_host_memory_mb", also_nova, "MiB that no guest gets" },
	{ "memory", "virt_type", also_libvirt, "must be kvm or qemu with memory in files" },
	{ "memory", "allow_other_backing", no_other, "guests may have memory elsewhere" },
	{ "memory", "host_state_dir", no_other, "guests of the whole host are counted there" },
};

/**
 * exm_config_entry_new() - One line of a configuration file
 * @group: the group it stands in
 * @name:  its key
 * @value: what it says
 * @file:  path of the file
 *
 * Return: the entry (transfer full).
 */
ExmConfigEntry *exm_config_entry_new(const char *group, const char *name, const char *value,
                                     const char *file)
{
	ExmConfigEntry *entry = g_new0(ExmConfigEntry, 1);

	entry->group = g_strdup(group);
	entry->name = g_strdup(name);
	entry->value = g_strdup(value);
	entry->file = g_strdup(file);
	return entry;
}

/**
 * exm_config_entry_free() - Free an entry
 * @entry: may be NULL
 */
void exm_config_entry_free(ExmConfigEntry *entry)
{
	if (!entry)
		return;
	g_free(entry->group);
	g_free(entry->name);
	g_free(entry->value);
	g_free(entry->file);
	g_free(entry);
}

static bool is_own(const char *group)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (strcmp(keys[i].group, group) == 0)
			return true;
	return false;
}

static bool is_borrowed(const char *group)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (g_strv_contains(keys[i].also, group))
			return true;
	return false;
}

static bool takes(const ExmConfigKey *key, const char *group)
{
	return strcmp(key->group, group) == 0 || g_strv_contains(key->also, group);
}

static ExmConfigValue *find_value(const ExmConfig *config, const char *group, const char *name)
{
	for (size_t i = 0; i < config->count; i++)
		if (takes(config->values[i].key, group) &&
		    strcmp(config->values[i].key->name, name) == 0)
			return &config->values[i];
	return NULL;
}

static const char *nearest_name(const ExmConfigEntry *entry)
{
	const char *names[G_N_ELEMENTS(keys)];
	size_t count = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (takes(&keys[i], entry->group))
			names[count++] = keys[i].name;
	return exm_nearest(entry->name, names, count);
}

static const char *nearest_group(const char *group)
{
	const char *names[G_N_ELEMENTS(keys)];

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		names[i] = keys[i].group;
	return exm_nearest(group, names, G_N_ELEMENTS(keys));
}

static char *suggest(const char *near)
{
	return near ? g_strdup_printf(" (did you mean '%s'?)", near) : g_strdup("");
}

static char *describe_unknown_group(const ExmConfigEntry *entry)
{
	g_autofree char *hint = suggest(nearest_group(entry->group));

	return g_strdup_printf("'%s': '[%s]' is not a group of exomem%s", entry->file, entry->group,
	                       hint);
}

/* In groups of Nova's, other keys are Nova's, unless they look like one of ours. */
static char *describe_unknown(const ExmConfigEntry *entry)
{
	const char *near = nearest_name(entry);
	g_autofree char *hint = suggest(near);

	if (!is_own(entry->group) && !is_borrowed(entry->group))
		return describe_unknown_group(entry);
	if (!is_own(entry->group) && !near)
		return NULL;
	return g_strdup_printf("'%s': '%s' is not a key of [%s]%s", entry->file, entry->name,
	                       entry->group, hint);
}

static void warn_once(GPtrArray *warnings, char *text)
{
	if (text && !g_ptr_array_find_with_equal_func(warnings, text, g_str_equal, NULL))
		g_ptr_array_add(warnings, text);
	else
		g_free(text);
}

/**
 * exm_config_new() - Put together what configuration files say
 * @entries: (transfer full): of ExmConfigEntry, in the order they were read: a later one counts
 *
 * Return: the configuration (transfer full).
 */
ExmConfig *exm_config_new(GPtrArray *entries)
{
	ExmConfig *config = g_new0(ExmConfig, 1);

	config->entries = entries;
	config->count = G_N_ELEMENTS(keys);
	config->values = g_new0(ExmConfigValue, config->count);
	config->warnings = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < config->count; i++)
		config->values[i].key = &keys[i];
	for (guint i = 0; i < entries->len; i++) {
		const ExmConfigEntry *entry = entries->pdata[i];
		ExmConfigValue *value = find_value(config, entry->group, entry->name);

		if (value)
			value->entry = entry;
		else
			warn_once(config->warnings, describe_unknown(entry));
	}
	return config;
}

/**
 * exm_config_free() - Free a configuration
 * @config: may be NULL
 */
void exm_config_free(ExmConfig *config)
{
	if (!config)
		return;
	g_ptr_array_unref(config->entries);
	g_ptr_array_unref(config->warnings);
	g_free(config->values);
	g_free(config);
}

/**
 * exm_config_get() - What a key says
 * @config: the configuration
 * @group:  the key's own group
 * @name:   of the key
 *
 * Return: its value (borrowed), or NULL where no file has it.
 */
const char *exm_config_get(const ExmConfig *config, const char *group, const char *name)
{
	const ExmConfigValue *value = find_value(config, group, name);

	g_assert(value);
	return value->entry ? value->entry->value : NULL;
}

/**
 * exm_config_to_json() - What the configuration says, and where
 * @config: the configuration
 *
 * Return: an object (transfer full), described in exomem-config(1).
 */
ExmJson *exm_config_to_json(const ExmConfig *config)
{
	ExmJson *json = json_object_new_object();
	ExmJson *list = json_object_new_array();

	for (size_t i = 0; i < config->count; i++) {
		const ExmConfigValue *value = &config->values[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "group", value->key->group);
		exm_json_set_string(item, "name", value->key->name);
		if (value->entry) {
			exm_json_set_string(item, "value", value->entry->value);
			exm_json_set_string(item, "file", value->entry->file);
			exm_json_set_string(item, "from-group", value->entry->group);
		}
		json_object_array_add(list, item);
	}
	exm_json_set_uint(json, "schema", 1);
	json_object_object_add(json, "values", list);
	return json;
}
