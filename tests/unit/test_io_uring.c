/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_io_uring.c - lib/plan/io_uring.c */

#include "plan/io_uring.h"

#include "suite.h"

static char *find(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmQemuLine) line = exm_qemu_line_parse((const char *const *)words, &error);

	assert_no_error(error);
	return exm_io_uring_find(line);
}

/* All end in the option that asks. */
static const char *const asking[] = {
	"-drive file=a.img,aio=io_uring",
	"-m 1g -drive file=a.img,file.aio=io_uring,format=raw",
	"-drive aio=threads,file=a.img -drive if=none,aio=io_uring,file=b.img",
	"-blockdev file,filename=a.img,node-name=f,aio=io_uring",
	"-blockdev {\"driver\":\"file\",\"filename\":\"a\",\"node-name\":\"f\",\"aio\":\"io_uring\"}",
	"-blockdev {\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"aio\":\"io_uring\"}}",
	"-blockdev io_uring,filename=a.img,node-name=f,cache.direct=on",
	"-blockdev driver=raw,file.driver=nvme-io_uring,file.path=/dev/ng0n1",
	"-hda json:{\"driver\":\"file\",\"filename\":\"a\",\"aio\":\"io_uring\"}",
	"json:{\"file\":{\"driver\":\"file\",\"filename\":\"a\",\"aio\":\"io_uring\"}}",
	"-drive file=json:{\"driver\":\"file\"},,{\"aio\":\"native\"},aio=io_uring",
	"-set drive.d0.aio=io_uring",
};

START_TEST(disks_that_ask_are_found)
{
	g_autofree char *found = find(asking[_i]);

	ck_assert_ptr_nonnull(found);
	ck_assert(g_str_has_suffix(asking[_i], found));
	ck_assert(strstr(found, "io_uring"));
}
END_TEST

static const char *const others[] = {
	"-m 1g io_uring",
	"-drive file=io_uring,aio=native",
	"-drive file=a.img,id=io_uring",
	"-blockdev file,filename=aio=io_uring,node-name=f,aio=threads",
	"-hda json:{\"driver\":\"file\",\"filename\":\"io_uring\",\"aio\":\"threads\"}",
	"-set device.d0.aio=io_uring",
	"-name aio=io_uring",
	"-hda json:{",
};

START_TEST(others_are_not)
{
	ck_assert_ptr_null(find(others[_i]));
}
END_TEST

/** io_uring_suite() - Tests of lib/plan/io_uring.c */
Suite *io_uring_suite(void)
{
	Suite *suite = suite_create("io_uring");
	TCase *tests = tcase_create("io_uring");

	tcase_add_loop_test(tests, disks_that_ask_are_found, 0, G_N_ELEMENTS(asking));
	tcase_add_loop_test(tests, others_are_not, 0, G_N_ELEMENTS(others));
	suite_add_tcase(suite, tests);
	return suite;
}
