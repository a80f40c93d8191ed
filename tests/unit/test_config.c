/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_config.c - lib/plan/config.c and lib/host/config_file.c */

#include "plan/config.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "host/config_file.h"
#include "suite.h"

static void entry_free(gpointer entry)
{
	exm_config_entry_free(entry);
}

static GPtrArray *new_entries(void)
{
	return g_ptr_array_new_with_free_func(entry_free);
}

static ExmConfig *config_of(const char *const (*lines)[3], size_t count)
{
	GPtrArray *entries = new_entries();

	for (size_t i = 0; i < count; i++)
		g_ptr_array_add(entries,
		                exm_config_entry_new(lines[i][0], lines[i][1], lines[i][2], "f"));
	return exm_config_new(entries);
}

START_TEST(nothing_is_set_by_default)
{
	g_autoptr(ExmConfig) config = config_of(NULL, 0);

	ck_assert_ptr_null(exm_config_get(config, "pmem", "pmem_namespaces"));
	ck_assert_uint_eq(config->warnings->len, 0);
}
END_TEST

START_TEST(last_entry_counts_whatever_its_group)
{
	static const char *const lines[][3] = {
		{ "pmem", "pmem_namespaces", "A:a" },
		{ "libvirt", "pmem_namespaces", "B:b" },
	};
	g_autoptr(ExmConfig) config = config_of(lines, 2);

	ck_assert_str_eq(exm_config_get(config, "pmem", "pmem_namespaces"), "B:b");
	ck_assert_str_eq(config->values[0].entry->group, "libvirt");
}
END_TEST

START_TEST(unknown_key_is_warned_about_with_the_nearest)
{
	static const char *const lines[][3] = {
		{ "pmem", "pmem_namespace", "A:a" },
		{ "pmem", "pmem_namespace", "A:a" },
		{ "pmem", "colour", "red" },
	};
	g_autoptr(ExmConfig) config = config_of(lines, 3);

	ck_assert_uint_eq(config->warnings->len, 2);
	ck_assert_str_eq(config->warnings->pdata[0], "'f': 'pmem_namespace' is not a key of [pmem] "
	                                             "(did you mean 'pmem_namespaces'?)");
	ck_assert_str_eq(config->warnings->pdata[1], "'f': 'colour' is not a key of [pmem]");
}
END_TEST

START_TEST(other_keys_of_nova_are_passed_over)
{
	static const char *const lines[][3] = {
		{ "libvirt", "virt_type", "kvm" },
		{ "libvirt", "pmem_namespacse", "A:a" },
		{ "pmme", "pmem_namespaces", "A:a" },
	};
	g_autoptr(ExmConfig) config = config_of(lines, 3);

	ck_assert_uint_eq(config->warnings->len, 2);
	ck_assert_str_eq(config->warnings->pdata[1],
	                 "'f': '[pmme]' is not a group of exomem (did you mean 'pmem'?)");
}
END_TEST

static char *make_file(const char *directory, const char *name, const char *text)
{
	char *path = g_build_filename(directory, name, NULL);

	ck_assert(g_file_set_contents(path, text, -1, NULL));
	ck_assert_int_eq(chmod(path, 0644), 0);
	return path;
}

START_TEST(drop_ins_come_after_their_file_and_by_name)
{
	g_autofree char *folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autofree char *more = g_build_filename(folder, "c.conf.d", NULL);
	g_autofree char *file = make_file(folder, "c.conf", "[pmem]\npmem_namespaces = A:\\a|b  \n");
	g_autofree char *second = NULL, *first = NULL, *other = NULL;
	g_autoptr(GPtrArray) entries = new_entries();
	const ExmConfigEntry *entry;

	ck_assert_int_eq(g_mkdir(more, 0755), 0);
	second = make_file(more, "20.conf", "[pmem]\npmem_namespaces=C:c\n");
	first = make_file(more, "10.conf", "[libvirt]\npmem_namespaces=B:b\n");
	other = make_file(more, "30.conf~", "no configuration at all");
	ck_assert(exm_config_file_read_all(file, entries, NULL));
	ck_assert_uint_eq(entries->len, 3);
	entry = entries->pdata[0];
	ck_assert_str_eq(entry->value, "A:\\a|b");
	ck_assert_str_eq(entry->file, file);
	entry = entries->pdata[1];
	ck_assert_str_eq(entry->file, first);
	entry = entries->pdata[2];
	ck_assert_str_eq(entry->value, "C:c");
	g_unlink(file), g_unlink(first), g_unlink(second), g_unlink(other);
	g_rmdir(more), g_rmdir(folder);
}
END_TEST

static void check_refused(const char *path, const char *what)
{
	g_autoptr(GPtrArray) entries = new_entries();
	g_autoptr(GError) error = NULL;

	ck_assert(!exm_config_file_read_all(path, entries, &error));
	ck_assert(g_error_matches(error, EXM_ERROR, EXM_ERROR_USAGE));
	ck_assert_msg(strstr(error->message, what), "%s", error->message);
}

START_TEST(what_others_can_write_is_refused)
{
	g_autofree char *folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autofree char *more = g_build_filename(folder, "c.conf.d", NULL);
	g_autofree char *file = make_file(folder, "c.conf", "[pmem]\n");

	ck_assert_int_eq(chmod(file, 0666), 0);
	check_refused(file, "others can write");
	ck_assert_int_eq(chmod(file, 0644), 0);
	ck_assert_int_eq(g_mkdir(more, 0755), 0);
	ck_assert_int_eq(chmod(more, 0777), 0);
	check_refused(file, "others can write");
	g_rmdir(more), g_unlink(file), g_rmdir(folder);
}
END_TEST

START_TEST(what_is_no_configuration_is_refused)
{
	g_autofree char *folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	g_autofree char *file = make_file(folder, "c.conf", "pmem_namespaces = A:a\n");

	check_refused(file, "is not a configuration file");
	g_unlink(file), g_rmdir(folder);
}
END_TEST

Suite *config_suite(void)
{
	Suite *suite = suite_create("config");
	TCase *tcase = tcase_create("config");

	tcase_add_test(tcase, nothing_is_set_by_default);
	tcase_add_test(tcase, last_entry_counts_whatever_its_group);
	tcase_add_test(tcase, unknown_key_is_warned_about_with_the_nearest);
	tcase_add_test(tcase, other_keys_of_nova_are_passed_over);
	tcase_add_test(tcase, drop_ins_come_after_their_file_and_by_name);
	tcase_add_test(tcase, what_others_can_write_is_refused);
	tcase_add_test(tcase, what_is_no_configuration_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
