/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_fd.c - lib/base/fd.c */

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static char sentinel[] = "untouched";

/* A folder of its own for each test, and a file in it that the test may or may not make. */
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
	g_rmdir(path);
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_clear_pointer(&path, g_free);
	g_clear_pointer(&folder, g_free);
}

static unsigned int count_files(void)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	unsigned int count = 0;

	ck_assert_ptr_nonnull(dir);
	while (g_dir_read_name(dir) != NULL)
		count++;
	return count;
}

static void assert_holds(const char *wanted, size_t wanted_length)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	size_t length = 0;

	ck_assert(exm_file_read(path, &text, &length, &error));
	assert_no_error(error);
	ck_assert_uint_eq(length, wanted_length);
	ck_assert_mem_eq(text, wanted, wanted_length);
	ck_assert_int_eq(text[length], '\0');
}

static void write_file(const char *text, int mode)
{
	g_autoptr(GError) error = NULL;

	ck_assert(exm_file_write_atomic(path, text, strlen(text), mode, &error));
	assert_no_error(error);
}

START_TEST(clear_closes_and_keeps_errno)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int number = fd;

	ck_assert_int_ge(fd, 0);
	errno = EXDEV;
	exm_fd_clear(&fd);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(fcntl(number, F_GETFD), -1);
	errno = EXDEV;
	exm_fd_clear(&fd);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(autofd_closes_what_is_not_stolen)
{
	int closed, kept;

	{
		exm_autofd int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
		exm_autofd int second = open("/dev/null", O_RDONLY | O_CLOEXEC);

		closed = first;
		kept = g_steal_fd(&second);
	}
	ck_assert_int_eq(fcntl(closed, F_GETFD), -1);
	ck_assert_int_ge(fcntl(kept, F_GETFD), 0);
	exm_fd_clear(&kept);
}
END_TEST

START_TEST(read_all_reads_a_pipe_to_its_end)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	g_autofree char *big = g_strnfill(60000, 'x');
	size_t length = 0;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(write(ends[1], "a\0b", 3), 3);
	ck_assert_int_eq(write(ends[1], big, 60000), 60000);
	exm_fd_clear(&ends[1]);
	ck_assert(exm_fd_read_all(ends[0], &text, &length, &error));
	assert_no_error(error);
	ck_assert_uint_eq(length, 60003);
	ck_assert_mem_eq(text, "a\0bx", 4);
	ck_assert_int_eq(text[length], '\0');
	ck_assert_int_ge(fcntl(ends[0], F_GETFD), 0);
	exm_fd_clear(&ends[0]);
}
END_TEST

