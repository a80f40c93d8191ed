/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - Facts of the host as values and as JSON */

#include "plan/host.h"

#include "base/enumtab.h"
#include "base/error.h"

/**
 * enum FieldType - C type of a member, and with it its JSON type
 * @FIELD_UINT:   uint64_t
 * @FIELD_BOOL:   bool
 * @FIELD_STRING: char *, left out of the JSON where it is NULL
 * @FIELD_KIND:   ExmPlaceKind, by name
 */
typedef enum {
	FIELD_UINT,
	FIELD_BOOL,
	FIELD_STRING,
	FIELD_KIND,
} FieldType;

/**
 * struct Field - One member of a struct of facts
 * @name:     in JSON
 * @type:     of the member
 * @offset:   of the member
 * @required: the facts mean nothing without it; others are zero where they are absent
 */
typedef struct {
	const char *name;
	FieldType type;
	size_t offset;
	bool required;
} Field;

/**
 * struct Layout - All members of a struct of facts, for freeing, writing and reading alike
 * @what:   what an error calls it
 * @fields: the members, in the order they are printed
 * @count:  number of members
 */
typedef struct {
	const char *what;
	const Field *fields;
	size_t count;
} Layout;

static const char *const kind_names[] = {
	"missing",       "directory",    "dax",   "file",
	"dangling-link", "foreign-link", "other", "unreachable",
};

static const ExmEnumTable kinds = { "kind of place", kind_names, G_N_ELEMENTS(kind_names) };

static const Field host_fields[] = {
	{ "euid", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, euid), false },
	{ "page-size", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, page_size), true },
	{ "ram-total", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, ram_total), true },
	{ "ram-available", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, ram_available), true },
	{ "swap-total", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, swap_total), false },
	{ "commit-limit", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, commit_limit), false },
	{ "commit-used", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, commit_used), false },
	{ "overcommit-memory", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, overcommit_memory), false },
	{ "nodes", FIELD_STRING, G_STRUCT_OFFSET(ExmHost, nodes), true },
	{ "first-fd", FIELD_UINT, G_STRUCT_OFFSET(ExmHost, first_fd), true },
};

static const Field place_fields[] = {
	{ "path", FIELD_STRING, G_STRUCT_OFFSET(ExmPlace, path), true },
	{ "kind", FIELD_KIND, G_STRUCT_OFFSET(ExmPlace, kind), true },
	{ "detail", FIELD_STRING, G_STRUCT_OFFSET(ExmPlace, detail), false },
	{ "writable", FIELD_BOOL, G_STRUCT_OFFSET(ExmPlace, writable), false },
	{ "others-write", FIELD_BOOL, G_STRUCT_OFFSET(ExmPlace, others_write), false },
	{ "shared-sticky", FIELD_BOOL, G_STRUCT_OFFSET(ExmPlace, shared_sticky), false },
	{ "file-system", FIELD_STRING, G_STRUCT_OFFSET(ExmPlace, file_system), false },
	{ "in-memory", FIELD_BOOL, G_STRUCT_OFFSET(ExmPlace, in_memory), false },
	{ "page-size", FIELD_UINT, G_STRUCT_OFFSET(ExmPlace, page_size), false },
	{ "free", FIELD_UINT, G_STRUCT_OFFSET(ExmPlace, free), false },
	{ "can-punch", FIELD_BOOL, G_STRUCT_OFFSET(ExmPlace, can_punch), false },
	{ "can-reserve", FIELD_BOOL, G_STRUCT_OFFSET(ExmPlace, can_reserve), false },
	{ "unnamed-files", FIELD_BOOL, G_STRUCT_OFFSET(ExmPlace, unnamed_files), false },
};

static const Field file_fields[] = {
	{ "path", FIELD_STRING, G_STRUCT_OFFSET(ExmFileFacts, path), true },
	{ "exists", FIELD_BOOL, G_STRUCT_OFFSET(ExmFileFacts, exists), true },
	{ "regular", FIELD_BOOL, G_STRUCT_OFFSET(ExmFileFacts, regular), false },
	{ "owner", FIELD_UINT, G_STRUCT_OFFSET(ExmFileFacts, owner), false },
	{ "size", FIELD_UINT, G_STRUCT_OFFSET(ExmFileFacts, size), false },
	{ "allocated", FIELD_UINT, G_STRUCT_OFFSET(ExmFileFacts, allocated), false },
	{ "readable", FIELD_BOOL, G_STRUCT_OFFSET(ExmFileFacts, readable), false },
	{ "writable", FIELD_BOOL, G_STRUCT_OFFSET(ExmFileFacts, writable), false },
	{ "template", FIELD_STRING, G_STRUCT_OFFSET(ExmFileFacts, template_name), false },
};

static const Layout host_layout = { "host", host_fields, G_N_ELEMENTS(host_fields) };
static const Layout place_layout = { "place", place_fields, G_N_ELEMENTS(place_fields) };
static const Layout file_layout = { "file", file_fields, G_N_ELEMENTS(file_fields) };

static void facts_free(const Layout *layout, void *facts)
{
	if (!facts)
		return;
	for (size_t i = 0; i < layout->count; i++)
		if (layout->fields[i].type == FIELD_STRING)
			g_free(G_STRUCT_MEMBER(char *, facts, layout->fields[i].offset));
	g_free(facts);
}

