/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stream_head.c - lib/plan/stream_head.c and lib/host/stream_head.c */

#include "plan/stream_head.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/stream_head.h"
#include "suite.h"

#define HEADER   "QEVM\0\0\0\3"
#define MACHINE  "\7\0\0\0\12pc-q35-7.2"
#define SECTION  "\4\0\0\0\0\5timer\0\0\0\0\0\0\0\2"
#define CAPS     "\5\32configuration/capabilities\0\0\0\1"
#define PAGEBITS "\5\36configuration/target-page-bits\0\0\0\1\0\0\0\14"
#define UUID     "\5\22configuration/uuid\0\0\0\1"

/* A string constant with NULs in it, less the one that the compiler adds. */
#define BYTES(text) (text), sizeof(text) - 1

#define NOBODY 65534

static const struct {
	const char *bytes;
	size_t length;
	ExmStreamHead head;
} cases[] = {
	{ BYTES(""), EXM_STREAM_EMPTY },
	{ BYTES("Q"), EXM_STREAM_FOREIGN },
	{ BYTES("QEVM\0\0\0"), EXM_STREAM_FOREIGN },
	{ BYTES(HEADER), EXM_STREAM_FOREIGN },
	{ BYTES("QEVM\0\0\0\2\4"), EXM_STREAM_FOREIGN },
	{ BYTES("MVEQ\0\0\0\3\4"), EXM_STREAM_FOREIGN },
	{ BYTES("LibvirtQemudSave"), EXM_STREAM_FOREIGN },
	{ BYTES(HEADER SECTION), EXM_STREAM_DEVICES },
	{ BYTES(HEADER "\4"), EXM_STREAM_DEVICES },
	{ BYTES(HEADER "\1\0\0\0\2\3ram"), EXM_STREAM_UNCONFIGURED },
	{ BYTES(HEADER "\0"), EXM_STREAM_UNCONFIGURED },
	{ BYTES(HEADER "\7"), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE SECTION), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\0" SECTION), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\1\12mapped-ram" SECTION), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\1\17x-ignore-shared"), EXM_STREAM_IGNORE_SHARED },
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\2\12mapped-ram\17x-ignore-shared" SECTION),
	  EXM_STREAM_IGNORE_SHARED },
	{ BYTES(HEADER MACHINE PAGEBITS CAPS "\0\0\0\1\17x-ignore-shared" SECTION),
	  EXM_STREAM_IGNORE_SHARED },
	/* Another name of that length, a longer one, and one behind the number that was promised. */
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\1\17x-ignore-sharee"), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\1\20x-ignore-shared2"), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\0\17x-ignore-shared"), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE UUID CAPS "\0\0\0\1\17x-ignore-shared"), EXM_STREAM_CONFIGURED },
	/* Lengths and counts that lead beyond the end. */
	{ BYTES(HEADER "\7\377\377\377\377pc"), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE "\5\377conf"), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE CAPS "\377\377\377\377\12mapped-ram\377x"), EXM_STREAM_CONFIGURED },
	{ BYTES(HEADER MACHINE CAPS "\0\0\0\1\17x-ignore-share"), EXM_STREAM_CONFIGURED },
};

static char *folder;
static char *path;

static void make_folder(void)
{
	folder = g_dir_make_tmp("exomem-unit-XXXXXX", NULL);
	ck_assert_ptr_nonnull(folder);
	path = g_build_filename(folder, "state", NULL);
}

static void remove_folder(void)
{
	ck_assert(g_unlink(path) == 0 || errno == ENOENT);
	ck_assert_int_eq(g_rmdir(folder), 0);
	g_clear_pointer(&path, g_free);
	g_clear_pointer(&folder, g_free);
}

/* Of exactly this size, so that the sanitizers and valgrind see a byte too much. */
START_TEST(heads)
{
	g_autofree uint8_t *bytes = g_memdup2(cases[_i].bytes, cases[_i].length);

	ck_assert_str_eq(exm_enum_name(&exm_stream_heads,
	                               (int)exm_stream_head_recognize(bytes, cases[_i].length)),
	                 exm_enum_name(&exm_stream_heads, (int)cases[_i].head));
}
END_TEST

static ExmStreamHead look(const ExmIncomingFile *file)
{
	g_autoptr(GError) error = NULL;
	ExmStreamHead head = EXM_STREAM_NONE;

	ck_assert(exm_stream_head_read(file, &head, &error));
	assert_no_error(error);
	return head;
}

