/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_overlay.c - lib/host/overlay.c, against a scripted QEMU */

#include "host/overlay.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "peer.h"
#include "suite.h"

#define PAGE 4096

#define ID(id)            "\"id\": " #id "}\r\n"
#define DONE(id)          "{\"return\": {}, " ID(id)
#define REFUSED(id, desc) "{\"error\": {\"desc\": \"" desc "\"}, " ID(id)
#define JOB_STATUS(job, status)                                                                    \
	"{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"" job "\", \"status\": \"" status \
	"\"}}\r\n"

/* Answers come before they are asked for, and each is taken in its turn. */
#define BEGIN                                                                         \
	GREETING AGREED REFUSED(2, "Job not found") REFUSED(3, "Failed to find node") \
		REFUSED(4, "no such set")
#define JOB_RUNS DONE(5) DONE(6) DONE(7) JOB_STATUS("exomem-overlay", "running")
#define JOB_ENDS JOB_STATUS("backup", "concluded") JOB_STATUS("exomem-overlay", "concluded")
#define JOBS(ours)                                                   \
	"{\"return\": [{\"id\": \"backup\", \"error\": \"failed\"}," \
	" {\"id\": \"exomem-overlay\"" ours "}], " ID(8)

/* A folder of its own for each test, and the overlay in it. */
static char *folder;
static char *path;

static void make_folder(void)
{
	folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
	path = g_build_filename(folder, "overlay.qcow2", NULL);
}

static void remove_folder(void)
{
	g_unlink(path);
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_clear_pointer(&path, g_free);
	g_clear_pointer(&folder, g_free);
}

static bool create(ExmQmp *qmp, GError **error)
{
	return exm_overlay_create(qmp, path, "/disks/web.qcow2", "qcow2", 1 << 30, error);
}

START_TEST(qemu_makes_an_overlay)
{
	static const Line lines[] = {
		{ NULL, BEGIN JOB_RUNS JOB_ENDS JOBS("") DONE(9) DONE(10) DONE(11), 0, 0 },
		{ 0 },
	};
	Peer *peer = peer_start(lines, true);
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(GError) error = NULL;
	struct stat status;

	ck_assert(create(qmp, &error));
	assert_no_error(error);
	ck_assert_int_eq(g_stat(path, &status), 0);
	ck_assert_int_eq(status.st_mode & 07777, 0600);
	exm_qmp_free(qmp);
	peer_end_having_heard(
		peer, "{\"execute\":\"blockdev-create\",\"arguments\":{"
		      "\"job-id\":\"exomem-overlay\",\"options\":{\"driver\":\"qcow2\","
		      "\"file\":\"exomem-overlay\",\"size\":1073741824,"
		      "\"backing-file\":\"/disks/web.qcow2\",\"backing-fmt\":\"qcow2\"}},\"id\":7}");
}
END_TEST

/* What QEMU says, what it must have heard at last, and the error. */
static const struct {
	const char *said;
	const char *heard;
	const char *part;
} failures[] = {
	{ BEGIN REFUSED(5, "no descriptor") DONE(6) DONE(7) DONE(8), "\"remove-fd\"",
	  "QMP command 'add-fd': no descriptor" },
	{ BEGIN DONE(5) REFUSED(6, "no such file") DONE(7) DONE(8) DONE(9), "\"blockdev-del\"",
	  "QMP command 'blockdev-add': no such file" },
	{ BEGIN DONE(5) DONE(6) REFUSED(7, "no such size") DONE(8) DONE(9) DONE(10),
	  "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"exomem-overlay\"},\"id\":9}",
	  "QMP command 'blockdev-create': no such size" },
	{ BEGIN JOB_RUNS JOB_ENDS JOBS(", \"error\": \"disk full\"") DONE(9) DONE(10) DONE(11),
	  "{\"execute\":\"job-dismiss\",\"arguments\":{\"id\":\"exomem-overlay\"},\"id\":9}",
	  "QEMU: disk full" },
	{ BEGIN JOB_RUNS JOB_ENDS REFUSED(8, "no jobs") DONE(9) DONE(10) DONE(11), "\"id\":11}",
	  "QMP command 'query-jobs': no jobs" },
};

