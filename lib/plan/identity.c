/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.c - A guest's name, its identity blob, and the placeholders for both */

#include "plan/identity.h"

#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"

#define NAME_MAX_LENGTH 64
#define NAME_FORM       "a letter or digit, then up to 63 letters, digits, '_', '.' or '-'"

/**
 * exm_name_check() - Whether a guest or template may be called so
 * @name:  the name
 * @error: USAGE where it may not
 *
 * A name is a file name below the state directory, so nothing may lead out of it.
 */
bool exm_name_check(const char *name, GError **error)
{
	const size_t length = strlen(name);
	bool good = length > 0 && length <= NAME_MAX_LENGTH && g_ascii_isalnum(name[0]);

	for (size_t i = 0; good && i < length; i++)
		good = g_ascii_isalnum(name[i]) || strchr("_.-", name[i]);
	return good ||
	       exm_throw(error, EXM_ERROR_USAGE, "'%s' is not allowed as a name: " NAME_FORM, name);
}

/**
 * exm_identity_print() - The identity blob
 * @identity: who the guest is
 *
 * A line of shell assignments that a guest can read without an agent, padded with spaces to
 * EXM_IDENTITY_SIZE.
 *
 * Return: the text (transfer full).
 */
char *exm_identity_print(const ExmIdentity *identity)
{
	g_autofree char *line = g_strdup_printf(
		"name=%s index=%" G_GUINT32_FORMAT " uuid=%s parent=%s template=%s", identity->name,
		identity->index, identity->uuid, identity->parent ? identity->parent : "",
		identity->origin ? identity->origin : "");

	g_assert(strlen(line) <= EXM_IDENTITY_SIZE);
	return g_strdup_printf("%-*s", EXM_IDENTITY_SIZE, line);
}

static char *value_of_index(const ExmIdentity *identity, const char *name)
{
	guint64 addend = 0;

	if (!g_str_has_prefix(name, "index"))
		return NULL;
	name += strlen("index");
	if (*name && (*name != '+' ||
	              !g_ascii_string_to_unsigned(name + 1, 10, 0, G_MAXUINT32, &addend, NULL)))
		return NULL;
	return g_strdup_printf("%" G_GUINT64_FORMAT, identity->index + addend);
}

/* The value of the placeholder that is called name, or NULL where there is none such. */
static char *value_of(const ExmIdentity *identity, const char *name)
{
	const struct {
		const char *name;
		const char *value;
	} texts[] = {
		{ "name", identity->name },
		{ "uuid", identity->uuid },
		{ "dir", identity->directory },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (strcmp(name, texts[i].name) == 0)
			return g_strdup(texts[i].value);
	return value_of_index(identity, name);
}

static bool throw_placeholder(GError **error, const char *name)
{
	static const char *const names[] = { "dir", "index", "name", "uuid" };
	const char *nearest = exm_nearest(name, names, G_N_ELEMENTS(names));

	if (nearest)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'@{%s}' is not a placeholder (did you mean '@{%s}'?)", name,
		                 nearest);
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "'@{%s}' is not a placeholder; write '@@{' for a plain '@{'", name);
}

/**
 * exm_identity_is_wanted() - Whether a text holds a placeholder
 * @text: what exm_identity_expand() would be given
 */
bool exm_identity_is_wanted(const char *text)
{
	const char *found = strstr(text, "@{");

	while (found && found > text && found[-1] == '@')
		found = strstr(found + 1, "@{");
	return found && strchr(found, '}');
}

/**
 * exm_identity_expand() - Put a guest's identity into an argument of QEMU
 * @identity: who the guest is
 * @text:     with @{name}, @{uuid}, @{dir}, @{index} or @{index+N}; "@@{" is a plain "@{"
 * @error:    USAGE for a placeholder that is none
 *
 * Return: the text with every placeholder replaced (transfer full), or NULL.
 */
char *exm_identity_expand(const ExmIdentity *identity, const char *text, GError **error)
{
	g_autoptr(GString) expanded = g_string_new(NULL);

	while (*text) {
		const char *end = g_str_has_prefix(text, "@{") ? strchr(text, '}') : NULL;
		g_autofree char *name = NULL;
		g_autofree char *value = NULL;

		if (g_str_has_prefix(text, "@@{")) {
			g_string_append(expanded, "@{");
			text += strlen("@@{");
			continue;
		}
		if (!end) {
			g_string_append_c(expanded, *text++);
			continue;
		}
		name = g_strndup(text + 2, (gsize)(end - text) - 2);
		value = value_of(identity, name);
		if (!value) {
			throw_placeholder(error, name);
			return NULL;
		}
		g_string_append(expanded, value);
		text = end + 1;
	}
	return g_string_free(g_steal_pointer(&expanded), FALSE);
}
