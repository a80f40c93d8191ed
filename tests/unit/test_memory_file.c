/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_memory_file.c - lib/host/memory_file.c
 *
 * The rest of it is tested with real guests. Where TMPDIR is on XFS or btrfs, reflinks are made.
 */

#include "host/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

#define SIZE 100000

/* A folder of its own for each test, and a name in it. */
static char *folder;
static char *path;

static void make_folder(void)
{
	folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
	path = g_build_filename(folder, "file", NULL);
}

static void remove_folder(void)
{
	g_unlink(path);
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_clear_pointer(&path, g_free);
	g_clear_pointer(&folder, g_free);
}

static void put(int fd, const char *text, off_t at)
{
	ck_assert_int_eq(pwrite(fd, text, strlen(text), at), strlen(text));
}

static void assert_holds(int fd, const char *text, off_t at)
{
	g_autofree char *got = g_malloc0(strlen(text) + 1);

	ck_assert_int_eq(pread(fd, got, strlen(text), at), strlen(text));
	ck_assert_str_eq(got, text);
}

static int make_unnamed(void)
{
	const int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	put(fd, "memory", 0);
	return fd;
}

static int make_in_memory(void)
{
	const int fd = memfd_create("memory", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	put(fd, "memory", 0);
	return fd;
}

/* What the function says of this process's descriptor. */
static bool link_ours(int fd, bool *ret_linked, GError **error)
{
	return exm_memory_file_link(getpid(), fd, path, ret_linked, error);
}

START_TEST(file_of_another_process_gets_a_name)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = make_unnamed();
	const int number = fd;
	const pid_t pid = fork();
	bool linked = false;

	ck_assert_int_ge(pid, 0);
	while (pid == 0)
		pause();
	exm_fd_clear(&fd);
	ck_assert(exm_memory_file_link(pid, number, path, &linked, &error));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	assert_no_error(error);
	ck_assert(linked);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_holds(fd, "memory", 0);
}
END_TEST

START_TEST(file_of_another_file_system_gets_no_name)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = make_in_memory();
	bool linked = true;

	ck_assert(link_ours(fd, &linked, &error));
	assert_no_error(error);
	ck_assert(!linked);
	ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(taken_name_stays)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = make_unnamed();
	exm_autofd int taken = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	bool linked = true;

	put(taken, "another", 0);
	ck_assert(!link_ours(fd, &linked, &error));
	assert_error(error, EXM_ERROR_STATE, "has just been made by somebody else");
	ck_assert(linked);
	assert_holds(taken, "another", 0);
	g_clear_error(&error);
	ck_assert(!exm_memory_file_give_name(fd, path, &error));
	assert_error(error, EXM_ERROR_STATE, "has just been made by somebody else");
}
END_TEST

/* The kernel gives no name to a file that had one: fs/namei.c, vfs_link(). */
START_TEST(removed_file_gets_no_name_again)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	g_autofree char *opened = g_strdup_printf("/proc/self/fd/%d", fd);
	exm_autofd int copy = -1;
	bool linked = true;

	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	ck_assert_int_eq(pwrite(fd, "memory", 6, 70000), 6);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(link_ours(fd, &linked, &error));
	ck_assert(!linked);
	/* But a copy of it can have one. */
	ck_assert(exm_memory_file_copy(opened, path, &error));
	assert_no_error(error);
	copy = open(path, O_RDONLY | O_CLOEXEC);
	assert_holds(copy, "memory", 70000);
	ck_assert(!exm_memory_file_copy(opened, path, &error));
	assert_error(error, EXM_ERROR_STATE, "has just been made by somebody else");
}
END_TEST

START_TEST(unnamed_file_gets_its_name)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = make_unnamed();
	exm_autofd int named = -1;

	ck_assert(exm_memory_file_give_name(fd, path, &error));
	assert_no_error(error);
	named = open(path, O_RDONLY | O_CLOEXEC);
	assert_holds(named, "memory", 0);
}
END_TEST

static bool has_reflinks(void)
{
	exm_autofd int from = make_unnamed();
	exm_autofd int to = make_unnamed();

	return ioctl(to, FICLONE, from) == 0;
}

/* What the files of the folder hold after a clone: the same, and afterwards each its own. */
static void assert_cloned(int from, int to)
{
	struct stat status;

	ck_assert_int_eq(fstat(to, &status), 0);
	ck_assert_int_eq(status.st_size, SIZE);
	assert_holds(to, "memory", 0);
	put(from, "parent", 0);
	assert_holds(to, "memory", 0);
	put(to, "child", SIZE / 2);
	assert_holds(from, "parent", 0);
}

START_TEST(clone_shares_or_says_what_would)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int from = make_unnamed();
	exm_autofd int to = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	const bool cloned = ftruncate(from, SIZE) == 0 &&
	                    exm_memory_file_clone(from, "from", to, path, &error);

	ck_assert(cloned == has_reflinks());
	if (cloned) {
		assert_cloned(from, to);
		return;
	}
	assert_error(error, EXM_ERROR_UNSUPPORTED, ", which has no reflinks here: put the template");
	ck_assert_ptr_nonnull(strstr(error->message, path));
}
END_TEST

