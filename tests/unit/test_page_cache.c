/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_page_cache.c - lib/host/page_cache.c and lib/host/page_map.c, on this process and its files */

#include "host/page_cache.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/size.h"
#include "host/page_map.h"
#include "suite.h"

#define SIZE EXM_MIB

/* Without a name, on whatever the directory for temporary files is on. */
static int file_of(uint64_t size)
{
	const int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	g_autofree char *bytes = g_malloc(size);

	ck_assert_int_ge(fd, 0);
	memset(bytes, 'x', size);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	return fd;
}

START_TEST(what_was_just_written_is_there)
{
	exm_autofd int fd = file_of(SIZE);
	g_autoptr(GArray) cached = exm_page_cache_look(fd, SIZE);

	ck_assert(exm_page_cache_is_shown(fd));
	ck_assert_uint_eq(cached->len, 1);
	ck_assert_uint_eq(exm_extents_bytes(cached), SIZE);
}
END_TEST

static GArray *pieces_of(uint64_t size)
{
	GArray *pieces = g_array_new(FALSE, FALSE, sizeof(ExmPrefetchPiece));
	g_autoptr(GArray) extents = exm_extents_new();

	exm_extents_add(extents, 0, size);
	exm_prefetch_add_pieces(pieces, 0, extents, UINT64_MAX);
	return pieces;
}

static bool wait_for(const ExmCacheFill *fill, int timeout_ms)
{
	struct pollfd ended = { .fd = exm_cache_fill_ended(fill), .events = POLLIN };

	return poll(&ended, 1, timeout_ms) > 0;
}

START_TEST(all_is_read)
{
	exm_autofd int fd = file_of(SIZE);
	g_autoptr(GArray) pieces = pieces_of(SIZE);
	g_autoptr(GError) error = NULL;
	ExmCacheFill *fill = exm_cache_fill_start(&fd, pieces, 0, false);

	ck_assert(wait_for(fill, 60000));
	ck_assert_uint_eq(exm_cache_fill_bytes(fill), SIZE);
	ck_assert(exm_cache_fill_finish(fill, &error));
}
END_TEST

/* Slowly it all comes too, whole blocks among it, be it told to hurry or not. */
START_TEST(slowly)
{
	const uint64_t size = 3 * EXM_PREFETCH_BLOCK + EXM_MIB;
	exm_autofd int fd = file_of(size);
	g_autoptr(GArray) pieces = pieces_of(size);
	ExmCacheFill *fill = exm_cache_fill_start(&fd, pieces, 0, true);

	if (_i == 1)
		exm_cache_fill_hurry(fill);
	ck_assert(wait_for(fill, 60000));
	ck_assert_uint_eq(exm_cache_fill_bytes(fill), size);
	ck_assert(exm_cache_fill_finish(fill, NULL));
}
END_TEST

START_TEST(a_slow_one_can_be_ended)
{
	exm_autofd int fd = file_of(SIZE);
	g_autoptr(GArray) pieces = pieces_of(SIZE);
	g_autoptr(GError) error = NULL;
	/* The second piece has its turn in 256 seconds. */
	ExmCacheFill *fill = exm_cache_fill_start(&fd, pieces, EXM_KIB, false);

	ck_assert(!wait_for(fill, 50));
	ck_assert(exm_cache_fill_finish(fill, &error));
}
END_TEST

START_TEST(a_file_that_is_shorter_now_has_no_more)
{
	exm_autofd int fd = file_of(SIZE);
	g_autoptr(GArray) pieces = pieces_of(4 * SIZE);
	ExmCacheFill *fill = exm_cache_fill_start(&fd, pieces, 0, false);

	ck_assert(wait_for(fill, 60000));
	ck_assert_uint_eq(exm_cache_fill_bytes(fill), SIZE);
	ck_assert(exm_cache_fill_finish(fill, NULL));
}
END_TEST

START_TEST(what_cannot_be_read_is_told)
{
	exm_autofd int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(GArray) pieces = pieces_of(SIZE);
	g_autoptr(GError) error = NULL;
	ExmCacheFill *fill = exm_cache_fill_start(&fd, pieces, 0, false);

	ck_assert(wait_for(fill, 60000));
	ck_assert(!exm_cache_fill_finish(fill, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "read memory");
}
END_TEST

/* Of a private mapping: what was written counts, and so what was read. */
START_TEST(touched_pages)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	exm_autofd int fd = file_of(SIZE);
	char *mapping = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	g_autoptr(GError) error = NULL;
	g_autoptr(GArray) none = NULL;
	g_autoptr(GArray) some = NULL;
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	const ExmMappedFile file = exm_mapped_file_look(path);

	ck_assert_ptr_ne(mapping, MAP_FAILED);
	/* Or neighbours would be mapped along with a page that is read. */
	ck_assert_int_eq(madvise(mapping, SIZE, MADV_RANDOM), 0);
	none = exm_page_map_touched(getpid(), &file, &error);
	assert_no_error(error);
	ck_assert_uint_eq(none->len, 0);
	mapping[8 * page] = 'y';
	mapping[9 * page] = 'y';
	mapping[128 * page] = 'y';
	some = exm_page_map_touched(getpid(), &file, &error);
	assert_no_error(error);
	ck_assert_uint_eq(some->len, 2);
	ck_assert_uint_eq(exm_extents_at(some, 0)->start, 8 * page);
	ck_assert_uint_eq(exm_extents_at(some, 0)->end, 10 * page);
	ck_assert_uint_eq(exm_extents_at(some, 1)->start, 128 * page);
	ck_assert_uint_eq(exm_extents_bytes(some), 3 * page);
	munmap(mapping, SIZE);
	ck_assert_ptr_null(exm_page_map_touched(0x7fffffff, &file, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "pagemap");
}
END_TEST

Suite *page_cache_suite(void)
{
	Suite *suite = suite_create("page_cache");
	TCase *tests = tcase_create("page_cache");

	tcase_add_test(tests, what_was_just_written_is_there);
	tcase_add_test(tests, all_is_read);
	tcase_add_loop_test(tests, slowly, 0, 2);
	tcase_add_test(tests, a_slow_one_can_be_ended);
	tcase_add_test(tests, a_file_that_is_shorter_now_has_no_more);
	tcase_add_test(tests, what_cannot_be_read_is_told);
	tcase_add_test(tests, touched_pages);
	suite_add_tcase(suite, tests);
	return suite;
}
