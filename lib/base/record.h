/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/enumtab.h"
#include "base/json.h"

/**
 * enum ExmFieldType - C type of a member, and with it its JSON type
 * @EXM_FIELD_UINT:   uint64_t
 * @EXM_FIELD_BOOL:   bool
 * @EXM_FIELD_STRING: char *, left out of the JSON where it is NULL
 * @EXM_FIELD_ENUM:   an enum, by name
 * @EXM_FIELD_STRV:   char **, an array of strings; left out where it is NULL
 * @EXM_FIELD_JSON:   ExmJson *, an array or object as it is; left out where it is NULL
 * @EXM_FIELD_LIST:   GPtrArray *, of structs with a layout of their own, which has no lists; never
 *                    NULL once read
 */
typedef enum {
	EXM_FIELD_UINT,
	EXM_FIELD_BOOL,
	EXM_FIELD_STRING,
	EXM_FIELD_ENUM,
	EXM_FIELD_STRV,
	EXM_FIELD_JSON,
	EXM_FIELD_LIST,
} ExmFieldType;

typedef struct ExmLayout ExmLayout;

/**
 * struct ExmField - One member of a struct that is also JSON
 * @name:     in JSON
 * @type:     of the member
 * @offset:   of the member
 * @required: the record means nothing without it; others are zero where they are absent
 * @names:    of an enum
 * @items:    layout of a list's items
 */
typedef struct {
	const char *name;
	ExmFieldType type;
	size_t offset;
	bool required;
	const ExmEnumTable *names;
	const ExmLayout *items;
} ExmField;

/**
 * struct ExmLayout - All members of a struct, for freeing, writing and reading alike
 * @what:   what an error calls it
 * @size:   bytes of the struct
 * @fields: the members, in the order they are printed
 * @count:  number of members
 * @open:   members that are not known are passed over: a later exomem may have written them
 */
struct ExmLayout {
	const char *what;
	size_t size;
	const ExmField *fields;
	size_t count;
	bool open;
};

/* A row of a layout's fields: struct, name in JSON, type, member, whether it must be there. */
/* NOLINTBEGIN(bugprone-macro-parentheses): these are names, not values */
#define EXM_FIELD(structure, text, kind, member, needed)                         \
	{                                                                        \
		.name = text, .type = EXM_FIELD_##kind,                          \
		.offset = G_STRUCT_OFFSET(structure, member), .required = needed \
	}

/* NOLINTEND(bugprone-macro-parentheses) */

void *exm_record_new(const ExmLayout *layout);
void exm_record_free(const ExmLayout *layout, void *record);
ExmJson *exm_record_to_json(const ExmLayout *layout, const void *record);
void *exm_record_from_json(const ExmLayout *layout, ExmJson *json, GError **error);
