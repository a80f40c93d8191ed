/* SPDX-License-Identifier: GPL-2.0-or-later */
/* namespace.c - A namespace of persistent memory: facts, and what is wrong with it for a guest */

#include "plan/namespace.h"

#include <string.h>

#include "base/error.h"
#include "base/record.h"

static const char *const mode_names[] = { "raw",    "fsdax",      "sector",
	                                  "devdax", "system-ram", "unknown" };

const ExmEnumTable exm_namespace_modes = { "mode", mode_names, G_N_ELEMENTS(mode_names) };

/* As `ndctl list` calls them, where it has the same. */
static const ExmField fields[] = {
	EXM_FIELD(ExmNamespace, "dev", STRING, device, true),
	EXM_FIELD(ExmNamespace, "name", STRING, name, false),
	EXM_FIELD(ExmNamespace, "uuid", STRING, uuid, false),
	{ .name = "mode",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmNamespace, mode),
	  .required = true,
	  .names = &exm_namespace_modes },
	EXM_FIELD(ExmNamespace, "disabled", BOOL, disabled, false),
	EXM_FIELD(ExmNamespace, "size", UINT, size, true),
	EXM_FIELD(ExmNamespace, "align", UINT, align, false),
	EXM_FIELD(ExmNamespace, "on-node", BOOL, on_node, false),
	EXM_FIELD(ExmNamespace, "numa-node", UINT, node, false),
	EXM_FIELD(ExmNamespace, "map", STRING, map, false),
	EXM_FIELD(ExmNamespace, "persistence-domain", STRING, persistence, false),
	EXM_FIELD(ExmNamespace, "health", STRING, health, false),
	EXM_FIELD(ExmNamespace, "path", STRING, path, false),
	EXM_FIELD(ExmNamespace, "no-access", STRING, no_access, false),
	EXM_FIELD(ExmNamespace, "locked-by", UINT, locked_by, false),
	EXM_FIELD(ExmNamespace, "used-by", STRING, used_by, false),
};

static const ExmLayout layout = { "namespace", sizeof(ExmNamespace), fields, G_N_ELEMENTS(fields),
	                          false };

/**
 * exm_namespace_new() - A namespace that nothing is known of
 *
 * Return: the namespace (transfer full).
 */
ExmNamespace *exm_namespace_new(void)
{
	return exm_record_new(&layout);
}

/**
 * exm_namespace_free() - Free a namespace
 * @namespace: may be NULL
 */
void exm_namespace_free(ExmNamespace *namespace)
{
	exm_record_free(&layout, namespace);
}

/**
 * exm_namespace_to_json() - Write a namespace as JSON
 * @namespace: the namespace
 *
 * Return: an object (transfer full), described in exomem-pmem(1).
 */
ExmJson *exm_namespace_to_json(const ExmNamespace *namespace)
{
	return exm_record_to_json(&layout, namespace);
}

/**
 * exm_namespace_from_json() - Read a namespace back
 * @json:  what exm_namespace_to_json() wrote
 * @error: SYSTEM where a member is unknown, of another type, or needed and absent
 *
 * Return: the namespace (transfer full), or NULL.
 */
ExmNamespace *exm_namespace_from_json(ExmJson *json, GError **error)
{
	return exm_record_from_json(&layout, json, error);
}

/**
 * exm_namespace_title() - What a person calls a namespace
 * @namespace: the namespace
 *
 * Return: its name, else the kernel's (borrowed).
 */
const char *exm_namespace_title(const ExmNamespace *namespace)
{
	return namespace->name ? namespace->name : namespace->device;
}

static gint compare(gconstpointer a, gconstpointer b)
{
	const ExmNamespace *one = *(ExmNamespace *const *)a;
	const ExmNamespace *two = *(ExmNamespace *const *)b;
	const int order = strcmp(exm_namespace_title(one), exm_namespace_title(two));

	return order ? order : strcmp(one->device, two->device);
}

/**
 * exm_namespaces_sort() - Put namespaces into the order of their names
 * @namespaces: of ExmNamespace
 */
void exm_namespaces_sort(GPtrArray *namespaces)
{
	g_ptr_array_sort(namespaces, compare);
}

/**
 * exm_namespaces_find_uuid() - The namespace of an identity
 * @namespaces: of ExmNamespace
 * @uuid:       of it
 *
 * Return: the namespace (borrowed), or NULL.
 */
