/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_safe_open.c - lib/host/safe_open.c; other users are in integration/{untrusted,two_users}.bats */

#include "host/safe_open.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "suite.h"

static char *folder;

static void make_folder(void)
{
	folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
}

static void remove_folder(void)
{
	g_rmdir(folder);
	g_clear_pointer(&folder, g_free);
}

static const struct {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool may;
} modes[] = {
	{ 0755, 1000, 1000, false }, { 0775, 1000, 1000, false }, { 0775, 1000, 100, true },
	{ 0775, 0, 0, false },       { 0757, 1000, 1000, true },  { 0700, 1000, 100, false },
};

START_TEST(whose_group_it_is_counts)
{
	const struct stat status = {
		.st_mode = modes[_i].mode,
		.st_uid = modes[_i].uid,
		.st_gid = modes[_i].gid,
	};

	ck_assert(exm_safe_others_may_write(&status) == modes[_i].may);
}
END_TEST

/* Names in a folder: what is opened through them, and what is said of who could change it. */
static const struct {
	const char *name;
	const char *distrust;
} paths[] = {
	{ "a", NULL },        { "a/./b/..//b", NULL },
	{ "relative", NULL }, { "absolute", NULL },
	{ "up/b", NULL },     { "open/b", "others can write to '" },
	{ "sticky/b", NULL }, { "to-open", "others can write to '" },
};

static void make(const char *name, mode_t mode)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	ck_assert_int_eq(g_mkdir(path, 0700), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void make_link(const char *name, const char *target)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	ck_assert_int_eq(symlink(target, path), 0);
}

static const char *const directories[] = {
	"a/b", "a", "open/b", "open", "sticky/b", "sticky",
};

static const char *const links[] = { "relative", "absolute", "up", "to-open", "loop" };

static void make_tree(void)
{
	g_autofree char *absolute = g_build_filename(folder, "a", "b", NULL);

	make("a", 0700);
	make("a/b", 0750);
	make("open", 0777);
	make("open/b", 0700);
	make("sticky", 01777);
	make("sticky/b", 0700);
	make_link("relative", "a/b");
	make_link("absolute", absolute);
	make_link("up", "a/b/../../a");
	make_link("to-open", "open/b");
	make_link("loop", "loop");
}

static void remove_tree(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++) {
		g_autofree char *path = g_build_filename(folder, links[i], NULL);

		g_unlink(path);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(directories); i++) {
		g_autofree char *path = g_build_filename(folder, directories[i], NULL);

		g_rmdir(path);
	}
}

START_TEST(a_path_is_followed_and_looked_at)
{
	g_autofree char *path = g_build_filename(folder, paths[_i].name, NULL);
	g_autofree char *distrust = NULL;
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = -1;
	struct stat wanted, opened;

	make_tree();
	fd = exm_safe_open_directory(path, &distrust, &error);
	assert_no_error(error);
	ck_assert_int_eq(fstat(fd, &opened), 0);
	ck_assert_int_eq(stat(path, &wanted), 0);
	ck_assert_uint_eq(opened.st_ino, wanted.st_ino);
	if (paths[_i].distrust)
		ck_assert_msg(distrust && g_str_has_prefix(distrust, paths[_i].distrust), "%s",
		              distrust ? distrust : "nobody");
	else
		ck_assert_msg(!distrust, "%s", distrust);
	remove_tree();
}
END_TEST

static const struct {
	const char *name;
	int errnum;
} no_paths[] = {
	{ "missing", ENOENT },
	{ "a/missing/b", ENOENT },
	{ "loop", ELOOP },
	{ "loop/b", ELOOP },
};

START_TEST(where_there_is_no_directory)
{
	g_autofree char *path = g_build_filename(folder, no_paths[_i].name, NULL);
	g_autofree char *distrust = NULL;
	g_autoptr(GError) error = NULL;
	int fd, errnum;

	make_tree();
	fd = exm_safe_open_directory(path, &distrust, &error);
	errnum = errno;
	remove_tree();
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(errnum, no_paths[_i].errnum);
	ck_assert_ptr_nonnull(strstr(error->message, path));
}
END_TEST

START_TEST(a_small_file_is_read_and_a_large_one_is_not)
{
	g_autofree char *path = g_build_filename(folder, "file", NULL);
	exm_autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autofree char *distrust = NULL;
	g_autoptr(GString) whole = NULL;
	g_autoptr(GString) again = NULL;
	g_autoptr(GError) error = NULL;

	ck_assert(g_file_set_contents(path, "1234", 4, NULL));
	whole = exm_safe_read(fd, path, 4, &distrust, &error);
	assert_no_error(error);
	ck_assert_str_eq(whole->str, "1234");
	ck_assert_uint_eq(whole->len, 4);
	ck_assert_ptr_null(distrust);
	ck_assert_ptr_null(exm_safe_read(fd, path, 3, &distrust, &error));
	assert_error(error, EXM_ERROR_STATE, "is larger than 3 bytes");
	ck_assert_int_eq(chmod(path, 0666), 0);
	again = exm_safe_read(fd, path, 4, &distrust, NULL);
	ck_assert_ptr_nonnull(again);
	ck_assert_ptr_nonnull(strstr(distrust, "others can write to '"));
	g_unlink(path);
}
END_TEST

