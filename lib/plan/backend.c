/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backend.c - One memory backend of QEMU, as an ordered tree of properties */

#include "plan/backend.h"

#include <string.h>

#include "base/error.h"
#include "base/keyval.h"

/* When each property came (QEMU, qapi/qom.json, "Since" of MemoryBackendProperties and -File-). */
static const struct {
	const char *name;
	const char *since;
} properties[] = {
	{ "align", "2.12" },
	{ "discard-data", "2.11" },
	{ "dump", "2.1" },
	{ "host-nodes", "2.1" },
	{ "merge", "2.1" },
	{ "offset", "8.1" },
	{ "pmem", "3.1, built with libpmem" },
	{ "policy", "2.1" },
	{ "prealloc", "2.1" },
	{ "prealloc-threads", "5.0" },
	{ "readonly", "6.0" },
	{ "reserve", "6.1" },
	{ "rom", "8.2" },
	{ "share", "2.1" },
};

/**
 * struct Setter - A backend under construction
 * @tree:  its properties so far
 * @caps:  of the QEMU that will read them
 * @names: the properties that QEMU has for this type of backend
 */
typedef struct {
	ExmJson *tree;
	const ExmCaps *caps;
	char *const *names;
} Setter;

/* The user's word for a property. */
static const char *key_of(const char *name)
{
	return strcmp(name, "discard-data") == 0 ? "discard" : name;
}

static const char *since_of(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(properties); i++)
		if (strcmp(properties[i].name, name) == 0)
			return properties[i].since;
	g_assert_not_reached();
}

/* A property that the user asked for, or that his request cannot do without. */
static bool set_asked(const Setter *setter, const char *name, ExmJson *value, GError **error)
{
	g_autoptr(ExmJson) taken = value;

	if (!exm_caps_has(setter->names, name))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' needs QEMU %s; '%s' is %s and has it not", key_of(name),
		                 since_of(name), setter->caps->path, setter->caps->version);
	json_object_object_add(setter->tree, name, g_steal_pointer(&taken));
	return true;
}

/* A property that is only our default: left out where QEMU has it not. */
static void set_default(const Setter *setter, const char *name, bool on)
{
	if (exm_caps_has(setter->names, name))
		exm_json_set_bool(setter->tree, name, on);
}

