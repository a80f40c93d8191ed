/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_template.c - lib/plan/template.c */

#include "plan/template.h"

#include "facts.h"
#include "suite.h"

START_TEST(there_and_back)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_autoptr(ExmJson) json = exm_template_to_json(template);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmTemplate) again = exm_template_from_json(json, "/elsewhere", &error);
	g_autoptr(ExmJson) json_again = NULL;

	assert_no_error(error);
	ck_assert_str_eq(again->directory, "/elsewhere");
	ck_assert_str_eq(again->name, "web");
	ck_assert_uint_eq(again->created, 1700000000);
	ck_assert_str_eq(again->parent, "web-0");
	ck_assert_str_eq(again->lineage[1], "tools");
	ck_assert_str_eq(again->machine, "pc-q35-7.2");
	ck_assert_str_eq(again->host_cpu[0], "avx2");
	ck_assert_str_eq(again->command[7], "a.img");
	ck_assert_uint_eq(again->ram_size, 536870912);
	ck_assert(again->vmgenid && again->identity && !again->paused);
	json_again = exm_template_to_json(again);
	ck_assert_msg(json_object_equal(json, json_again), "%s",
	              json_object_to_json_string(json_again));
}
END_TEST

/* Whatever the bytes of a command line and of paths are. */
START_TEST(bytes_come_back)
{
	g_autoptr(ExmTemplate) template = facts_template(
		"{'command': ['-append', {'bytes': 'Y2Fm6Q=='}], 'disks': [],"
		" 'working-directory': {'bytes': 'L2NhZuk='}}");
	g_autoptr(ExmJson) json = exm_template_to_json(template);
	g_autofree char *text = exm_json_print(json, true);
	g_autoptr(ExmJson) read = exm_json_parse(text, strlen(text), NULL);
	g_autoptr(ExmTemplate) again = exm_template_from_json(read, TEMPLATE, NULL);

	ck_assert(g_utf8_validate(text, -1, NULL));
	ck_assert_str_eq(again->command[1], "caf\xe9");
	ck_assert_str_eq(again->working_directory, "/caf\xe9");
}
END_TEST

START_TEST(made_of_parts)
{
	g_autoptr(ExmTemplate) template = exm_template_new();
	g_autoptr(ExmTemplate) read = facts_template(AS_IT_IS);
	ExmTemplateMemory *memory = exm_template_add_memory(template);
	ExmTemplateDisk *disk = exm_template_add_disk(template);

	memory->id = g_strdup("ram-node1");
	disk->word = 4;
	ck_assert_ptr_eq(exm_template_memory(template, "ram-node1"), memory);
	ck_assert_ptr_null(exm_template_memory(template, "ram-node"));
	ck_assert_ptr_eq(exm_template_disk(template, 4), disk);
	ck_assert_ptr_null(exm_template_disk(template, 0));
	ck_assert_uint_eq(exm_template_memory(read, "pc.ram")->size, 536870912);
	ck_assert_str_eq(exm_template_disk(read, 3)->overlay, "disk0.qcow2");
	exm_template_free(NULL);
}
END_TEST

START_TEST(files_stand_in_its_directory_or_where_they_are)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);

	assert_text_and_free(exm_template_path(template, "ram"), TEMPLATE "/ram");
	assert_text_and_free(exm_template_path(template, "/mem/ram"), "/mem/ram");
}
END_TEST

/* A manifest may lack these. */
START_TEST(what_may_be_absent)
{
	g_autoptr(ExmTemplate) template = facts_template(
		"{'cpu': null, 'host-cpu': null, 'disks': []}");
	g_autoptr(ExmJson) json = exm_template_to_json(template);

	ck_assert_ptr_null(template->cpu);
	ck_assert_ptr_null(template->host_cpu);
	ck_assert_uint_eq(template->disks->len, 0);
	ck_assert(!json_object_object_get_ex(json, "cpu", NULL));
}
END_TEST

static const char *const required[] = {
	"schema",       "name",           "created", "parent",      "lineage",
	"qemu",         "qemu-version",   "machine", "accelerator", "working-directory",
	"command",      "ram-size",       "paused",  "vmgenid",     "identity",
	"devices-size", "devices-sha256", "memory",  "disks",
};

static const char *const required_of_memory[] = {
	"id", "offset", "size", "path", "inode", "mtime", "allocated",
};

static const char *const required_of_disk[] = {
	"word", "path", "format", "size", "overlay", "length", "inode", "mtime",
};

static ExmJson *manifest(void)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);

	return exm_template_to_json(template);
}

static void assert_not_whole(ExmJson *json, const char *why)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_template_from_json(json, TEMPLATE, &error));
	assert_error(error, EXM_ERROR_STATE,
	             "the manifest of template '" TEMPLATE "' is not whole: ");
	ck_assert_msg(g_str_has_suffix(error->message, why), "%s", error->message);
}

/* Without the member, and with one of a type that no member has. */
static void damage(ExmJson *json, ExmJson *object, const char *what, const char *name)
{
	g_autofree char *why = g_strdup_printf("not whole: %s: '%s' is missing or of another type",
	                                       what, name);

	json_object_object_del(object, name);
	assert_not_whole(json, why);
	json_object_object_add(object, name, json_object_new_double(1.5));
	assert_not_whole(json, why);
}

START_TEST(a_missing_member)
{
	g_autoptr(ExmJson) json = manifest();

	damage(json, json, "manifest", required[_i]);
}
END_TEST

START_TEST(a_missing_member_of_memory)
{
	g_autoptr(ExmJson) json = manifest();

	damage(json, json_object_array_get_idx(exm_json_member(json, "memory"), 0), "memory",
	       required_of_memory[_i]);
}
END_TEST

