/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - JSON text to json-c objects and back, and members by name and type */

#include "base/json.h"

#include <limits.h>

#include "base/error.h"

typedef struct json_tokener Tokener;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tokener, json_tokener_free)

/**
 * exm_json_put() - Give up a reference to a JSON value
 * @json: the value; may be NULL
 */
void exm_json_put(ExmJson *json)
{
	json_object_put(json);
}

static const char *parse_problem(Tokener *tokener, size_t length)
{
	const enum json_tokener_error problem = json_tokener_get_error(tokener);

	if (problem != json_tokener_success)
		return json_tokener_error_desc(problem);
	if (json_tokener_get_parse_end(tokener) < length)
		return "something follows the value";
	return NULL;
}

/**
 * exm_json_parse() - Read one JSON value
 * @text:   the text
 * @length: its length; a NUL inside is refused
 * @error:  EXM_ERROR_SYSTEM, with the offset in bytes where reading ended; a text that the user
 *          wrote wants another code
 *
 * The text must be strict JSON, with white space only behind the value; json-c 0.16 still takes
 * member names in single quotes and NaN, and makes the nearest number of one that 64 bits do not
 * hold. A bare "null" is refused, because json-c has no object for it.
 *
 * Return: (transfer full): the value, or NULL with @error set
 */
ExmJson *exm_json_parse(const char *text, size_t length, GError **error)
{
	g_autoptr(Tokener) tokener = json_tokener_new();
	g_autoptr(ExmJson) json = NULL;
	g_autofree char *closed = NULL;
	const char *problem;

	if (length >= INT_MAX) {
		exm_throw(error, EXM_ERROR_SYSTEM, "%zu bytes are too many for JSON", length);
		return NULL;
	}
	/* Without a NUL behind it, json-c would wait for more digits of a bare number. */
	closed = g_strndup(text, length);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	json = json_tokener_parse_ex(tokener, closed, -1);
	problem = parse_problem(tokener, length);
	if (problem == NULL && json == NULL)
		problem = "a bare null says nothing";
	if (problem != NULL) {
		exm_throw(error, EXM_ERROR_SYSTEM, "not JSON at byte %zu: %s",
		          json_tokener_get_parse_end(tokener), problem);
		return NULL;
	}
	return g_steal_pointer(&json);
}

/**
 * exm_json_print() - Write a JSON value
 * @json:   the value; NULL is written as null
 * @pretty: over several lines, for people, instead of on one
 *
 * Return: (transfer full): the text, without a newline at its end; a '/' stands as it is
 */
char *exm_json_print(ExmJson *json, bool pretty)
{
	const int style = pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
	                         : JSON_C_TO_STRING_PLAIN;

	return g_strdup(json_object_to_json_string_ext(json, style | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/**
 * exm_json_member() - A member of a JSON object
 * @object: the object; may be NULL or something else, which has no members
 * @name:   the member's name
 *
 * Return: the member, which belongs to @object, or NULL where there is none or it is null
 */
ExmJson *exm_json_member(ExmJson *object, const char *name)
{
	ExmJson *member = NULL;

	json_object_object_get_ex(object, name, &member);
	return member;
}

static ExmJson *member_of_type(ExmJson *object, const char *name, enum json_type type)
{
	ExmJson *member = exm_json_member(object, name);

	return json_object_is_type(member, type) ? member : NULL;
}

/**
 * exm_json_get_string() - A member that is a string
 * @object: the object
 * @name:   the member's name
 *
 * Return: its text, which belongs to @object, or NULL where it is missing or no string
 */
const char *exm_json_get_string(ExmJson *object, const char *name)
{
	return json_object_get_string(member_of_type(object, name, json_type_string));
}

/**
 * exm_json_get_uint() - A member that is a whole number
 * @object: the object
 * @name:   the member's name
 *
 * Return: its value, or 0 where it is missing, negative or no whole number
 */
uint64_t exm_json_get_uint(ExmJson *object, const char *name)
{
	return json_object_get_uint64(member_of_type(object, name, json_type_int));
}

/**
 * exm_json_get_bool() - A member that is true or false
 * @object: the object
 * @name:   the member's name
 *
 * Return: its value, or false where it is missing or something else
 */
bool exm_json_get_bool(ExmJson *object, const char *name)
{
	return json_object_get_boolean(member_of_type(object, name, json_type_boolean)) != 0;
}

/**
 * exm_json_set_string() - Set a member to a string
 * @object: the object
 * @name:   the member's name
 * @value:  the text; NULL takes the member out
 */
void exm_json_set_string(ExmJson *object, const char *name, const char *value)
{
	if (value == NULL)
		json_object_object_del(object, name);
	else
		json_object_object_add(object, name, json_object_new_string(value));
}

/**
 * exm_json_set_uint() - Set a member to a whole number
 * @object: the object
 * @name:   the member's name
 * @value:  the number
 */
void exm_json_set_uint(ExmJson *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_uint64(value));
}

/**
 * exm_json_set_bool() - Set a member to true or false
 * @object: the object
 * @name:   the member's name
 * @value:  the value
 */
void exm_json_set_bool(ExmJson *object, const char *name, bool value)
{
	json_object_object_add(object, name, json_object_new_boolean(value));
}

/**
 * exm_json_set_strv() - Set a member to an array of strings
 * @object: the object
 * @name:   the member's name
 * @values: the texts, closed by NULL; NULL itself is an empty array
 */
void exm_json_set_strv(ExmJson *object, const char *name, const char *const *values)
{
	ExmJson *array = json_object_new_array();

	for (size_t i = 0; values != NULL && values[i] != NULL; i++)
		json_object_array_add(array, json_object_new_string(values[i]));
	json_object_object_add(object, name, array);
}

/**
 * exm_json_get_strv() - A member that is an array of strings
 * @object: the object
 * @name:   the member's name
 *
 * Return: (transfer full): copies of the texts, closed by NULL, for g_strfreev(); or NULL where
 * the member is missing, no array, or holds something that is no string
 */
char **exm_json_get_strv(ExmJson *object, const char *name)
{
	ExmJson *array = member_of_type(object, name, json_type_array);
	g_autoptr(GStrvBuilder) values = g_strv_builder_new();

	if (array == NULL)
		return NULL;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		ExmJson *value = json_object_array_get_idx(array, i);

		if (!json_object_is_type(value, json_type_string))
			return NULL;
		g_strv_builder_add(values, json_object_get_string(value));
	}
	return g_strv_builder_end(values);
}