static void field_write(const Field *field, const void *facts, ExmJson *json)
{
	gconstpointer member = (const char *)facts + field->offset;
	const char *text = NULL;

	switch (field->type) {
	case FIELD_UINT:
		exm_json_set_uint(json, field->name, *(const uint64_t *)member);
		return;
	case FIELD_BOOL:
		exm_json_set_bool(json, field->name, *(const bool *)member);
		return;
	case FIELD_STRING:
		text = *(char *const *)member;
		break;
	case FIELD_KIND:
		text = exm_enum_name(&kinds, *(const ExmPlaceKind *)member);
		break;
	}
	if (text)
		exm_json_set_string(json, field->name, text);
}

static ExmJson *facts_to_json(const Layout *layout, const void *facts)
{
	ExmJson *json = json_object_new_object();

	for (size_t i = 0; i < layout->count; i++)
		field_write(&layout->fields[i], facts, json);
	return json;
}

static bool field_fits(const Field *field, ExmJson *value)
{
	switch (field->type) {
	case FIELD_UINT:
		return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0;
	case FIELD_BOOL:
		return json_object_is_type(value, json_type_boolean);
	case FIELD_STRING:
	case FIELD_KIND:
		break;
	}
	return json_object_is_type(value, json_type_string);
}

static bool field_read(const Field *field, ExmJson *value, void *facts, GError **error)
{
	gpointer member = (char *)facts + field->offset;
	int kind;

	switch (field->type) {
	case FIELD_UINT:
		*(uint64_t *)member = json_object_get_uint64(value);
		break;
	case FIELD_BOOL:
		*(bool *)member = json_object_get_boolean(value);
		break;
	case FIELD_STRING:
		*(char **)member = g_strdup(json_object_get_string(value));
		break;
	case FIELD_KIND:
		if (!exm_enum_parse(&kinds, json_object_get_string(value), &kind, error))
			return false;
		*(ExmPlaceKind *)member = (ExmPlaceKind)kind;
		break;
	}
	return true;
}

static bool has_unknown_member(const Layout *layout, ExmJson *json, GError **error)
{
	json_object_object_foreach(json, name, value) {
		size_t i = 0;

		while (i < layout->count && !g_str_equal(layout->fields[i].name, name))
			i++;
		if (i == layout->count) {
			exm_throw(error, EXM_ERROR_SYSTEM, "recorded %s: '%s' is not known",
			          layout->what, name);
			return true;
		}
		(void)value;
	}
	return false;
}

static bool facts_from_json(const Layout *layout, ExmJson *json, void *facts, GError **error)
{
	if (!json_object_is_type(json, json_type_object))
		return exm_throw(error, EXM_ERROR_SYSTEM, "recorded %s is not an object",
		                 layout->what);
	/* A misspelt member would else be read as absent, which is zero. */
	if (has_unknown_member(layout, json, error))
		return false;
	for (size_t i = 0; i < layout->count; i++) {
		const Field *field = &layout->fields[i];
		ExmJson *value = exm_json_member(json, field->name);

		if (!value && !field->required)
			continue;
		if (!field_fits(field, value))
			return exm_throw(error, EXM_ERROR_SYSTEM,
			                 "recorded %s: '%s' is missing or of another type",
			                 layout->what, field->name);
		if (!field_read(field, value, facts, error))
			return false;
	}
	return true;
}

/**
 * exm_host_free() - Free facts of the host
 * @host: may be NULL
 */
void exm_host_free(ExmHost *host)
{
	facts_free(&host_layout, host);
}

/**
 * exm_host_to_json() - Write facts of the host as JSON
 * @host: the facts
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_host_to_json(const ExmHost *host)
{
	return facts_to_json(&host_layout, host);
}

/**
 * exm_host_from_json() - Read facts of the host back
 * @json:  what exm_host_to_json() wrote
 * @error: SYSTEM where a member is unknown, of another type, or needed and absent
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmHost *exm_host_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmHost) host = g_new0(ExmHost, 1);

	if (!facts_from_json(&host_layout, json, host, error))
		return NULL;
	return g_steal_pointer(&host);
}

/**
 * exm_place_free() - Free facts of a place
 * @place: may be NULL
 */
void exm_place_free(ExmPlace *place)
{
	facts_free(&place_layout, place);
}

/**
 * exm_place_to_json() - Write facts of a place as JSON
 * @place: the facts
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_place_to_json(const ExmPlace *place)
{
	return facts_to_json(&place_layout, place);
}

/**
 * exm_place_from_json() - Read facts of a place back
 * @json:  what exm_place_to_json() wrote
 * @error: as for exm_host_from_json(), or USAGE for a kind that does not exist
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmPlace *exm_place_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmPlace) place = g_new0(ExmPlace, 1);

	if (!facts_from_json(&place_layout, json, place, error))
		return NULL;
	return g_steal_pointer(&place);
}

/**
 * exm_file_facts_free() - Free facts of a memory file
 * @file: may be NULL
 */
void exm_file_facts_free(ExmFileFacts *file)
{
	facts_free(&file_layout, file);
}

/**
 * exm_file_facts_to_json() - Write facts of a memory file as JSON
 * @file: the facts
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_file_facts_to_json(const ExmFileFacts *file)
{
	return facts_to_json(&file_layout, file);
}

/**
 * exm_file_facts_from_json() - Read facts of a memory file back
 * @json:  what exm_file_facts_to_json() wrote
 * @error: as for exm_host_from_json()
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmFileFacts *exm_file_facts_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmFileFacts) file = g_new0(ExmFileFacts, 1);

	if (!facts_from_json(&file_layout, json, file, error))
		return NULL;
	return g_steal_pointer(&file);
}
