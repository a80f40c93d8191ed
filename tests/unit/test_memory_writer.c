/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_memory_writer.c - lib/host/memory_writer.c */

#include "host/memory_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "suite.h"

#define PAGE_SIZE ((uint64_t)4096)
#define FILE_SIZE (4096 * PAGE_SIZE)

/* A file of holes, and what it should hold. */
static int file = -1;
static ExmMemoryWriter *writer;
static uint8_t *wanted;

static void begin(void)
{
	/* A tmpfs, whose pages are there or not, whatever the host's file systems are. */
	file = memfd_create("memory", MFD_CLOEXEC);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, FILE_SIZE), 0);
	/* The writer closes its own. */
	writer = exm_memory_writer_new(dup(file), "/memory", FILE_SIZE);
	wanted = g_malloc0(FILE_SIZE);
}

static void end(void)
{
	exm_memory_writer_free(writer);
	exm_fd_clear(&file);
	g_free(wanted);
}

/* Pages of a byte; of zeros without data where that is 0. */
static void put(uint64_t page, uint64_t count, uint8_t byte)
{
	g_autofree uint8_t *data = g_malloc(count * PAGE_SIZE);
	g_autoptr(GError) error = NULL;

	memset(data, byte, count * PAGE_SIZE);
	memset(wanted + page * PAGE_SIZE, byte, count * PAGE_SIZE);
	exm_memory_writer_put(writer, page * PAGE_SIZE, byte ? data : NULL, count * PAGE_SIZE,
	                      &error);
	assert_no_error(error);
}

static void flush(void)
{
	g_autoptr(GError) error = NULL;

	exm_memory_writer_flush(writer, &error);
	assert_no_error(error);
}

static uint64_t pages_in_use(void)
{
	struct stat status;

	ck_assert_int_eq(fstat(file, &status), 0);
	return (uint64_t)status.st_blocks * 512 / PAGE_SIZE;
}

/* The file is as it should be, with so many pages that are no holes. */
static void assert_file(uint64_t pages)
{
	g_autofree uint8_t *bytes = g_malloc(FILE_SIZE);
	struct stat status;

	flush();
	ck_assert_uint_eq(pages_in_use(), pages);
	ck_assert_int_eq(fstat(file, &status), 0);
	ck_assert_uint_eq((uint64_t)status.st_size, FILE_SIZE);
	ck_assert_int_eq(pread(file, bytes, FILE_SIZE, 0), (ssize_t)FILE_SIZE);
	ck_assert_mem_eq(bytes, wanted, FILE_SIZE);
}

START_TEST(zeros_leave_holes)
{
	put(0, 1, 1);
	put(1, 1, 0);
	put(2, 1, 2);
	put(3, 4093, 0);
	assert_file(2);
	ck_assert_uint_eq(exm_memory_writer_written(writer), 2 * PAGE_SIZE);
}
END_TEST

START_TEST(neighbours_are_gathered)
{
	for (uint64_t page = 0; page < 256; page++) {
		ck_assert_uint_eq(pages_in_use(), 0);
		put(page, 1, 7);
	}
	/* That was 1 MiB. */
	ck_assert_uint_eq(pages_in_use(), 256);
	put(256, 1, 8);
	ck_assert_uint_eq(pages_in_use(), 256);
	/* This is no neighbour. */
	put(300, 1, 9);
	ck_assert_uint_eq(pages_in_use(), 257);
	ck_assert_uint_eq(exm_memory_writer_written(writer), 257 * PAGE_SIZE);
	assert_file(258);
	ck_assert_uint_eq(exm_memory_writer_written(writer), 258 * PAGE_SIZE);
}
END_TEST

START_TEST(much_at_once)
{
	put(1, 1, 1);
	put(2, 1000, 2);
	put(1002, 1, 3);
	assert_file(1002);
}
END_TEST

START_TEST(pages_come_again)
{
	put(0, 4, 1);
	put(1, 1, 2);
	put(0, 1, 3);
	put(0, 1, 4);
	assert_file(4);
	put(2, 1, 5);
	assert_file(4);
	ck_assert_uint_eq(exm_memory_writer_written(writer), 8 * PAGE_SIZE);
}
END_TEST

START_TEST(zeros_come_later)
{
	put(0, 600, 1);
	/* Some of this is only gathered yet. */
	put(599, 1, 0);
	put(3, 1, 0);
	put(4, 1, 0);
	put(0, 1, 0);
	assert_file(596);
	put(3, 1, 9);
	put(3, 1, 0);
	put(4, 1, 8);
	assert_file(597);
	put(0, 4096, 0);
	assert_file(0);
}
END_TEST

