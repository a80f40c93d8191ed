/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - JSON text to json-c objects and back, and members by name and type */

#include "base/json.h"

#include <errno.h>
#include <json-c/json_visit.h>
#include <limits.h>
#include <string.h>

#include "base/error.h"

/* The member of an object that stands for a text which is not UTF-8; see exomem-state(5). */
#define BYTES "bytes"

#define NUMBER_LETTERS "+-.0123456789eE"
/* Outside of strings; json-c takes NaN and names in single quotes, even where it is to be strict. */
#define BARE_LETTERS " \t\r\n{}[]:,aflnrstu" NUMBER_LETTERS

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

/* The value of "\uXXXX", or -1. */
static int code_unit(const char *at)
{
	int value = 0;

	if (at[0] != '\\' || at[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		const int digit = g_ascii_xdigit_value(at[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* Both halves of a pair at once (RFC 8259, 7); json-c would make U+FFFD of one alone. */
static const char *escape_problem(const char *at, size_t *ret_size)
{
	const int unit = code_unit(at);
	const bool paired = unit >= 0xd800 && unit < 0xdc00 && code_unit(at + 6) >= 0xdc00 &&
	                    code_unit(at + 6) < 0xe000;

	*ret_size = at[1] ? 2 : 1;
	if (unit >= 0)
		*ret_size = paired ? 12 : 6;
	if (at[1] && !strchr("\"\\/bfnrtu", at[1]))
		return "unknown escape";
	if (unit == 0)
		return "NUL in a string";
	return unit >= 0xd800 && unit < 0xe000 && !paired ? "half of a surrogate pair" : NULL;
}

static const char *string_problem(const char *at, size_t *ret_size)
{
	if (*at == '\\')
		return escape_problem(at, ret_size);
	*ret_size = (size_t)g_utf8_skip[(guchar)*at];
	return (guchar)*at < ' ' ? "control character in a string" : NULL;
}

/* json-c 0.16 clamps a number that does not fit in 64 bits, 0.18 rejects it. */
static bool is_out_of_range(const char *at)
{
	char *end;

	errno = 0;
	if (*at == '-')
		g_ascii_strtoll(at, &end, 10);
	else
		g_ascii_strtoull(at, &end, 10);
	return errno == ERANGE && (!*end || !strchr(".eE", *end));
}

static const char *bare_problem(const char *at, bool in_number)
{
	if (!strchr(BARE_LETTERS "\"", *at))
		return "unexpected character";
	return !in_number && strchr(NUMBER_LETTERS, *at) && is_out_of_range(at)
	               ? "number out of range"
	               : NULL;
}

static void append_ascii(GString *ascii, const char *at, size_t size)
{
	g_autofree gunichar2 *units = NULL;

	if ((guchar)*at < 0x80) {
		g_string_append_len(ascii, at, (gssize)size);
		return;
	}
	units = g_utf8_to_utf16(at, (glong)size, NULL, NULL, NULL);
	for (size_t i = 0; units[i]; i++)
		g_string_append_printf(ascii, "\\u%04x", units[i]);
}

/*
 * Copies UTF-8 to what json-c reads the same in each version: 0.17 and 0.18 take a letter beyond
 * ASCII for a control character where char has a sign (json_tokener.c, "c <= 0x1f"). Returns where
 * it ended: at a problem, at the end, or where @ascii would become longer than @limit.
 */
static const char *copy_ascii(const char *at, size_t limit, GString *ascii, const char **ret_problem)
{
	bool in_string = false;
	bool in_number = false;

	for (size_t size = 1; *at; at += size, size = 1) {
		*ret_problem = in_string ? string_problem(at, &size) : bare_problem(at, in_number);
		if (*ret_problem)
			return at;
		if (*at == '"')
			in_string = !in_string;
		in_number = !in_string && strchr(NUMBER_LETTERS, *at);
		append_ascii(ascii, at, size);
		if (ascii->len > limit)
			return at;
	}
	return at;
}

static const char *tokener_problem(Tokener *tokener, size_t length, const ExmJson *json)
{
	const enum json_tokener_error problem = json_tokener_get_error(tokener);

	if (problem != json_tokener_success)
		return json_tokener_error_desc(problem);
	if (json_tokener_get_parse_end(tokener) < length)
		return "something follows the value";
	return json ? NULL : "a bare null says nothing";
}

/* Members of objects that a text of JSON has: each has a colon, outside of a string. */
static size_t count_colons(const char *text)
{
	bool in_string = false;
	size_t count = 0;

	for (; *text; text++) {
		if (*text == '"')
			in_string = !in_string;
		else if (in_string && *text == '\\')
			text++;
		else if (!in_string && *text == ':')
			count++;
	}
	return count;
}

/* A json_c_visit_userfunc: counts members of objects. */
static int count_member(G_GNUC_UNUSED ExmJson *json, int flags, G_GNUC_UNUSED ExmJson *parent,
                        const char *name, G_GNUC_UNUSED size_t *index, void *data)
{
	if (name && flags != JSON_C_VISIT_SECOND)
		(*(size_t *)data)++;
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/* Of members with one name json-c keeps the last, and another reader the first. */
static bool has_doubled_member(ExmJson *json, const char *text)
{
	size_t count = 0;

	json_c_visit(json, 0, count_member, &count);
	return count != count_colons(text);
}

/* Sets *ret_offset to where reading ended. */
static ExmJson *parse_utf8(const char *text, size_t *ret_offset, const char **ret_problem)
{
	g_autoptr(Tokener) tokener = json_tokener_new();
	g_autoptr(GString) ascii = g_string_new(NULL);
	g_autoptr(GString) again = g_string_new(NULL);
	g_autoptr(ExmJson) json = NULL;
	const char *none;

	*ret_problem = NULL;
	*ret_offset = (size_t)(copy_ascii(text, SIZE_MAX, ascii, ret_problem) - text);
	if (*ret_problem)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* The NUL is read as well: without it, json-c would wait for more digits of a bare number. */
	json = json_tokener_parse_ex(tokener, ascii->str, -1);
	*ret_problem = tokener_problem(tokener, ascii->len, json);
	if (!*ret_problem && has_doubled_member(json, ascii->str))
		*ret_problem = "an object has a member twice";
	if (!*ret_problem)
		return g_steal_pointer(&json);
	*ret_offset = (size_t)(copy_ascii(text, json_tokener_get_parse_end(tokener), again, &none) -
	                       text);
	return NULL;
}

/**
 * exm_json_parse_plain() - Read one JSON value that another program or a person has written
 * @text:   the text
 * @length: its length
 * @error:  EXM_ERROR_SYSTEM, with the offset in bytes where reading ended; a text that the user
 *          wrote wants another code
 *
 * The text must be strict JSON in UTF-8 (RFC 8259), whichever version of json-c reads it. A string
 * with U+0000 or half of a surrogate pair is refused: no argument, path or UTF-8 text can be that.
 * So is an object with two members of one name, of which readers take the first or the last (RFC
 * 8259, 4), and a bare "null", because json-c has no object for it.
 *
 * Return: (transfer full): the value, or NULL with @error set
 */
ExmJson *exm_json_parse_plain(const char *text, size_t length, GError **error)
{
	const char *problem = "not UTF-8";
	g_autofree char *closed = NULL;
	ExmJson *json = NULL;
	const char *end;
	size_t offset;

	if (length >= INT_MAX) {
		exm_throw(error, EXM_ERROR_SYSTEM, "%zu bytes are too many for JSON", length);
		return NULL;
	}
	closed = g_strndup(text, length);
	if (g_utf8_validate_len(text, length, &end))
		json = parse_utf8(closed, &offset, &problem);
	else
		offset = (size_t)(end - text);
	if (!json)
		exm_throw(error, EXM_ERROR_SYSTEM, "not JSON at byte %zu: %s", offset, problem);
	return json;
}

/* What some base64 stands for (transfer full), or NULL. */
static char *decode(const char *base64)
{
	gsize length;
	g_autofree guchar *data = g_base64_decode(base64, &length);
	g_autofree char *same = g_base64_encode(data, length);
	g_autofree char *text = g_strndup((const char *)data, length);

	/* GLib passes over what is not base64. */
	return strcmp(base64, same) == 0 && strlen(text) == length ? g_steal_pointer(&text) : NULL;
}

/* A json_c_visit_userfunc: puts a string in the place of an object that stands for one. */
/* NOLINTNEXTLINE(readability-non-const-parameter): json-c has the type */
static int read_bytes(ExmJson *json, int flags, ExmJson *parent, const char *name, size_t *index,
                      void *data)
{
	const char *base64 = exm_json_get_string(json, BYTES);
	g_autofree char *text = NULL;

	if (flags != JSON_C_VISIT_SECOND || !parent || !base64 || json_object_object_length(json) != 1)
		return JSON_C_VISIT_RETURN_CONTINUE;
	text = decode(base64);
	if (!text) {
		exm_throw(data, EXM_ERROR_SYSTEM,
		          "not JSON: '%s' is not the base64 of bytes without NUL", base64);
		return JSON_C_VISIT_RETURN_ERROR;
	}
	if (name)
		json_object_object_add(parent, name, json_object_new_string(text));
	else
		json_object_array_put_idx(parent, *index, json_object_new_string(text));
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/**
 * exm_json_parse() - Read one JSON value that exm_json_print() has written
 * @text:   the text
 * @length: its length
 * @error:  as of exm_json_parse_plain(); also where an object does not stand for bytes
 *
 * Each object in another value that has no other member than "bytes", with a string, becomes the
 * string whose base64 that is, whether or not it is UTF-8.
 *
 * Return: (transfer full): the value, or NULL with @error set
 */
ExmJson *exm_json_parse(const char *text, size_t length, GError **error)
{
	g_autoptr(ExmJson) json = exm_json_parse_plain(text, length, error);

	if (json && json_c_visit(json, 0, read_bytes, error) != 0)
		return NULL;
	return g_steal_pointer(&json);
}

/**
 * struct Writer - JSON that is being written
 * @text:     so far
 * @pretty:   over several lines
 * @depth:    how many values are open
 * @not_utf8: a string in it that is not, or NULL
 */
typedef struct {
	GString *text;
	bool pretty;
	int depth;
	const char *not_utf8;
} Writer;

static void begin_line(const Writer *writer)
{
	if (writer->pretty)
		g_string_append_printf(writer->text, "\n%*s", 2 * writer->depth, "");
}

/* json-c escapes as little as JSON allows: '"', '\\' and control characters. */
static void write_scalar(Writer *writer, ExmJson *json)
{
	const bool is_string = json_object_is_type(json, json_type_string);
	const char *text = is_string ? json_object_get_string(json) : "";
	g_autofree char *base64 = NULL;

	if (g_utf8_validate(text, -1, NULL)) {
		g_string_append(writer->text,
		                json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE));
		return;
	}
	writer->not_utf8 = text;
	base64 = g_base64_encode((const guchar *)text, strlen(text));
	g_string_append_printf(writer->text, "{\"" BYTES "\":%s\"%s\"}", writer->pretty ? " " : "",
	                       base64);
}

static void write_name(Writer *writer, const char *name)
{
	g_autoptr(ExmJson) json = json_object_new_string(name);

	write_scalar(writer, json);
	g_string_append(writer->text, writer->pretty ? ": " : ":");
}

/* Whether the last byte opens an array or object; after a string it would be '"'. */
static bool is_empty(const GString *text)
{
	return text->len > 0 && strchr("[{", text->str[text->len - 1]);
}

/*
 * A json_c_visit_userfunc. Versions of json-c differ in what they print of an empty value, and none
 * prints what is not UTF-8 so that all can read it.
 */
static int write_value(ExmJson *json, int flags, ExmJson *parent, const char *name,
                       G_GNUC_UNUSED size_t *index, void *data)
{
	const bool is_object = json_object_is_type(json, json_type_object);
	Writer *writer = data;

	if (flags == JSON_C_VISIT_SECOND) {
		writer->depth--;
		if (!is_empty(writer->text))
			begin_line(writer);
		g_string_append_c(writer->text, is_object ? '}' : ']');
		return JSON_C_VISIT_RETURN_CONTINUE;
	}
	if (parent && !is_empty(writer->text))
		g_string_append_c(writer->text, ',');
	if (parent)
		begin_line(writer);
	if (name)
		write_name(writer, name);
	if (is_object || json_object_is_type(json, json_type_array)) {
		g_string_append_c(writer->text, is_object ? '{' : '[');
		writer->depth++;
	} else {
		write_scalar(writer, json);
	}
	return JSON_C_VISIT_RETURN_CONTINUE;
}

/**
 * exm_json_print() - Write a JSON value
 * @json:   the value; NULL is written as null
 * @pretty: over several lines, for people, instead of on one
 *
 * A string that is not UTF-8 is written as an object, {"bytes": BASE64}, which exm_json_parse()
 * reads back; names of members are the program's own.
 *
 * Return: (transfer full): the text, without a newline at its end; a '/' stands as it is
 */
char *exm_json_print(ExmJson *json, bool pretty)
{
	g_autoptr(GString) text = g_string_new(NULL);
	Writer writer = { .text = text, .pretty = pretty };

	json_c_visit(json, 0, write_value, &writer);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/**
 * exm_json_print_plain() - Write a JSON value, on one line, for a program that knows no bytes
 * @json:  the value
 * @error: UNSUPPORTED, with a string that is not UTF-8
 *
 * Return: (transfer full): the text, or NULL
 */
char *exm_json_print_plain(ExmJson *json, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	Writer writer = { .text = text };

	json_c_visit(json, 0, write_value, &writer);
	if (writer.not_utf8) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED,
		          "'%s' is not UTF-8, and JSON has no other text", writer.not_utf8);
		return NULL;
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
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
 * exm_json_length() - How many values an array has
 * @array: the array; may be NULL or something else, which has none
 *
 * json-c ends the program where it is asked this of something else (json_object.c,
 * json_object_array_length()).
 */
size_t exm_json_length(ExmJson *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
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
