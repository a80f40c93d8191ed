/* SPDX-License-Identifier: GPL-2.0-or-later */
/* caps.c - What one QEMU binary can do, as a value and as JSON */

#include "plan/caps.h"

#include <string.h>

#include "base/error.h"

const char *const exm_caps_wanted_devices[] = {
	"nvdimm", "pc-dimm", "virtio-balloon-pci", "virtio-pmem-pci", "vmgenid", NULL,
};

const char *const exm_caps_wanted_objects[] = { "monitor-hmp", NULL };

/* Counts up when a member changes its meaning. */
#define SCHEMA 1

/* Nova, doc/source/admin/file-backed-memory.rst and virtual-persistent-memory.rst */
static const ExmGate gates[] = {
	{ "file-backing", "file backing", 2, 6 },
	{ "discard", "discard", 2, 10 },
	{ "vpmem", "vPMEM", 3, 1 },
};

/* The lists of names, so that reading and printing cannot differ. */
static const struct {
	const char *name;
	size_t offset;
} lists[] = {
	{ "accelerators", G_STRUCT_OFFSET(ExmCaps, accelerators) },
	{ "file-properties", G_STRUCT_OFFSET(ExmCaps, file_properties) },
	{ "ram-properties", G_STRUCT_OFFSET(ExmCaps, ram_properties) },
	{ "migration-capabilities", G_STRUCT_OFFSET(ExmCaps, migration_capabilities) },
	{ "transports", G_STRUCT_OFFSET(ExmCaps, transports) },
	{ "devices", G_STRUCT_OFFSET(ExmCaps, devices) },
	{ "objects", G_STRUCT_OFFSET(ExmCaps, objects) },
};

/**
 * exm_machine_new() - A machine type
 * @name:       versioned name
 * @alias:      short name, or NULL
 * @ram_id:     id of main memory, or NULL
 * @is_default: whether QEMU takes it by default
 *
 * Return: the machine (transfer full).
 */
ExmMachine *exm_machine_new(const char *name, const char *alias, const char *ram_id, bool is_default)
{
	ExmMachine *machine = g_new0(ExmMachine, 1);

	machine->name = g_strdup(name);
	machine->alias = g_strdup(alias);
	machine->ram_id = g_strdup(ram_id);
	machine->is_default = is_default;
	return machine;
}

/**
 * exm_machine_free() - Free a machine type
 * @machine: may be NULL
 */
void exm_machine_free(ExmMachine *machine)
{
	if (!machine)
		return;
	g_free(machine->name);
	g_free(machine->alias);
	g_free(machine->ram_id);
	g_free(machine);
}

static void machine_destroy(gpointer data)
{
	exm_machine_free(data);
}

/**
 * exm_caps_new() - Capabilities of a binary that can do nothing yet
 *
 * Return: the capabilities (transfer full); every list is NULL until it is filled.
 */
ExmCaps *exm_caps_new(void)
{
	ExmCaps *caps = g_new0(ExmCaps, 1);

	caps->machines = g_ptr_array_new_with_free_func(machine_destroy);
	return caps;
}

/**
 * exm_caps_free() - Free capabilities
 * @caps: may be NULL
 */
void exm_caps_free(ExmCaps *caps)
{
	if (!caps)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		g_strfreev(G_STRUCT_MEMBER(char **, caps, lists[i].offset));
	g_ptr_array_unref(caps->machines);
	g_free(caps->path);
	g_free(caps->version);
	g_free(caps->package);
	g_free(caps->target);
	g_free(caps);
}

static ExmJson *machines_to_json(const GPtrArray *machines)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < machines->len; i++) {
		const ExmMachine *machine = machines->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "name", machine->name);
		if (machine->alias)
			exm_json_set_string(item, "alias", machine->alias);
		if (machine->ram_id)
			exm_json_set_string(item, "ram-id", machine->ram_id);
		if (machine->is_default)
			exm_json_set_bool(item, "default", true);
		json_object_array_add(array, item);
	}
	return array;
}

static ExmJson *gates_to_json(const ExmCaps *caps)
{
	ExmJson *object = json_object_new_object();

	for (size_t i = 0; i < G_N_ELEMENTS(gates); i++)
		exm_json_set_bool(object, gates[i].key,
		                  exm_caps_at_least(caps, gates[i].major, gates[i].minor));
	return object;
}

static const char *const *list_of(const ExmCaps *caps, size_t offset)
{
	const char *const *list;

	memcpy(&list, (const char *)caps + offset, sizeof(list));
	return list;
}