START_TEST(a_missing_member_of_a_disk)
{
	g_autoptr(ExmJson) json = manifest();

	damage(json, json_object_array_get_idx(exm_json_member(json, "disks"), 0), "disk",
	       required_of_disk[_i]);
}
END_TEST

START_TEST(a_member_that_is_not_known)
{
	g_autoptr(ExmJson) json = manifest();

	g_autoptr(GError) error = NULL;
	g_autoptr(ExmTemplate) template = NULL;

	/* A later exomem may have written it. */
	exm_json_set_string(json, "weather", "fair");
	template = exm_template_from_json(json, "/templates/web", &error);
	assert_no_error(error);
	ck_assert_str_eq(template->name, "web");
}
END_TEST

/* A member of another value: of the manifest, of its memory or of its disk. */
static const struct {
	const char *list;
	const char *name;
	const char *value;
} wrong[] = {
	{ NULL, "name", "''" },
	{ NULL, "name", "'../web'" },
	{ NULL, "name", "'.web'" },
	{ NULL, "parent", "''" },
	{ NULL, "parent", "'a; reboot'" },
	{ NULL, "memory", "[]" },
	{ "memory", "size", "0" },
	{ "memory", "path", "''" },
	{ "memory", "path", "'.'" },
	{ "memory", "path", "'..'" },
	{ "memory", "path", "'../other/ram'" },
	{ "memory", "path", "'a/ram'" },
	{ "disks", "word", "8" },
	{ "disks", "path", "''" },
	{ "disks", "path", "'../a.img'" },
	{ "disks", "overlay", "'/srv/a.img'" },
	{ "disks", "overlay", "'../disk0.qcow2'" },
	{ "disks", "overlay", "'..'" },
	{ "disks", "overlay", "''" },
};

START_TEST(a_member_that_leads_out_or_to_nothing)
{
	g_autoptr(ExmJson) json = manifest();
	ExmJson *list = wrong[_i].list ? exm_json_member(json, wrong[_i].list) : NULL;

	json_object_object_add(list ? json_object_array_get_idx(list, 0) : json, wrong[_i].name,
	                       facts_json(wrong[_i].value));
	assert_not_whole(json, "not whole: a name or size in it is wrong");
}
END_TEST

/* An older exomem would use such a template after another boot. */
START_TEST(the_schema_of_memory_that_a_boot_ends)
{
	g_autoptr(ExmTemplate) template = facts_template("{'boot-id': 'ID'}");
	g_autoptr(ExmJson) with = exm_template_to_json(template);
	g_autoptr(ExmJson) without = manifest();
	g_autoptr(ExmTemplate) again = exm_template_from_json(with, TEMPLATE, NULL);

	ck_assert_uint_eq(exm_json_get_uint(with, "schema"), 2);
	ck_assert_str_eq(again->boot_id, "ID");
	ck_assert_uint_eq(exm_json_get_uint(without, "schema"), 1);
}
END_TEST

START_TEST(a_newer_schema)
{
	/* Whatever else is in it. */
	g_autoptr(ExmJson) json = facts_json("{'schema': 3, 'new': true}");
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_template_from_json(json, TEMPLATE, &error));
	assert_error(error, EXM_ERROR_STATE,
	             "template '" TEMPLATE
	             "' was saved by a newer exomem (schema 3; this one knows 2)");
}
END_TEST

START_TEST(something_else)
{
	g_autoptr(ExmJson) array = facts_json("[]");

	assert_not_whole(array, "not whole: manifest is not an object");
	assert_not_whole(NULL, "not whole: manifest is not an object");
}
END_TEST

START_TEST(what_exomem_makes_in_its_directory)
{
	static const char *const made[] = { "manifest.json", "manifest.json.AB12CD",
		                            "prefetch.json", "prefetch.json.AB12CD",
		                            "token",         "token.AB12CD",
		                            "devices",       "disk0.qcow2" };
	static const char *const others[] = { "notes", "my-manifest.json", "devices.bak" };

	for (size_t i = 0; i < G_N_ELEMENTS(made); i++)
		ck_assert_msg(exm_template_makes_file(made[i]), "%s", made[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
		ck_assert_msg(!exm_template_makes_file(others[i]), "%s", others[i]);
}
END_TEST

Suite *template_suite(void)
{
	Suite *suite = suite_create("template");
	TCase *tcase = tcase_create("template");

	tcase_add_test(tcase, there_and_back);
	tcase_add_test(tcase, bytes_come_back);
	tcase_add_test(tcase, made_of_parts);
	tcase_add_test(tcase, files_stand_in_its_directory_or_where_they_are);
	tcase_add_test(tcase, what_may_be_absent);
	tcase_add_loop_test(tcase, a_missing_member, 0, G_N_ELEMENTS(required));
	tcase_add_loop_test(tcase, a_missing_member_of_memory, 0, G_N_ELEMENTS(required_of_memory));
	tcase_add_loop_test(tcase, a_missing_member_of_a_disk, 0, G_N_ELEMENTS(required_of_disk));
	tcase_add_test(tcase, a_member_that_is_not_known);
	tcase_add_loop_test(tcase, a_member_that_leads_out_or_to_nothing, 0, G_N_ELEMENTS(wrong));
	tcase_add_test(tcase, the_schema_of_memory_that_a_boot_ends);
	tcase_add_test(tcase, a_newer_schema);
	tcase_add_test(tcase, something_else);
	tcase_add_test(tcase, what_exomem_makes_in_its_directory);
	suite_add_tcase(suite, tcase);
	return suite;
}