static bool set_switches(const Setter *setter, const ExmMemoryInput *in, bool is_file, GError **error)
{
	const ExmMemoryOption *option = in->option;
	const struct {
		const char *name;
		ExmSwitch value;
		bool file_only;
	} switches[] = {
		{ "discard-data", option->discard, true },
		{ "prealloc", exm_memory_is_preallocated(in) ? EXM_SWITCH_ON : EXM_SWITCH_UNSET,
		  false },
		{ "merge", option->merge, false },
		{ "dump", option->dump, false },
		{ "pmem", option->pmem, true },
		{ "reserve", option->reserve, false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
		if (switches[i].value == EXM_SWITCH_UNSET || (switches[i].file_only && !is_file))
			continue;
		if (!set_asked(setter, switches[i].name,
		               json_object_new_boolean(switches[i].value == EXM_SWITCH_ON), error))
			return false;
	}
	return true;
}

static bool set_numbers(const Setter *setter, const ExmMemoryInput *in, bool is_file, GError **error)
{
	const ExmMemoryOption *option = in->option;
	const bool device = in->place->kind == EXM_PLACE_DAX;
	const struct {
		const char *name;
		uint64_t value;
		bool file_only;
	} numbers[] = {
		{ "prealloc-threads", option->prealloc_threads, false },
		{ "align",
		  option->align ? option->align
		  : device      ? in->place->page_size
		                : 0,
		  true },
		{ "offset", option->offset, true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
		if (!numbers[i].value || (numbers[i].file_only && !is_file))
			continue;
		if (!set_asked(setter, numbers[i].name, json_object_new_uint64(numbers[i].value),
		               error))
			return false;
	}
	return true;
}

static ExmJson *nodes_to_json(const GArray *nodes)
{
	ExmJson *list = json_object_new_array();

	for (guint i = 0; i < nodes->len; i++)
		json_object_array_add(list, json_object_new_int((int)g_array_index(nodes, guint, i)));
	return list;
}

static bool set_policy(const Setter *setter, const ExmMemoryOption *option, GError **error)
{
	const char *policy = option->policy ? option->policy : option->host_nodes ? "bind" : NULL;

	if (policy && !set_asked(setter, "policy", json_object_new_string(policy), error))
		return false;
	return !option->host_nodes ||
	       set_asked(setter, "host-nodes", nodes_to_json(option->host_nodes), error);
}

static void set_file_defaults(const Setter *setter, const ExmMemoryInput *in)
{
	const ExmMemoryOption *option = in->option;
	const bool shared = exm_memory_is_shared(in);

	/* The file of mode=temp is gone with the guest: writing its pages back would be wasted work. */
	if (option->discard == EXM_SWITCH_UNSET && option->mode == EXM_MODE_TEMP && shared &&
	    in->place->can_punch && !in->guest->lock_memory)
		set_default(setter, "discard-data", true);
	/*
	 * A file that must not change is best opened so that it cannot: QEMU, docs/system/
	 * vm-templating.rst. Without rom=off, readonly=on would make the guest's memory a ROM.
	 */
	if (!shared && option->mode == EXM_MODE_OPEN && exm_caps_has(setter->names, "rom")) {
		set_default(setter, "readonly", true);
		json_object_object_add(setter->tree, "rom", json_object_new_string("off"));
	}
}

static bool set_common(const Setter *setter, const ExmMemoryInput *in, bool is_file, GError **error)
{
	return set_switches(setter, in, is_file, error) &&
	       set_numbers(setter, in, is_file, error) && set_policy(setter, in->option, error);
}

static ExmJson *new_tree(const char *type, const ExmBlock *block)
{
	ExmJson *tree = json_object_new_object();

	exm_json_set_string(tree, "qom-type", type);
	exm_json_set_string(tree, "id", block->id);
	exm_json_set_uint(tree, "size", block->size);
	return tree;
}

/**
 * exm_backend_new_file() - The backend of a block that lives in a file or device
 * @in:    the situation, checked by exm_memory_check()
 * @block: the block
 * @path:  by which QEMU opens the file: its own, or /proc/self/fd/N where it has no name
 * @error: UNSUPPORTED for a property that the user asked for and this QEMU has not
 *
 * Return: the properties as an object (transfer full), as object-add takes them; or NULL.
 */
ExmJson *exm_backend_new_file(const ExmMemoryInput *in, const ExmBlock *block, const char *path,
                              GError **error)
{
	g_autoptr(ExmJson) tree = new_tree("memory-backend-file", block);
	const Setter setter = { tree, in->caps, in->caps->file_properties };

	exm_json_set_string(tree, "mem-path", path);
	exm_json_set_bool(tree, "share", exm_memory_is_shared(in));
	if (!set_common(&setter, in, true, error))
		return NULL;
	set_file_defaults(&setter, in);
	return g_steal_pointer(&tree);
}

/**
 * exm_backend_new_anonymous() - The backend of a block for which there was no room in a file
 * @in:    the situation
 * @block: the block
 * @error: UNSUPPORTED for a property that the user asked for and this QEMU has not
 *
 * Return: the properties as an object (transfer full), or NULL.
 */
ExmJson *exm_backend_new_anonymous(const ExmMemoryInput *in, const ExmBlock *block, GError **error)
{
	g_autoptr(ExmJson) tree = new_tree("memory-backend-ram", block);
	const Setter setter = { tree, in->caps, in->caps->ram_properties };

	return set_common(&setter, in, false, error) ? g_steal_pointer(&tree) : NULL;
}

static void append_value(GString *text, const char *name, ExmJson *value)
{
	g_autofree char *escaped = exm_keyval_escape(json_object_get_string(value));

	if (json_object_is_type(value, json_type_boolean))
		g_string_append_printf(text, ",%s=%s", name,
		                       json_object_get_boolean(value) ? "on" : "off");
	else
		g_string_append_printf(text, ",%s=%s", name, escaped);
}

/* Lists are written by naming the key again (QEMU, qapi/opts-visitor.c). */
static void append_property(GString *text, const char *name, ExmJson *value)
{
	if (!json_object_is_type(value, json_type_array)) {
		append_value(text, name, value);
		return;
	}
	for (size_t i = 0; i < exm_json_length(value); i++)
		append_value(text, name, json_object_array_get_idx(value, i));
}

/**
 * exm_backend_print() - A backend as the argument of -object
 * @backend: its properties
 *
 * Return: "memory-backend-file,id=...,size=..." (transfer full); commas in values are doubled.
 */
char *exm_backend_print(ExmJson *backend)
{
	g_autoptr(GString) text = g_string_new(NULL);

	json_object_object_foreach(backend, name, value) {
		if (strcmp(name, "qom-type") == 0)
			g_string_append(text, json_object_get_string(value));
		else
			append_property(text, name, value);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}
