/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct json_object ExmJson;

void exm_json_put(ExmJson *json);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmJson, exm_json_put)

ExmJson *exm_json_parse(const char *text, size_t length, GError **error);
ExmJson *exm_json_parse_plain(const char *text, size_t length, GError **error);
char *exm_json_print(ExmJson *json, bool pretty);
char *exm_json_print_plain(ExmJson *json, GError **error);
ExmJson *exm_json_member(ExmJson *object, const char *name);
const char *exm_json_get_string(ExmJson *object, const char *name);
uint64_t exm_json_get_uint(ExmJson *object, const char *name);
bool exm_json_get_bool(ExmJson *object, const char *name);
size_t exm_json_length(ExmJson *array);
void exm_json_set_string(ExmJson *object, const char *name, const char *value);
void exm_json_set_uint(ExmJson *object, const char *name, uint64_t value);
void exm_json_set_bool(ExmJson *object, const char *name, bool value);
void exm_json_set_strv(ExmJson *object, const char *name, const char *const *values);
char **exm_json_get_strv(ExmJson *object, const char *name);
