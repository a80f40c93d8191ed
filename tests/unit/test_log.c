/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_log.c - lib/host/log_keeper.c and lib/host/log_reader.c */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/log_keeper.h"
#include "host/log_reader.h"
#include "suite.h"

#define LINE_LENGTH 16
#define PATIENCE_US 10000000

/* A folder with a log whose keeper is running. */
static char folder[] = "/tmp/exomem-unit-XXXXXX";
static char *log_path;
static int writer = -1;

static void begin(void)
{
	g_autoptr(GError) error = NULL;

	g_strlcpy(folder + strlen(folder) - 6, "XXXXXX", 7);
	ck_assert_ptr_nonnull(g_mkdtemp(folder));
	log_path = g_build_filename(folder, "log", NULL);
	ck_assert(exm_log_keeper_start(log_path, &writer, &error));
	assert_no_error(error);
}

static void end(void)
{
	exm_fd_clear(&writer);
	g_remove(log_path);
	g_rmdir(folder);
	g_clear_pointer(&log_path, g_free);
}

/* Lines of LINE_LENGTH that hold their numbers. */
static void write_lines(unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++) {
		char line[LINE_LENGTH + 1];

		g_snprintf(line, sizeof(line), "line %010u\n", i);
		ck_assert_int_eq(write(writer, line, LINE_LENGTH), LINE_LENGTH);
	}
}

static ExmLogReader *open_reader(void)
{
	g_autoptr(GError) error = NULL;
	ExmLogReader *reader = exm_log_reader_new(log_path, &error);

	assert_no_error(error);
	return reader;
}

/* Reads all that is written until @length bytes have come, or the keeper has ended. */
static GString *read_until(ExmLogReader *reader, size_t length)
{
	const gint64 deadline = g_get_monotonic_time() + PATIENCE_US;
	GString *text = g_string_new(NULL);
	bool more = true;

	while (more && text->len < length && g_get_monotonic_time() < deadline) {
		char block[1000];
		size_t count;

		more = !exm_log_reader_at_end(reader);
		ck_assert(exm_log_reader_read(reader, block, sizeof(block), &count, NULL));
		g_string_append_len(text, block, (gssize)count);
		more = more || count > 0;
		if (count == 0)
			g_usleep(1000);
	}
	return text;
}

static GString *close_and_read(ExmLogReader *reader)
{
	GString *text;

	exm_fd_clear(&writer);
	text = read_until(reader, SIZE_MAX);
	ck_assert(exm_log_reader_at_end(reader));
	return text;
}

/* The lines are whole, and one follows the other up to @last. */
static void assert_lines(const GString *text, unsigned int last)
{
	const unsigned int count = (unsigned int)(text->len / LINE_LENGTH);

	ck_assert_uint_eq(text->len % LINE_LENGTH, 0);
	for (unsigned int i = 0; i < count; i++) {
		char line[LINE_LENGTH + 1];

		g_snprintf(line, sizeof(line), "line %010u\n", last + 1 - count + i);
		ck_assert_mem_eq(text->str + (size_t)i * LINE_LENGTH, line, LINE_LENGTH);
	}
}

START_TEST(small_log)
{
	const int flags = fcntl(writer, F_GETFD);
	g_autoptr(ExmLogReader) reader = open_reader();
	g_autoptr(GString) text = NULL;
	struct stat status;

	ck_assert_int_eq(flags, FD_CLOEXEC);
	write_lines(0, 3);
	text = close_and_read(reader);
	ck_assert_str_eq(text->str, "line 0000000000\nline 0000000001\nline 0000000002\n");
	ck_assert_int_eq(stat(log_path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
}
END_TEST

START_TEST(last_part_is_kept)
{
	const unsigned int count = 400000;
	g_autoptr(ExmLogReader) reader = NULL;
	g_autoptr(ExmLogReader) follower = open_reader();
	g_autoptr(GString) text = NULL;
	g_autoptr(GString) followed = NULL;
	struct stat status;

	write_lines(0, count);
	followed = close_and_read(follower);
	reader = open_reader();
	text = close_and_read(reader);
	assert_lines(text, count - 1);
	ck_assert_uint_ge(text->len, EXM_LOG_KEPT);
	ck_assert_uint_le(text->len, EXM_LOG_LIMIT);
	ck_assert_int_eq(stat(log_path, &status), 0);
	ck_assert_int_eq(status.st_size, (gint64)text->len);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	/* It came too late for most; what it got of the newest file is whole all the same. */
	ck_assert_uint_ge(followed->len, EXM_LOG_KEPT);
}
END_TEST

START_TEST(follower_misses_nothing)
{
	g_autoptr(ExmLogReader) reader = open_reader();
	unsigned int written = 0;

	/* Some three files. */
	for (int i = 0; i < 20; i++) {
		g_autoptr(GString) text = NULL;

		write_lines(written, 8000);
		written += 8000;
		text = read_until(reader, 8000 * LINE_LENGTH);
		ck_assert_uint_eq(text->len, 8000 * LINE_LENGTH);
		assert_lines(text, written - 1);
	}
	ck_assert(!exm_log_reader_at_end(reader));
}
END_TEST

START_TEST(end_of_the_log)
{
	g_autoptr(ExmLogReader) reader = open_reader();
	g_autoptr(ExmLogReader) late = NULL;
	g_autoptr(GString) text = NULL;

	write_lines(0, 1);
	late = open_reader();
	text = close_and_read(reader);
	ck_assert_str_eq(text->str, "line 0000000000\n");
	ck_assert(exm_log_reader_skip(late, LINE_LENGTH));
	ck_assert(!exm_log_reader_skip(late, 2));
	g_string_free(text, TRUE);
	text = read_until(late, SIZE_MAX);
	ck_assert_str_eq(text->str, "0\n");
}
END_TEST

START_TEST(folder_removed)
{
	g_autoptr(ExmLogReader) reader = open_reader();
	g_autoptr(GString) text = NULL;

	ck_assert_int_eq(g_remove(log_path), 0);
	ck_assert_int_eq(g_rmdir(folder), 0);
	/* Nobody may find it again under that name. */
	ck_assert_int_eq(g_mkdir(folder, 0700), 0);
	write_lines(0, 200000);
	text = close_and_read(reader);
	ck_assert_uint_gt(text->len, 0);
	ck_assert_int_eq(g_access(log_path, F_OK), -1);
	ck_assert_int_eq(g_rmdir(folder), 0);
}
END_TEST

START_TEST(full_disk)
{
	/* A limit that the keeper inherits stands in for the disk: writes beyond it fail. */
	struct rlimit large, small;
	g_autoptr(ExmLogReader) reader = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) text = NULL;

	exm_fd_clear(&writer);
	g_remove(log_path);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &large), 0);
	small = large;
	small.rlim_cur = 65536;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert(exm_log_keeper_start(log_path, &writer, &error));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &large), 0);
	/* Were it not read on, this would block for ever. */
	write_lines(0, 100000);
	reader = open_reader();
	text = close_and_read(reader);
	ck_assert_uint_eq(text->len, 65536);
	assert_lines(text, 65536 / LINE_LENGTH - 1);
}
END_TEST