START_TEST(the_directory_of_a_name_is_opened)
{
	g_autofree char *missing = g_build_filename(folder, "a", "b", "new", NULL);
	g_autofree char *open = g_build_filename(folder, "to-open", "new", NULL);
	g_autofree char *nowhere = g_build_filename(folder, "missing", "new", NULL);
	g_autofree char *distrust = NULL;
	g_autoptr(GError) error = NULL;
	exm_autofd int parent = -1, others = -1;

	make_tree();
	parent = exm_safe_open_parent(missing, &distrust, &error);
	assert_no_error(error);
	ck_assert_ptr_null(distrust);
	ck_assert_int_eq(mkdirat(parent, "new", 0700), 0);
	ck_assert_int_eq(g_rmdir(missing), 0);
	others = exm_safe_open_parent(open, &distrust, &error);
	ck_assert_int_ge(others, 0);
	ck_assert_ptr_nonnull(strstr(distrust, "others can write to '"));
	ck_assert_int_eq(exm_safe_open_parent(nowhere, &distrust, &error), -1);
	remove_tree();
	assert_error(error, EXM_ERROR_SYSTEM, "missing': No such file or directory");
}
END_TEST

static bool is_closed(const char *name, const char *wanted)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *distrust = NULL;
	const bool closed = exm_safe_look(path, &distrust);

	ck_assert_msg(wanted ? distrust && strstr(distrust, wanted) : !distrust, "%s: %s", name,
	              distrust);
	return closed;
}

START_TEST(a_directory_that_others_cannot_enter)
{
	make_tree();
	ck_assert(is_closed("sticky", NULL));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	/* Where this is all in a directory of the user's own, everything is closed. */
	ck_assert(is_closed("sticky", NULL) == is_closed(".", NULL));
	ck_assert(is_closed("a", NULL));
	ck_assert(is_closed("up/b", NULL));
	is_closed("open/b", "others can write to '");
	is_closed("missing", "': No such file or directory");
	remove_tree();
}
END_TEST

static char *read_path(const char *name, char **distrust, GError **error)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	GString *text = exm_safe_read_path(path, 4, distrust, error);

	return text ? g_string_free(text, FALSE) : NULL;
}

START_TEST(a_file_is_read_over_links)
{
	g_autofree char *path = g_build_filename(folder, "a", "file", NULL);
	g_autofree char *link = g_build_filename(folder, "file-link", NULL);
	g_autofree char *distrust = NULL;
	g_autoptr(GError) folder_error = NULL;
	g_autoptr(GError) large_error = NULL;
	g_autofree char *whole = NULL;

	make_tree();
	ck_assert(g_file_set_contents(path, "1234", 4, NULL));
	ck_assert_int_eq(symlink("up/../a/file", link), 0);
	whole = read_path("file-link", &distrust, NULL);
	ck_assert_str_eq(whole, "1234");
	ck_assert_ptr_null(distrust);
	ck_assert_ptr_null(read_path("a", &distrust, &folder_error));
	ck_assert(g_file_set_contents(path, "12345", 5, NULL));
	ck_assert_ptr_null(read_path("a/file", &distrust, &large_error));
	g_unlink(link);
	g_unlink(path);
	remove_tree();
	assert_error(folder_error, EXM_ERROR_STATE, "is not a regular file");
	assert_error(large_error, EXM_ERROR_STATE, "is larger than 4 bytes");
}
END_TEST

/** safe_open_suite() - Tests of lib/host/safe_open.c */
Suite *safe_open_suite(void)
{
	Suite *suite = suite_create("safe_open");
	TCase *tests = tcase_create("safe_open");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_loop_test(tests, whose_group_it_is_counts, 0, G_N_ELEMENTS(modes));
	tcase_add_loop_test(tests, a_path_is_followed_and_looked_at, 0, G_N_ELEMENTS(paths));
	tcase_add_loop_test(tests, where_there_is_no_directory, 0, G_N_ELEMENTS(no_paths));
	tcase_add_test(tests, a_small_file_is_read_and_a_large_one_is_not);
	tcase_add_test(tests, the_directory_of_a_name_is_opened);
	tcase_add_test(tests, a_directory_that_others_cannot_enter);
	tcase_add_test(tests, a_file_is_read_over_links);
	suite_add_tcase(suite, tests);
	return suite;
}
