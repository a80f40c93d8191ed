/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_template.c - A manifest that is read is written and read again as the same */

#include "plan/template.h"

#include "fuzz.h"
#include "plan/identity.h"
#include "plan/template_check.h"

#define DIRECTORY "/templates/x"

static void check_same(const ExmTemplate *template)
{
	g_autofree char *text = json_text_and_put(exm_template_to_json(template));
	g_autofree char *text_again = NULL;
	g_autoptr(ExmJson) json = json_of(text);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmTemplate) again = exm_template_from_json(json, template->directory, &error);

	g_assert_no_error(error);
	g_assert_cmpstr(again->directory, ==, template->directory);
	g_assert_cmpstr(again->name, ==, template->name);
	g_assert_cmpuint(again->ram_size, ==, template->ram_size);
	g_assert_cmpuint(again->memory->len, ==, template->memory->len);
	g_assert_cmpuint(again->disks->len, ==, template->disks->len);
	g_assert_true(g_strv_equal((const char *const *)again->command,
	                           (const char *const *)template->command));
	text_again = json_text_and_put(exm_template_to_json(again));
	g_assert_cmpstr(text, ==, text_again);
}

/* A file that the manifest does not name by its whole path is in the template's directory. */
static void check_file(const ExmTemplate *template, const char *path)
{
	g_autofree char *whole = exm_template_path(template, path);
	g_autofree char *directory = g_path_get_dirname(whole);

	g_assert_true(g_path_is_absolute(path) || strcmp(directory, DIRECTORY) == 0);
}

/* What the rest of the program takes for granted. */
static void check_sense(const ExmTemplate *template)
{
	g_assert_cmpstr(template->directory, ==, DIRECTORY);
	g_assert_true(exm_name_check(template->name, NULL));
	g_assert_true(exm_name_check(template->parent, NULL));
	g_assert_nonnull(template->command);
	g_assert_nonnull(template->lineage);
	g_assert_cmpuint(template->memory->len, >, 0);
	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];

		g_assert_cmpuint(memory->size, >, 0);
		g_assert_nonnull(exm_template_memory(template, memory->id));
		check_file(template, memory->path);
	}
	for (guint i = 0; i < template->disks->len; i++) {
		const ExmTemplateDisk *disk = template->disks->pdata[i];

		check_file(template, disk->path);
		check_file(template, disk->overlay);
		g_assert_false(g_path_is_absolute(disk->overlay));
	}
}

static void check_files(const ExmTemplate *template)
{
	g_auto(GStrv) paths = exm_template_files(template);

	g_assert_cmpuint(g_strv_length(paths), ==,
	                 3 + template->memory->len + 2 * template->disks->len);
}

/**
 * LLVMFuzzerTestOneInput() - Read manifest.json
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(ExmJson) json = exm_json_parse((const char *)data, size, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmTemplate) template = NULL;

	if (!json)
		return 0;
	template = exm_template_from_json(json, DIRECTORY, &error);
	if (!template) {
		assert_rejected(error);
		g_assert_cmpint(error->code, ==, EXM_ERROR_STATE);
		return 0;
	}
	g_assert_no_error(error);
	check_sense(template);
	check_files(template);
	check_same(template);
	return 0;
}