START_TEST(second_keeper)
{
	g_autoptr(GError) error = NULL;
	int other = -1;

	write_lines(0, 1);
	ck_assert(!exm_log_keeper_start(log_path, &other, &error));
	assert_error(error, EXM_ERROR_STATE, "is being written");
	ck_assert_int_eq(other, -1);
}
END_TEST

START_TEST(no_folder)
{
	g_autoptr(GError) error = NULL;
	int other = -1;

	ck_assert(!exm_log_keeper_start("/nonexistent/log", &other, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "'/nonexistent'");
	g_clear_error(&error);
	ck_assert_ptr_null(exm_log_reader_new("/nonexistent/log", &error));
	assert_error(error, EXM_ERROR_STATE, "there is no log '/nonexistent/log'");
}
END_TEST

static bool has_log_open(const char *pid)
{
	g_autofree char *path = g_build_filename("/proc", pid, "fd", NULL);
	g_autoptr(GDir) fds = g_dir_open(path, 0, NULL);
	const char *fd;

	while (fds && (fd = g_dir_read_name(fds))) {
		g_autofree char *link = g_build_filename(path, fd, NULL);
		g_autofree char *target = g_file_read_link(link, NULL);

		if (g_strcmp0(target, log_path) == 0)
			return true;
	}
	return false;
}

/* The keeper of our log: the process, not ours, that has it open. */
static pid_t find_keeper(void)
{
	g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(processes))) {
		const pid_t pid = (pid_t)g_ascii_strtoll(name, NULL, 10);

		if (pid > 0 && pid != getpid() && has_log_open(name))
			return pid;
	}
	return 0;
}

START_TEST(outlives_a_terminal)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGXFSZ };
	g_autoptr(ExmLogReader) reader = open_reader();
	g_autofree char *folder_of_fds = NULL;
	g_autofree char *comm_path = NULL;
	g_autofree char *comm = NULL;
	g_autoptr(GString) text = NULL;
	g_autoptr(GDir) fds = NULL;
	const pid_t keeper = find_keeper();
	const char *fd;
	int count = 0;

	ck_assert_int_gt(keeper, 0);
	ck_assert_int_ne(getsid(keeper), getsid(0));
	ck_assert_int_ne(getsid(keeper), keeper);
	comm_path = g_strdup_printf("/proc/%d/comm", (int)keeper);
	ck_assert(exm_file_read(comm_path, &comm, NULL, NULL));
	ck_assert_str_eq(comm, "exomem-log\n");
	folder_of_fds = g_strdup_printf("/proc/%d/fd", (int)keeper);
	fds = g_dir_open(folder_of_fds, 0, NULL);
	/* Those of valgrind itself have high numbers. */
	while ((fd = g_dir_read_name(fds)))
		count += g_ascii_strtoull(fd, NULL, 10) < 1000;
	/* Three that are /dev/null, the pipe, the log and its folder. */
	ck_assert_int_eq(count, 6);
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
		ck_assert_int_eq(kill(keeper, signals[i]), 0);
	write_lines(0, 1);
	text = close_and_read(reader);
	ck_assert_str_eq(text->str, "line 0000000000\n");
}
END_TEST

Suite *log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, small_log);
	tcase_add_test(tcase, last_part_is_kept);
	tcase_add_test(tcase, follower_misses_nothing);
	tcase_add_test(tcase, end_of_the_log);
	tcase_add_test(tcase, folder_removed);
	tcase_add_test(tcase, full_disk);
	tcase_add_test(tcase, second_keeper);
	tcase_add_test(tcase, no_folder);
	tcase_add_test(tcase, outlives_a_terminal);
	suite_add_tcase(suite, tcase);
	return suite;
}