ExmNamespace *exm_namespaces_find_uuid(const GPtrArray *namespaces, const char *uuid)
{
	for (guint i = 0; i < namespaces->len; i++) {
		ExmNamespace *namespace = namespaces->pdata[i];

		if (g_strcmp0(namespace->uuid, uuid) == 0)
			return namespace;
	}
	return NULL;
}

/**
 * exm_namespaces_find_path() - The namespace that a device is
 * @namespaces: of ExmNamespace
 * @path:       "/dev/dax0.0"
 *
 * Return: the namespace (borrowed), or NULL.
 */
ExmNamespace *exm_namespaces_find_path(const GPtrArray *namespaces, const char *path)
{
	for (guint i = 0; i < namespaces->len; i++) {
		ExmNamespace *namespace = namespaces->pdata[i];

		if (g_strcmp0(namespace->path, path) == 0)
			return namespace;
	}
	return NULL;
}

static bool throw_missing(const GPtrArray *namespaces, const char *word, GError **error)
{
	g_autofree const char **names = g_new0(const char *, namespaces->len + 1);
	const char *near;

	for (guint i = 0; i < namespaces->len; i++)
		names[i] = exm_namespace_title(namespaces->pdata[i]);
	near = exm_nearest(word, names, namespaces->len);
	if (near)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "namespace '%s' is not on this host (did you mean '%s'?)", word,
		                 near);
	return exm_throw(error, EXM_ERROR_USAGE, "namespace '%s' is not on this host", word);
}

/**
 * exm_namespaces_find() - The namespace that a word means
 * @namespaces:    of ExmNamespace
 * @word:          its name, or else its uuid, or the kernel's name for it
 * @ret_namespace: the namespace (borrowed)
 * @error:         USAGE where there is none, or more than one of that name
 */
bool exm_namespaces_find(const GPtrArray *namespaces, const char *word,
                         ExmNamespace **ret_namespace, GError **error)
{
	ExmNamespace *named = NULL, *other = NULL;

	for (guint i = 0; i < namespaces->len; i++) {
		ExmNamespace *namespace = namespaces->pdata[i];

		if (g_strcmp0(namespace->name, word) == 0) {
			/* Nothing in the hardware keeps names apart. */
			if (named)
				return exm_throw(error, EXM_ERROR_USAGE,
				                 "'%s' and '%s' are both called '%s': name one by its "
				                 "uuid, which 'exomem pmem list' shows",
				                 named->device, namespace->device, word);
			named = namespace;
		}
		if (g_strcmp0(namespace->uuid, word) == 0 || strcmp(namespace->device, word) == 0)
			other = namespace;
	}
	if (!named && !other)
		return throw_missing(namespaces, word, error);
	*ret_namespace = named ? named : other;
	return true;
}

/**
 * exm_namespace_check() - Refuse a namespace that no guest can have as it is
 * @namespace: the namespace
 * @error:     UNSUPPORTED, with what to do
 *
 * Whether somebody uses it now is another question.
 */
bool exm_namespace_check(const ExmNamespace *namespace, GError **error)
{
	const char *title = exm_namespace_title(namespace);

	/*
	 * First: without its driver a namespace has another mode than it will have again (Linux,
	 * drivers/nvdimm/namespace_devs.c, mode_show()), and what follows from that mode destroys data.
	 */
	if (namespace->disabled)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "namespace '%s' is disabled: 'ndctl enable-namespace %s' enables it",
		                 title, namespace->device);
	if (namespace->mode == EXM_NAMESPACE_SYSTEM_RAM)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "namespace '%s' is memory of this host: 'daxctl reconfigure-device -m "
		                 "devdax' makes it a device again",
		                 title);
	if (namespace->mode != EXM_NAMESPACE_DEVDAX)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "namespace '%s' is in mode %s: 'ndctl create-namespace -f -e %s -m "
		                 "devdax' makes it a device, and its data are lost",
		                 title, exm_enum_name(&exm_namespace_modes, (int)namespace->mode),
		                 namespace->device);
	if (!namespace->path)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "namespace '%s' has no device in /dev: is the module device_dax "
		                 "loaded?",
		                 title);
	if (!namespace->uuid)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "namespace '%s' has no uuid by which its guest could be remembered",
		                 title);
	return true;
}
