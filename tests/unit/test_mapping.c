/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mapping.c - lib/host/mapping.c, on lines as the kernel prints them and on this process */

#include "host/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

#define LINE "7f0000000000-7f0000400000 rw-s 00001000 fe:0a 42 /mem/a file"

START_TEST(each_line)
{
	ExmMapsLine mapping;

	ck_assert(exm_maps_line_parse(LINE, &mapping));
	ck_assert_uint_eq(mapping.start, UINT64_C(0x7f0000000000));
	ck_assert_uint_eq(mapping.end, UINT64_C(0x7f0000400000));
	ck_assert_uint_eq(mapping.offset, 0x1000);
	ck_assert(mapping.shared);
	ck_assert_uint_eq(mapping.device, makedev(0xfe, 0x0a));
	ck_assert_uint_eq(mapping.inode, 42);
	ck_assert(exm_maps_line_parse("7f0000000000-7f0000001000 ---p 00000000 00:00 0", &mapping));
	ck_assert(!mapping.shared);
	ck_assert_uint_eq(mapping.inode, 0);
	ck_assert(!exm_maps_line_parse("Rss:                   4 kB", &mapping));
	ck_assert(!exm_maps_line_parse("7f0000000000-7f0000001000 rw-p", &mapping));
	ck_assert(!exm_maps_line_parse("", &mapping));
}
END_TEST

/* The files of two file systems often have the same inode numbers. */
START_TEST(a_file_is_its_device_and_its_inode)
{
	const ExmMappedFile same = { .device = makedev(0xfe, 0x0a), .inode = 42 };
	const ExmMappedFile other_device = { .device = makedev(0, 0x0a), .inode = 42 };
	const ExmMappedFile other_inode = { .device = makedev(0xfe, 0x0a), .inode = 43 };
	const ExmMappedFile anonymous = { .size = 0x400000 };
	ExmMapsLine mapping;

	ck_assert(exm_maps_line_parse(LINE, &mapping));
	ck_assert(exm_maps_line_is_of(&mapping, &same));
	ck_assert(!exm_maps_line_is_of(&mapping, &other_device));
	ck_assert(!exm_maps_line_is_of(&mapping, &other_inode));
	ck_assert(!exm_maps_line_is_of(&mapping, &anonymous));
	mapping.inode = 0;
	ck_assert(exm_maps_line_is_of(&mapping, &anonymous));
	ck_assert(!exm_maps_line_is_of(&mapping, &same));
}
END_TEST

/* Whatever file system this is on: the kernel prints one file the same way each time. */
START_TEST(a_file_is_found_in_the_maps)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	exm_autofd int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	void *memory = mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE, fd, 0);
	const ExmMappedFile file = exm_mapped_file_look(path);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	ExmMapsLine mapping;
	guint found = 0;

	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert(exm_file_read("/proc/self/maps", &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (exm_maps_line_parse(*line, &mapping) && exm_maps_line_is_of(&mapping, &file)) {
			ck_assert_uint_eq(mapping.start, (uintptr_t)memory);
			found++;
		}
	ck_assert_uint_eq(found, 1);
	munmap(memory, 4 * page);
	ck_assert_uint_eq(exm_mapped_file_look("/nonexistent").inode, 0);
}
END_TEST

/** mapping_suite() - Tests of lib/host/mapping.c */
Suite *mapping_suite(void)
{
	Suite *suite = suite_create("mapping");
	TCase *tests = tcase_create("mapping");

	tcase_add_test(tests, each_line);
	tcase_add_test(tests, a_file_is_its_device_and_its_inode);
	tcase_add_test(tests, a_file_is_found_in_the_maps);
	suite_add_tcase(suite, tests);
	return suite;
}