static void assert_fails(ExmQmp *qmp, const char *part)
{
	g_autofree char *wanted = g_strdup_printf("make the overlay '%s': %s", path, part);
	g_autoptr(GError) error = NULL;

	ck_assert(!create(qmp, &error));
	assert_error(error, EXM_ERROR_SYSTEM, wanted);
	ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
	exm_qmp_free(qmp);
}

START_TEST(failure_leaves_nothing)
{
	const Line lines[] = { { NULL, failures[_i].said, 0, 0 }, { 0 } };
	Peer *peer = peer_start(lines, true);

	assert_fails(peer_begin(peer), failures[_i].part);
	peer_end_having_heard(peer, failures[_i].heard);
}
END_TEST

START_TEST(qemu_that_dies_leaves_nothing)
{
	static const Line lines[] = { { NULL, BEGIN JOB_RUNS, 0, 0 }, { 0 } };
	Peer *peer = peer_start(lines, false);

	assert_fails(peer_begin(peer), "QEMU hung up");
	peer_end(peer);
}
END_TEST

START_TEST(taken_name_stays)
{
	static const Line lines[] = { { NULL, GREETING AGREED, 0, 0 }, { 0 } };
	Peer *peer = peer_start(lines, true);
	ExmQmp *qmp = peer_begin(peer);
	g_autoptr(GError) error = NULL;

	ck_assert(g_file_set_contents(path, "text", 4, NULL));
	ck_assert(!create(qmp, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "File exists");
	ck_assert(g_file_test(path, G_FILE_TEST_EXISTS));
	exm_qmp_free(qmp);
	peer_end(peer);
}
END_TEST

static const struct {
	size_t size;
	size_t data;
} images[] = {
	{ 0, 0 },
	{ 5, 0 },
	{ 192 * 1024 + 16, 64 * 1024 },
	{ 192 * 1024 + 16, 192 * 1024 },
};

START_TEST(copy_is_the_same_without_zeros)
{
	g_autofree char *image = g_malloc0(images[_i].size + 5);
	g_autofree char *copy = g_malloc0(images[_i].size + 5);
	exm_autofd int fd = memfd_create("copy", MFD_CLOEXEC);
	g_autoptr(GError) error = NULL;
	struct stat status;

	memcpy(image + images[_i].data, "data", images[_i].size ? 4 : 0);
	ck_assert(g_file_set_contents(path, image, (gssize)images[_i].size, NULL));
	ck_assert(exm_overlay_copy(path, fd, &error));
	assert_no_error(error);
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert_uint_eq(status.st_size, images[_i].size);
	ck_assert_int_le(status.st_blocks * 512, PAGE);
	ck_assert_int_eq(pread(fd, copy, images[_i].size, 0), images[_i].size);
	ck_assert_mem_eq(copy, image, images[_i].size);
}
END_TEST

START_TEST(copy_that_cannot_be)
{
	g_autoptr(GError) missing = NULL;
	g_autoptr(GError) refused = NULL;
	exm_autofd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert(!exm_overlay_copy(path, fd, &missing));
	assert_error(missing, EXM_ERROR_SYSTEM, "overlay.qcow2': No such file");
	ck_assert(g_file_set_contents(path, "text", 4, NULL));
	ck_assert(!exm_overlay_copy(path, fd, &refused));
	assert_error(refused, EXM_ERROR_SYSTEM, "a copy of");
}
END_TEST

START_TEST(copy_into_a_sealed_file)
{
	g_autoptr(GError) error = NULL;
	exm_autofd int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert(g_file_set_contents(path, "text", 4, NULL));
	ck_assert_int_eq(ftruncate(fd, 4), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	ck_assert(!exm_overlay_copy(path, fd, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "copy '");
}
END_TEST

/** overlay_suite() - Tests of lib/host/overlay.c */
Suite *overlay_suite(void)
{
	Suite *suite = suite_create("overlay");
	TCase *tests = tcase_create("overlay");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, qemu_makes_an_overlay);
	tcase_add_loop_test(tests, failure_leaves_nothing, 0, G_N_ELEMENTS(failures));
	tcase_add_test(tests, qemu_that_dies_leaves_nothing);
	tcase_add_test(tests, taken_name_stays);
	tcase_add_loop_test(tests, copy_is_the_same_without_zeros, 0, G_N_ELEMENTS(images));
	tcase_add_test(tests, copy_that_cannot_be);
	tcase_add_test(tests, copy_into_a_sealed_file);
	suite_add_tcase(suite, tests);
	return suite;
}
