/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c - Read the configuration */

#include "op/config.h"

#include "host/config_file.h"
#include "op/facts.h"

static void entry_free(gpointer entry)
{
	exm_config_entry_free(entry);
}

/* As {"config": {GROUP: {KEY: VALUE}}}. */
static bool recall(const char *const *paths, GPtrArray *entries, GError **error)
{
	g_autoptr(ExmJson) recorded = exm_facts_recorded(paths, error);
	ExmJson *groups = exm_json_member(recorded, "config");

	if (!recorded || !groups)
		return recorded;
	json_object_object_foreach(groups, group, keys) {
		json_object_object_foreach(keys, name, value)
			g_ptr_array_add(entries, exm_config_entry_new(group, name,
			                                              json_object_get_string(value),
			                                              "facts"));
	}
	return true;
}

/**
 * exm_op_config_read() - Read the configuration
 * @source: where it is
 * @error:  USAGE where a file is none, or where others can write to it; SYSTEM
 *
 * Return: the configuration (transfer full), or NULL.
 */
ExmConfig *exm_op_config_read(const ExmConfigSource *source, GError **error)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);

	if (source->recorded && !recall(source->recorded, entries, error))
		return NULL;
	if (!source->recorded && source->chosen &&
	    !exm_config_file_read(source->chosen, entries, error))
		return NULL;
	for (size_t i = 0; !source->recorded && !source->chosen && source->files[i]; i++)
		if (!exm_config_file_read_all(source->files[i], entries, error))
			return NULL;
	return exm_config_new(g_steal_pointer(&entries));
}