/* chattr +C, which only btrfs has among those with reflinks. */
START_TEST(clone_of_a_file_without_copy_on_write)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int from = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	exm_autofd int to = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	const bool reflinks = has_reflinks();
	int flags = 0;

	if (ioctl(from, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		ioctl(from, FS_IOC_SETFLAGS, &flags);
	}
	put(from, "memory", 0);
	ck_assert_int_eq(ftruncate(from, SIZE), 0);
	ck_assert(exm_memory_file_clone(from, "from", to, path, &error) == reflinks);
	if (reflinks)
		assert_cloned(from, to);
	else
		assert_error(error, EXM_ERROR_UNSUPPORTED, "no reflinks");
}
END_TEST

START_TEST(clone_names_the_file_system)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int from = make_in_memory();
	exm_autofd int to = memfd_create("to", MFD_CLOEXEC);

	ck_assert(!exm_memory_file_clone(from, "/from", to, "/to", &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED,
	             "'/to' is on tmpfs, which has no reflinks here: put the template on XFS or "
	             "btrfs, or leave '--memory reflink' out");
}
END_TEST

START_TEST(clone_stays_on_its_file_system)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int from = make_in_memory();
	exm_autofd int to = make_unnamed();

	ck_assert(!exm_memory_file_clone(from, "/from", to, "/to", &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "'/to' is on another file system than '/from'");
}
END_TEST

START_TEST(clone_of_no_file_fails)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int to = make_unnamed();

	ck_assert(!exm_memory_file_clone(-1, "/from", to, "/to", &error));
	assert_error(error, EXM_ERROR_SYSTEM, "reflink '/from' as '/to': Bad file descriptor");
}
END_TEST

/* A descriptor number that nobody has. */
#define HIGH 700

START_TEST(borrowed_file_is_only_read)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = make_unnamed();
	g_autofree char *opened = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
	exm_autofd int borrowed = -1;

	ck_assert(exm_memory_file_borrow(opened, HIGH, &borrowed, &error));
	assert_no_error(error);
	ck_assert_int_eq(borrowed, HIGH);
	ck_assert_int_eq(fcntl(borrowed, F_GETFL) & O_ACCMODE, O_RDONLY);
	ck_assert_int_eq(fcntl(borrowed, F_GETFD), FD_CLOEXEC);
	/* It is the guest's own file, and no copy. */
	put(fd, "parent", 0);
	assert_holds(borrowed, "parent", 0);
}
END_TEST

START_TEST(file_that_is_gone_cannot_be_borrowed)
{
	g_autoptr(GError) error = NULL;
	int borrowed = -1;

	ck_assert(!exm_memory_file_borrow(path, HIGH, &borrowed, &error));
	assert_error(error, EXM_ERROR_SYSTEM, path);
	ck_assert_int_eq(borrowed, -1);
}
END_TEST

/* The order of a fork: the children's file is made and given its size before it is cloned into. */
START_TEST(file_that_was_made_to_be_cloned_into)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int from = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	exm_autofd int to = -1;
	const bool reflinks = has_reflinks();
	int flags = 0;

	if (ioctl(from, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		ioctl(from, FS_IOC_SETFLAGS, &flags);
	}
	put(from, "memory", 0);
	ck_assert_int_eq(ftruncate(from, SIZE), 0);
	ck_assert(exm_memory_file_create(path, HIGH, &to, &error));
	exm_memory_file_match(from, to);
	ck_assert(exm_memory_file_set_size(to, path, SIZE, &error));
	ck_assert(exm_memory_file_clone(from, "from", to, path, &error) == reflinks);
	if (reflinks)
		assert_cloned(from, to);
}
END_TEST

/** memory_file_suite() - Tests of lib/host/memory_file.c */
Suite *memory_file_suite(void)
{
	Suite *suite = suite_create("memory_file");
	TCase *tests = tcase_create("memory_file");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, file_of_another_process_gets_a_name);
	tcase_add_test(tests, file_of_another_file_system_gets_no_name);
	tcase_add_test(tests, taken_name_stays);
	tcase_add_test(tests, removed_file_gets_no_name_again);
	tcase_add_test(tests, unnamed_file_gets_its_name);
	tcase_add_test(tests, clone_shares_or_says_what_would);
	tcase_add_test(tests, clone_of_a_file_without_copy_on_write);
	tcase_add_test(tests, clone_names_the_file_system);
	tcase_add_test(tests, clone_stays_on_its_file_system);
	tcase_add_test(tests, clone_of_no_file_fails);
	tcase_add_test(tests, borrowed_file_is_only_read);
	tcase_add_test(tests, file_that_is_gone_cannot_be_borrowed);
	tcase_add_test(tests, file_that_was_made_to_be_cloned_into);
	suite_add_tcase(suite, tests);
	return suite;
}