START_TEST(read_all_of_bad_descriptor_fails)
{
	g_autoptr(GError) error = NULL;
	char *text = sentinel;
	size_t length = 42;

	ck_assert(!exm_fd_read_all(-1, &text, &length, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "cannot read descriptor -1: Bad file descriptor");
	ck_assert_ptr_eq(text, sentinel);
	ck_assert_uint_eq(length, 42);
}
END_TEST

static void ignore_alarm(G_GNUC_UNUSED int signal)
{
}

/* In a process of its own: how much came is its exit status, in units of 1000. */
static pid_t start_slow_reader(const int ends[2])
{
	const pid_t pid = fork();
	g_autofree char *text = NULL;
	size_t length = 0;

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	close(ends[1]);
	g_usleep(50000);
	exm_fd_read_all(ends[0], &text, &length, NULL);
	_exit((int)(length / 1000));
}

/* A pipe holds less than that, and a signal ends a write that has begun (write(2)). */
START_TEST(write_all_goes_on_where_a_write_ended_early)
{
	g_autofree char *big = g_strnfill(200000, 'x');
	g_autoptr(GError) error = NULL;
	const struct sigaction ignore = { .sa_handler = ignore_alarm };
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	int ends[2], status = 0;
	pid_t reader;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	reader = start_slow_reader(ends);
	exm_fd_clear(&ends[0]);
	ck_assert_int_eq(sigaction(SIGALRM, &ignore, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	ck_assert(exm_fd_write_all(ends[1], big, 200000, "a pipe", &error));
	ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_no_error(error);
	exm_fd_clear(&ends[1]);
	ck_assert_int_eq(waitpid(reader, &status, 0), reader);
	ck_assert_int_eq(WEXITSTATUS(status), 200);
}
END_TEST

START_TEST(write_all_says_what_could_not_be_written)
{
	exm_autofd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	g_autoptr(GError) error = NULL;

	ck_assert(exm_fd_write_all(full, "", 0, "nothing", &error));
	ck_assert(!exm_fd_write_all(full, "text", 4, "the text", &error));
	assert_error(error, EXM_ERROR_NO_ROOM, "cannot write the text: No space left on device");
}
END_TEST

START_TEST(file_read_reads_proc_without_length)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	ck_assert(exm_file_read("/proc/self/status", &text, NULL, &error));
	assert_no_error(error);
	ck_assert_ptr_nonnull(strstr(text, "\nVmRSS:"));
}
END_TEST

START_TEST(file_read_of_missing_file_fails)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *wanted = g_strdup_printf("cannot open '%s': No such file", path);
	char *text = sentinel;
	size_t length = 42;

	ck_assert(!exm_file_read(path, &text, &length, &error));
	assert_error(error, EXM_ERROR_SYSTEM, wanted);
	ck_assert_ptr_eq(text, sentinel);
	ck_assert_uint_eq(length, 42);
}
END_TEST

START_TEST(file_read_of_folder_fails)
{
	g_autoptr(GError) error = NULL;
	char *text = sentinel;
	size_t length = 42;

	ck_assert(!exm_file_read(folder, &text, &length, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "Is a directory");
	ck_assert_ptr_eq(text, sentinel);
	ck_assert_uint_eq(length, 42);
}
END_TEST

START_TEST(write_makes_a_file_with_exactly_this_mode)
{
	static const int modes[] = { 0600, 0644, 0666, 0400 };
	const mode_t mask = umask(077);
	struct stat status;

	write_file("one\n", modes[_i]);
	umask(mask);
	assert_holds("one\n", 4);
	ck_assert_int_eq(g_stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, modes[_i]);
	ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(write_takes_nul_and_nothing)
{
	ck_assert(exm_file_write_atomic(path, "a\0b", 3, 0600, NULL));
	assert_holds("a\0b", 3);
	ck_assert(exm_file_write_atomic(path, "", 0, 0600, NULL));
	assert_holds("", 0);
}
END_TEST

START_TEST(write_replaces_and_leaves_readers_the_old_file)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	exm_autofd int reader = -1;

	write_file("old", 0600);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	write_file("new text", 0600);
	ck_assert(exm_fd_read_all(reader, &text, NULL, &error));
	assert_no_error(error);
	ck_assert_str_eq(text, "old");
	assert_holds("new text", 8);
	ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(write_replaces_a_link_not_its_target)
{
	struct stat status;

	ck_assert_int_eq(symlink("/dev/full", path), 0);
	write_file("text", 0600);
	ck_assert_int_eq(lstat(path, &status), 0);
	ck_assert(S_ISREG(status.st_mode));
	assert_holds("text", 4);
}
END_TEST

START_TEST(write_into_missing_folder_fails)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *lost = g_build_filename(folder, "no", "file", NULL);

	ck_assert(!exm_file_write_atomic(lost, "text", 4, 0600, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "cannot create a file beside");
	ck_assert_ptr_nonnull(strstr(error->message, lost));
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

START_TEST(write_over_a_folder_fails_and_leaves_nothing)
{
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(g_mkdir(path, 0700), 0);
	ck_assert(!exm_file_write_atomic(path, "text", 4, 0600, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "cannot write");
	ck_assert_ptr_nonnull(strstr(error->message, "Is a directory"));
	ck_assert_uint_eq(count_files(), 1);
}
END_TEST

/* A file size limit stands in for a full disk: it stops a write half way, without a mount. */
START_TEST(write_that_stops_half_way_leaves_the_old_file)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *big = g_strnfill(100000, 'x');
	struct rlimit saved, small;
	bool ok;

	write_file("old", 0600);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &saved), 0);
	small = saved;
	small.rlim_cur = 65536;
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ok = exm_file_write_atomic(path, big, 100000, 0600, &error);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &saved), 0);
	signal(SIGXFSZ, SIG_DFL);
	ck_assert(!ok);
	assert_error(error, EXM_ERROR_SYSTEM, "File too large");
	assert_holds("old", 3);
	ck_assert_uint_eq(count_files(), 1);
}
END_TEST

/* What was synced, in its order: a file with what its later name held then, or a directory. */
static GString *synced;

/* The C library's, which the library under test finds here first. */
int fsync(int fd)
{
	g_autofree char *text = NULL;
	struct stat status;

	if (synced && fstat(fd, &status) == 0) {
		exm_file_read(path, &text, NULL, NULL);
		g_string_append_printf(synced, "%s while %s; ",
		                       S_ISDIR(status.st_mode) ? "directory" : "file", text);
	}
	return (int)syscall(SYS_fsync, fd);
}