START_TEST(in_file)
{
	const ExmIncomingFile file = { .path = path, .fd = -1 };

	ck_assert(g_file_set_contents(path, cases[_i].bytes, (gssize)cases[_i].length, NULL));
	ck_assert_int_eq(look(&file), cases[_i].head);
}
END_TEST

START_TEST(behind_offset)
{
	static const char bytes[] = "0123456789" HEADER SECTION;
	const ExmIncomingFile at_start = { .path = path, .fd = -1 };
	const ExmIncomingFile at_stream = { .path = path, .fd = -1, .offset = 10 };
	const ExmIncomingFile beyond = { .path = path, .fd = -1, .offset = 1000 };

	ck_assert(g_file_set_contents(path, bytes, sizeof(bytes), NULL));
	ck_assert_int_eq(look(&at_start), EXM_STREAM_FOREIGN);
	ck_assert_int_eq(look(&at_stream), EXM_STREAM_DEVICES);
	ck_assert_int_eq(look(&beyond), EXM_STREAM_EMPTY);
}
END_TEST

/* QEMU goes on where the descriptor stands. */
START_TEST(descriptor_stays)
{
	static const char bytes[] = "0123456789" HEADER SECTION;
	exm_autofd int fd = -1;

	ck_assert(g_file_set_contents(path, bytes, sizeof(bytes), NULL));
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(lseek(fd, 10, SEEK_SET), 10);
	ck_assert_int_eq(look(&(ExmIncomingFile){ .fd = fd }), EXM_STREAM_DEVICES);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 10);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(look(&(ExmIncomingFile){ .fd = fd }), EXM_STREAM_FOREIGN);
}
END_TEST

START_TEST(missing)
{
	ck_assert_int_eq(look(&(ExmIncomingFile){ .path = path, .fd = -1 }), EXM_STREAM_MISSING);
}
END_TEST

/* Who writes to it must still be waiting afterwards; opening it would not even return here. */
START_TEST(pipe_is_left_alone)
{
	int ends[2];

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(look(&(ExmIncomingFile){ .path = path, .fd = -1 }), EXM_STREAM_UNSEEN);
	ck_assert_int_eq(look(&(ExmIncomingFile){ .path = folder, .fd = -1 }), EXM_STREAM_UNSEEN);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "QEVM", 4), 4);
	ck_assert_int_eq(look(&(ExmIncomingFile){ .fd = ends[0] }), EXM_STREAM_UNSEEN);
	close(ends[1]);
	close(ends[0]);
}
END_TEST

static void assert_unreadable(const ExmIncomingFile *file, const char *part)
{
	g_autoptr(GError) error = NULL;
	ExmStreamHead head = EXM_STREAM_NONE;

	ck_assert(!exm_stream_head_read(file, &head, &error));
	assert_error(error, EXM_ERROR_SYSTEM, part);
	ck_assert_int_eq(head, EXM_STREAM_NONE);
}

START_TEST(unreadable)
{
	g_autofree char *below = g_build_filename(path, "state", NULL);
	g_autofree char *name = NULL;
	exm_autofd int fd = open(path, O_WRONLY | O_CREAT, 0600);

	name = g_strdup_printf("cannot read 'fd:%d'", fd);
	assert_unreadable(&(ExmIncomingFile){ .fd = fd }, name);
	assert_unreadable(&(ExmIncomingFile){ .path = below, .fd = -1 }, "Not a directory");
	exm_fd_clear(&fd);
	assert_unreadable(&(ExmIncomingFile){ .fd = 1000000 }, "'fd:1000000'");
}
END_TEST

/* Root may read everything, so the test becomes somebody else for a moment. */
START_TEST(forbidden)
{
	const bool root = geteuid() == 0;

	ck_assert(g_file_set_contents(path, HEADER, 8, NULL));
	ck_assert_int_eq(chmod(path, 0), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert(!root || seteuid(NOBODY) == 0);
	assert_unreadable(&(ExmIncomingFile){ .path = path, .fd = -1 }, "Permission denied");
	ck_assert(!root || seteuid(0) == 0);
}
END_TEST

Suite *stream_head_suite(void)
{
	Suite *suite = suite_create("stream_head");
	TCase *tests = tcase_create("stream_head");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_loop_test(tests, heads, 0, G_N_ELEMENTS(cases));
	tcase_add_loop_test(tests, in_file, 0, G_N_ELEMENTS(cases));
	tcase_add_test(tests, behind_offset);
	tcase_add_test(tests, descriptor_stays);
	tcase_add_test(tests, missing);
	tcase_add_test(tests, pipe_is_left_alone);
	tcase_add_test(tests, unreadable);
	tcase_add_test(tests, forbidden);
	suite_add_tcase(suite, tests);
	return suite;
}