START_TEST(outside)
{
	static const struct {
		uint64_t offset;
		uint64_t length;
	} places[] = {
		{ FILE_SIZE, PAGE_SIZE },
		{ FILE_SIZE - PAGE_SIZE, 2 * PAGE_SIZE },
		{ UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE },
		{ 1, PAGE_SIZE },
		{ 0, 1 },
	};
	g_autofree uint8_t *data = g_malloc0(2 * PAGE_SIZE);
	g_autoptr(GError) error = NULL;
	g_autoptr(GError) zero_error = NULL;

	ck_assert(!exm_memory_writer_put(writer, places[_i].offset, data, places[_i].length, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "does not fit into '/memory'");
	ck_assert(!exm_memory_writer_put(writer, places[_i].offset, NULL, places[_i].length,
	                                 &zero_error));
	assert_error(zero_error, EXM_ERROR_SYSTEM, "does not fit into '/memory'");
}
END_TEST

START_TEST(disk_is_full)
{
	g_autoptr(ExmMemoryWriter) full = NULL;
	g_autoptr(GError) error = NULL;
	static const uint8_t data[4096];
	exm_autofd int device = open("/dev/full", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(device, 0);
	full = exm_memory_writer_new(g_steal_fd(&device), "/dev/full", FILE_SIZE);
	ck_assert(exm_memory_writer_put(full, 0, data, sizeof(data), &error));
	ck_assert(!exm_memory_writer_flush(full, &error));
	assert_error(error, EXM_ERROR_NO_ROOM, "write '/dev/full'");
	ck_assert_uint_eq(exm_memory_writer_written(full), 0);
}
END_TEST

START_TEST(what_is_synced)
{
	g_autoptr(GError) error = NULL;

	put(3, 2, 'x');
	ck_assert(exm_memory_writer_sync(writer, &error));
	assert_no_error(error);
	ck_assert_uint_eq(pages_in_use(), 2);
}
END_TEST

START_TEST(what_cannot_be_synced)
{
	g_autoptr(ExmMemoryWriter) null = NULL;
	g_autoptr(GError) error = NULL;
	static const uint8_t data[4096];
	/* It takes all that is written, and cannot be synced. */
	const int device = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(device, 0);
	null = exm_memory_writer_new(device, "/dev/null", FILE_SIZE);
	ck_assert(exm_memory_writer_put(null, 0, data, sizeof(data), &error));
	ck_assert(!exm_memory_writer_sync(null, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "cannot sync '/dev/null'");
}
END_TEST

START_TEST(the_file_is_closed)
{
	const int device = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(device, 0);
	exm_memory_writer_free(exm_memory_writer_new(device, "/dev/null", FILE_SIZE));
	ck_assert_int_eq(fcntl(device, F_GETFD), -1);
}
END_TEST

START_TEST(no_holes)
{
	/* Our own memory is a file that can be written and has no holes, of 2 GiB at most. */
	const uint64_t address = 0x20000000;
	g_autoptr(ExmMemoryWriter) memory = NULL;
	g_autoptr(GError) error = NULL;
	static const uint8_t data[4096] = "x";
	exm_autofd int self = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char *pages = mmap(GSIZE_TO_POINTER(address), 3 * PAGE_SIZE, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_int_ge(self, 0);
	ck_assert(pages == GSIZE_TO_POINTER(address));
	memory = exm_memory_writer_new(g_steal_fd(&self), "/proc/self/mem", FILE_SIZE + address);
	for (int i = 0; i < 3; i++)
		exm_memory_writer_put(memory, address + i * PAGE_SIZE, data, PAGE_SIZE, &error);
	exm_memory_writer_put(memory, address + PAGE_SIZE, NULL, PAGE_SIZE, &error);
	exm_memory_writer_flush(memory, &error);
	assert_no_error(error);
	ck_assert_int_eq(pages[0], 'x');
	ck_assert_int_eq(pages[PAGE_SIZE], 0);
	ck_assert_int_eq(pages[2 * PAGE_SIZE], 'x');
	ck_assert_uint_eq(exm_memory_writer_written(memory), 4 * PAGE_SIZE);
	munmap(pages, 3 * PAGE_SIZE);
}
END_TEST

Suite *memory_writer_suite(void)
{
	Suite *suite = suite_create("memory_writer");
	TCase *tcase = tcase_create("memory_writer");

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, zeros_leave_holes);
	tcase_add_test(tcase, neighbours_are_gathered);
	tcase_add_test(tcase, much_at_once);
	tcase_add_test(tcase, pages_come_again);
	tcase_add_test(tcase, zeros_come_later);
	tcase_add_loop_test(tcase, outside, 0, 5);
	tcase_add_test(tcase, disk_is_full);
	tcase_add_test(tcase, what_is_synced);
	tcase_add_test(tcase, what_cannot_be_synced);
	tcase_add_test(tcase, the_file_is_closed);
	tcase_add_test(tcase, no_holes);
	suite_add_tcase(suite, tcase);
	return suite;
}
