/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.c - Structs that are also JSON, by a table of their members */

#include "base/record.h"

#include "base/error.h"

/**
 * exm_record_new() - An empty record
 * @layout: of it
 *
 * Return: zeroes, and an empty array for each list (transfer full: exm_record_free()).
 */
void *exm_record_new(const ExmLayout *layout)
{
	void *record = g_malloc0(layout->size);

	for (size_t i = 0; i < layout->count; i++)
		if (layout->fields[i].type == EXM_FIELD_LIST)
			G_STRUCT_MEMBER(GPtrArray *, record,
			                layout->fields[i].offset) = g_ptr_array_new();
	return record;
}

static void field_clear(const ExmField *field, gpointer member)
{
	switch (field->type) {
	case EXM_FIELD_STRING:
		g_free(*(char **)member);
		break;
	case EXM_FIELD_STRV:
		g_strfreev(*(char ***)member);
		break;
	case EXM_FIELD_JSON:
		exm_json_put(*(ExmJson **)member);
		break;
	case EXM_FIELD_LIST:
	case EXM_FIELD_UINT:
	case EXM_FIELD_BOOL:
	case EXM_FIELD_ENUM:
		break;
	}
}

static void item_free(const ExmLayout *layout, void *item)
{
	for (size_t i = 0; i < layout->count; i++)
		field_clear(&layout->fields[i], (char *)item + layout->fields[i].offset);
	g_free(item);
}

static void list_free(const ExmLayout *layout, GPtrArray *items)
{
	for (guint i = 0; i < items->len; i++)
		item_free(layout, items->pdata[i]);
	g_ptr_array_unref(items);
}

/**
 * exm_record_free() - Free a record and all that it holds
 * @layout: of it
 * @record: may be NULL
 */
void exm_record_free(const ExmLayout *layout, void *record)
{
	if (!record)
		return;
	for (size_t i = 0; i < layout->count; i++) {
		const ExmField *field = &layout->fields[i];

		if (field->type == EXM_FIELD_LIST)
			list_free(field->items, G_STRUCT_MEMBER(GPtrArray *, record, field->offset));
	}
	item_free(layout, record);
}

static void field_write(const ExmField *field, gconstpointer member, ExmJson *json)
{
	switch (field->type) {
	case EXM_FIELD_UINT:
		exm_json_set_uint(json, field->name, *(const uint64_t *)member);
		break;
	case EXM_FIELD_BOOL:
		exm_json_set_bool(json, field->name, *(const bool *)member);
		break;
	case EXM_FIELD_STRING:
		if (*(char *const *)member)
			exm_json_set_string(json, field->name, *(char *const *)member);
		break;
	case EXM_FIELD_ENUM:
		exm_json_set_string(json, field->name,
		                    exm_enum_name(field->names, *(const int *)member));
		break;
	case EXM_FIELD_STRV:
		if (*(char **const *)member)
			exm_json_set_strv(json, field->name,
			                  (const char *const *)*(char **const *)member);
		break;
	case EXM_FIELD_JSON:
		if (*(ExmJson *const *)member)
			json_object_object_add(json, field->name,
			                       json_object_get(*(ExmJson *const *)member));
		break;
	case EXM_FIELD_LIST:
		break;
	}
}

static ExmJson *item_to_json(const ExmLayout *layout, const void *item)
{
	ExmJson *json = json_object_new_object();

	for (size_t i = 0; i < layout->count; i++)
		field_write(&layout->fields[i], (const char *)item + layout->fields[i].offset, json);
	return json;
}

static ExmJson *list_to_json(const ExmLayout *layout, const GPtrArray *items)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < items->len; i++)
		json_object_array_add(array, item_to_json(layout, items->pdata[i]));
	return array;
}