/**
 * exm_caps_to_json() - Write capabilities as JSON
 * @caps: the capabilities
 *
 * Return: an object (transfer full), described in exomem-probe(1).
 */
ExmJson *exm_caps_to_json(const ExmCaps *caps)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "schema", SCHEMA);
	exm_json_set_string(json, "path", caps->path);
	exm_json_set_string(json, "version", caps->version);
	exm_json_set_string(json, "package", caps->package);
	exm_json_set_string(json, "target", caps->target);
	json_object_object_add(json, "gates", gates_to_json(caps));
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		exm_json_set_strv(json, lists[i].name, list_of(caps, lists[i].offset));
	json_object_object_add(json, "machines", machines_to_json(caps->machines));
	return json;
}

static bool read_version(ExmCaps *caps)
{
	g_auto(GStrv) numbers = g_strsplit(caps->version, ".", 3);
	int *const fields[] = { &caps->major, &caps->minor, &caps->micro };

	if (g_strv_length(numbers) != G_N_ELEMENTS(fields))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		guint64 number;

		if (!g_ascii_string_to_unsigned(numbers[i], 10, 0, G_MAXINT16, &number, NULL))
			return false;
		*fields[i] = (int)number;
	}
	return true;
}

static bool read_machines(ExmJson *json, GPtrArray *machines)
{
	ExmJson *array = exm_json_member(json, "machines");

	if (!json_object_is_type(array, json_type_array))
		return false;
	for (size_t i = 0; i < exm_json_length(array); i++) {
		ExmJson *item = json_object_array_get_idx(array, i);

		if (!exm_json_get_string(item, "name"))
			return false;
		g_ptr_array_add(machines, exm_machine_new(exm_json_get_string(item, "name"),
		                                          exm_json_get_string(item, "alias"),
		                                          exm_json_get_string(item, "ram-id"),
		                                          exm_json_get_bool(item, "default")));
	}
	return true;
}

static bool read_lists(ExmJson *json, ExmCaps *caps)
{
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		char **list = exm_json_get_strv(json, lists[i].name);

		if (!list)
			return false;
		G_STRUCT_MEMBER(char **, caps, lists[i].offset) = list;
	}
	return true;
}

/**
 * exm_caps_from_json() - Read capabilities back
 * @json:  what exm_caps_to_json() wrote
 * @error: SYSTEM where a part is missing or of another type
 *
 * Return: the capabilities (transfer full), or NULL.
 */
ExmCaps *exm_caps_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmCaps) caps = exm_caps_new();

	caps->path = g_strdup(exm_json_get_string(json, "path"));
	caps->version = g_strdup(exm_json_get_string(json, "version"));
	caps->package = g_strdup(exm_json_get_string(json, "package"));
	caps->target = g_strdup(exm_json_get_string(json, "target"));
	if (!caps->path || !caps->version || !caps->package || !caps->target ||
	    !read_version(caps) || !read_lists(json, caps) || !read_machines(json, caps->machines)) {
		exm_throw(error, EXM_ERROR_SYSTEM, "recorded QEMU capabilities are incomplete");
		return NULL;
	}
	return g_steal_pointer(&caps);
}

/**
 * exm_caps_machine() - Find a machine type
 * @caps: the capabilities
 * @type: name or alias; NULL for the default machine
 *
 * Return: the machine (borrowed), or NULL where this QEMU has none such.
 */
const ExmMachine *exm_caps_machine(const ExmCaps *caps, const char *type)
{
	for (guint i = 0; i < caps->machines->len; i++) {
		const ExmMachine *machine = caps->machines->pdata[i];

		if (type ? strcmp(machine->name, type) == 0 || g_strcmp0(machine->alias, type) == 0
		         : machine->is_default)
			return machine;
	}
	return NULL;
}

/**
 * exm_caps_has() - Whether a list of capabilities holds a name
 * @list: a list of ExmCaps, may be NULL
 * @name: a property, capability or device
 */
bool exm_caps_has(char *const *list, const char *name)
{
	return list && g_strv_contains((const char *const *)list, name);
}

/**
 * exm_caps_at_least() - Whether the binary's version is not below another
 * @caps:  the capabilities
 * @major: of the version to compare with
 * @minor: of the same
 */
bool exm_caps_at_least(const ExmCaps *caps, int major, int minor)
{
	return caps->major > major || (caps->major == major && caps->minor >= minor);
}

/**
 * exm_caps_gates() - Nova's minimum versions
 * @ret_count: number of gates
 *
 * Return: the gates.
 */
const ExmGate *exm_caps_gates(size_t *ret_count)
{
	*ret_count = G_N_ELEMENTS(gates);
	return gates;
}