START_TEST(durable_write_syncs_the_file_then_its_name)
{
	g_autoptr(GError) error = NULL;

	write_file("old", 0600);
	synced = g_string_new(NULL);
	ck_assert(exm_file_write_durable(path, "new", 3, 0640, &error));
	assert_no_error(error);
	assert_text_and_free(g_string_free(g_steal_pointer(&synced), FALSE),
	                     "file while old; directory while new; ");
	assert_holds("new", 3);
	ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(atomic_write_syncs_nothing)
{
	synced = g_string_new(NULL);
	write_file("text", 0600);
	assert_text_and_free(g_string_free(g_steal_pointer(&synced), FALSE), "");
}
END_TEST

START_TEST(durable_write_over_a_folder_fails_and_leaves_nothing)
{
	g_autoptr(GError) error = NULL;

	ck_assert_int_eq(g_mkdir(path, 0700), 0);
	ck_assert(!exm_file_write_durable(path, "text", 4, 0600, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "Is a directory");
	ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(sync_of_a_missing_directory_fails)
{
	g_autoptr(GError) error = NULL;

	ck_assert(!exm_directory_sync(path, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "No such file");
	ck_assert_ptr_nonnull(strstr(error->message, path));
}
END_TEST

/* A file system of the kernel's whose directories have no sync. */
START_TEST(sync_of_a_directory_that_cannot_is_none)
{
	g_autoptr(GError) error = NULL;

	ck_assert(exm_directory_sync("/proc/self", &error));
	assert_no_error(error);
}
END_TEST

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			count++;
	return count;
}

START_TEST(no_descriptor_is_left_open)
{
	const int before = count_descriptors();
	char *text = sentinel;

	write_file("text", 0600);
	assert_holds("text", 4);
	ck_assert(!exm_file_read(folder, &text, NULL, NULL));
	ck_assert(!exm_file_write_atomic(folder, "text", 4, 0600, NULL));
	ck_assert(exm_file_write_durable(path, "text", 4, 0600, NULL));
	ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

START_TEST(own_name_is_removed)
{
	exm_autofd int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	ck_assert(exm_file_remove_own(fd, path));
	ck_assert_uint_eq(count_files(), 0);
	ck_assert(!exm_file_remove_own(fd, path));
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(name_of_another_file_stays)
{
	exm_autofd int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	g_autofree char *moved = g_strconcat(path, ".moved", NULL);

	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert(g_file_set_contents(path, "another", -1, NULL));
	ck_assert(!exm_file_remove_own(fd, path));
	ck_assert_int_eq(errno, ESTALE);
	/* A link to the file is not its name. */
	ck_assert_int_eq(g_unlink(path), 0);
	ck_assert_int_eq(symlink(moved, path), 0);
	ck_assert(!exm_file_remove_own(fd, path));
	ck_assert_uint_eq(count_files(), 2);
	ck_assert_int_eq(g_unlink(moved), 0);
}
END_TEST

/** fd_suite() - Tests of lib/base/fd.c */
Suite *fd_suite(void)
{
	Suite *suite = suite_create("fd");
	TCase *tests = tcase_create("fd");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, clear_closes_and_keeps_errno);
	tcase_add_test(tests, autofd_closes_what_is_not_stolen);
	tcase_add_test(tests, read_all_reads_a_pipe_to_its_end);
	tcase_add_test(tests, read_all_of_bad_descriptor_fails);
	tcase_add_test(tests, write_all_goes_on_where_a_write_ended_early);
	tcase_add_test(tests, write_all_says_what_could_not_be_written);
	tcase_add_test(tests, file_read_reads_proc_without_length);
	tcase_add_test(tests, file_read_of_missing_file_fails);
	tcase_add_test(tests, file_read_of_folder_fails);
	tcase_add_loop_test(tests, write_makes_a_file_with_exactly_this_mode, 0, 4);
	tcase_add_test(tests, write_takes_nul_and_nothing);
	tcase_add_test(tests, write_replaces_and_leaves_readers_the_old_file);
	tcase_add_test(tests, write_replaces_a_link_not_its_target);
	tcase_add_test(tests, write_into_missing_folder_fails);
	tcase_add_test(tests, write_over_a_folder_fails_and_leaves_nothing);
	tcase_add_test(tests, write_that_stops_half_way_leaves_the_old_file);
	tcase_add_test(tests, durable_write_syncs_the_file_then_its_name);
	tcase_add_test(tests, atomic_write_syncs_nothing);
	tcase_add_test(tests, durable_write_over_a_folder_fails_and_leaves_nothing);
	tcase_add_test(tests, sync_of_a_missing_directory_fails);
	tcase_add_test(tests, sync_of_a_directory_that_cannot_is_none);
	tcase_add_test(tests, no_descriptor_is_left_open);
	tcase_add_test(tests, own_name_is_removed);
	tcase_add_test(tests, name_of_another_file_stays);
	suite_add_tcase(suite, tests);
	return suite;
}