/**
 * exm_record_to_json() - Write a record as JSON
 * @layout: of it
 * @record: the record
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_record_to_json(const ExmLayout *layout, const void *record)
{
	ExmJson *json = item_to_json(layout, record);

	for (size_t i = 0; i < layout->count; i++) {
		const ExmField *field = &layout->fields[i];

		gconstpointer member = (const char *)record + field->offset;

		if (field->type == EXM_FIELD_LIST)
			json_object_object_add(
				json, field->name,
				list_to_json(field->items, *(GPtrArray *const *)member));
	}
	return json;
}

static bool field_fits(const ExmField *field, ExmJson *value)
{
	switch (field->type) {
	case EXM_FIELD_UINT:
		return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0;
	case EXM_FIELD_BOOL:
		return json_object_is_type(value, json_type_boolean);
	case EXM_FIELD_STRV:
	case EXM_FIELD_LIST:
		return json_object_is_type(value, json_type_array);
	case EXM_FIELD_JSON:
		return json_object_is_type(value, json_type_array) ||
		       json_object_is_type(value, json_type_object);
	case EXM_FIELD_STRING:
	case EXM_FIELD_ENUM:
		break;
	}
	return json_object_is_type(value, json_type_string);
}

static bool field_read(const ExmField *field, ExmJson *json, gpointer member, GError **error)
{
	ExmJson *value = exm_json_member(json, field->name);

	switch (field->type) {
	case EXM_FIELD_UINT:
		*(uint64_t *)member = json_object_get_uint64(value);
		break;
	case EXM_FIELD_BOOL:
		*(bool *)member = json_object_get_boolean(value);
		break;
	case EXM_FIELD_STRING:
		*(char **)member = g_strdup(json_object_get_string(value));
		break;
	case EXM_FIELD_ENUM:
		return exm_enum_parse(field->names, json_object_get_string(value), member, error);
	case EXM_FIELD_STRV:
		*(char ***)member = exm_json_get_strv(json, field->name);
		return *(char ***)member ||
		       exm_throw(error, EXM_ERROR_SYSTEM, "'%s' holds something that is no string",
		                 field->name);
	case EXM_FIELD_JSON:
		*(ExmJson **)member = json_object_get(value);
		break;
	case EXM_FIELD_LIST:
		break;
	}
	return true;
}

static bool has_unknown_member(const ExmLayout *layout, ExmJson *json, GError **error)
{
	json_object_object_foreach(json, name, value) {
		size_t i = 0;

		while (i < layout->count && !g_str_equal(layout->fields[i].name, name))
			i++;
		if (i == layout->count) {
			exm_throw(error, EXM_ERROR_SYSTEM, "%s: '%s' is not known", layout->what,
			          name);
			return true;
		}
		(void)value;
	}
	return false;
}

static bool fields_read(const ExmLayout *layout, ExmJson *json, void *record, GError **error)
{
	for (size_t i = 0; i < layout->count; i++) {
		const ExmField *field = &layout->fields[i];
		ExmJson *value = exm_json_member(json, field->name);

		if (!value && !field->required)
			continue;
		if (!field_fits(field, value))
			return exm_throw(error, EXM_ERROR_SYSTEM,
			                 "%s: '%s' is missing or of another type", layout->what,
			                 field->name);
		if (!field_read(field, json, (char *)record + field->offset, error))
			return false;
	}
	return true;
}

static bool check_members(const ExmLayout *layout, ExmJson *json, GError **error)
{
	if (!json_object_is_type(json, json_type_object))
		return exm_throw(error, EXM_ERROR_SYSTEM, "%s is not an object", layout->what);
	/* A misspelt member would else be read as absent, which is zero. */
	return layout->open || !has_unknown_member(layout, json, error);
}

static bool list_read(const ExmLayout *layout, ExmJson *array, GPtrArray *items, GError **error)
{
	for (size_t i = 0; array && i < exm_json_length(array); i++) {
		ExmJson *json = json_object_array_get_idx(array, i);
		void *item = exm_record_new(layout);

		g_ptr_array_add(items, item);
		if (!check_members(layout, json, error) || !fields_read(layout, json, item, error))
			return false;
	}
	return true;
}

static bool lists_read(const ExmLayout *layout, ExmJson *json, void *record, GError **error)
{
	for (size_t i = 0; i < layout->count; i++) {
		const ExmField *field = &layout->fields[i];

		if (field->type == EXM_FIELD_LIST &&
		    !list_read(field->items, exm_json_member(json, field->name),
		               G_STRUCT_MEMBER(GPtrArray *, record, field->offset), error))
			return false;
	}
	return true;
}

/**
 * exm_record_from_json() - Read a record back
 * @layout: of it
 * @json:   what exm_record_to_json() wrote
 * @error:  SYSTEM where a member is unknown, of another type, or needed and absent; USAGE for a
 *          name that an enum has not
 *
 * Return: the record (transfer full: exm_record_free()), or NULL.
 */
void *exm_record_from_json(const ExmLayout *layout, ExmJson *json, GError **error)
{
	void *record;

	if (!check_members(layout, json, error))
		return NULL;
	record = exm_record_new(layout);
	if (fields_read(layout, json, record, error) && lists_read(layout, json, record, error))
		return record;
	exm_record_free(layout, record);
	return NULL;
}
