/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stream.c - lib/host/stream.c, stream_section.c and stream_memory.c */

#include "host/stream.h"

#include "suite.h"

#define PAGE_SIZE 4096U

/* Of the blocks in the streams below. */
#define BLOCK_SIZE 0x100000U

/* QEMU, migration/savevm.h and migration/ram.c */
enum { MARK_START = 1, MARK_PART, MARK_END, MARK_FULL, MARK_COMMAND = 8, MARK_FOOTER = 0x7e };
enum { ZERO = 0x02, BLOCKS = 0x04, PAGE = 0x08, END = 0x10, CONTINUE = 0x20 };

static const char *const chosen[] = { "pc.ram", "node1", NULL };

/* A stream that is built, which of it is to remain, and what came of it. */
static GByteArray *input;
static GByteArray *wanted;
static guint unsorted;
static GByteArray *rest;
static GString *pages;
static bool sink_fails;
static bool pages_are_copies;

static void begin(void)
{
	input = g_byte_array_new();
	wanted = g_byte_array_new();
	unsorted = 0;
	rest = g_byte_array_new();
	pages = g_string_new(NULL);
	sink_fails = false;
}

static void end(void)
{
	g_byte_array_unref(input);
	g_byte_array_unref(wanted);
	g_byte_array_unref(rest);
	g_string_free(pages, TRUE);
}

/* What was put since the last time is to remain, or to be taken. */
static void keep(void)
{
	g_byte_array_append(wanted, input->data + unsorted, input->len - unsorted);
	unsorted = input->len;
}

static void drop(void)
{
	unsorted = input->len;
}

static void put_number(guint length, uint64_t number)
{
	for (guint i = length; i-- > 0;) {
		const uint8_t byte = (uint8_t)(number >> 8 * i);

		g_byte_array_append(input, &byte, 1);
	}
}

static void put_text(const char *text)
{
	g_byte_array_append(input, (const uint8_t *)text, (guint)strlen(text));
}

static void put_name(const char *name)
{
	put_number(1, strlen(name));
	put_text(name);
}

static void put_fill(uint8_t byte, guint length)
{
	for (guint i = 0; i < length; i++)
		put_number(1, byte);
}

static void put_hex(const char *hex)
{
	for (; *hex; hex += 2)
		put_number(1, (uint64_t)(g_ascii_xdigit_value(hex[0]) << 4 |
		                         g_ascii_xdigit_value(hex[1])));
}

static void put_magic(void)
{
	put_text("QEVM");
	put_number(4, 3);
}

static void put_configuration(void)
{
	put_magic();
	put_number(1, 7);
	put_number(4, 3);
	put_text("q35");
}

static void put_subsection(const char *name)
{
	put_number(1, 5);
	put_name(name);
	put_number(4, 1);
}

static void put_ignore_shared(void)
{
	put_subsection("configuration/capabilities");
	put_number(4, 1);
	put_name("x-ignore-shared");
}

static void put_start(void)
{
	put_number(1, MARK_START);
	put_number(4, 2);
	put_name("ram");
	put_number(4, 0);
	put_number(4, 4);
}

static void put_section(int mark)
{
	put_number(1, (uint64_t)mark);
	put_number(4, 2);
}

/* The blocks of all streams here; two of them are chosen. */
static void put_blocks(bool with_addresses)
{
	static const char *const names[] = { "pc.ram", "vga.vram", "node1" };

	put_number(8, G_N_ELEMENTS(names) * BLOCK_SIZE | BLOCKS);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		put_name(names[i]);
		put_number(8, BLOCK_SIZE);
		if (with_addresses)
			put_number(8, 0xfffc0000);
	}
}

/* A page full of a byte; of the last block where there is no name. */
static void put_page(const char *block, uint64_t offset, uint8_t fill)
{
	put_number(8, offset | PAGE | (block ? 0 : CONTINUE));
	if (block)
		put_name(block);
	put_fill(fill, PAGE_SIZE);
}

static void put_zero_page(const char *block, uint64_t offset, uint8_t fill)
{
	put_number(8, offset | ZERO | (block ? 0 : CONTINUE));
	if (block)
		put_name(block);
	put_number(1, fill);
}

/* As far as the list of blocks, with x-ignore-shared. */
static void put_beginning(void)
{
	put_configuration();
	put_ignore_shared();
	put_start();
	put_blocks(true);
}

static void put_first_section(void)
{
	put_beginning();
	put_number(8, END);
	put_section(MARK_FOOTER);
}

/* From within memory on. */
static void put_ending(void)
{
	put_number(8, END);
	put_section(MARK_END);
	put_number(8, END);
	put_section(MARK_FOOTER);
	put_text("devices");
}

/* Notes "BLOCK:OFFSET:BYTE ", where BYTE is - if there is no data. */
static bool take_page(void *user, guint block, uint64_t offset, const void *data, size_t length,
                      GError **error)
{
	const uint8_t *bytes = data;
	const uint8_t *end_of_input = input->data + input->len;

	ck_assert_ptr_eq(user, input);
	ck_assert_uint_eq(length % PAGE_SIZE, 0);
	if (sink_fails)
		return exm_throw(error, EXM_ERROR_NO_ROOM, "no room for the page");
	g_string_append_printf(pages, "%u:%x:", block, (unsigned int)offset);
	if (!bytes) {
		g_string_append(pages, "- ");
		return true;
	}
	for (size_t i = 1; i < length; i++)
		ck_assert_uint_eq(bytes[i], bytes[0]);
	g_string_append_printf(pages, "%x ", bytes[0]);
	pages_are_copies = bytes < input->data || bytes >= end_of_input;
	return true;
}

static bool take_rest(void *user, const void *data, size_t length, GError **error)
{
	ck_assert_ptr_eq(user, input);
	ck_assert_uint_gt(length, 0);
	if (sink_fails)
		return exm_throw(error, EXM_ERROR_NO_ROOM, "no room for the rest");
	g_byte_array_append(rest, data, (guint)length);
	return true;
}

/* Feeds some of the input in pieces, and says that it ends there. */
static bool feed(const char *const *blocks, guint length, guint piece, GError **error)
{
	const ExmStreamSink sink = { .page = take_page, .rest = take_rest, .user = input };
	g_autoptr(ExmStream) stream = exm_stream_new(blocks, &sink);

	g_string_truncate(pages, 0);
	g_byte_array_set_size(rest, 0);
	for (guint i = 0; i < length; i += piece)
		if (!exm_stream_feed(stream, input->data + i, MIN(piece, length - i), error))
			return false;
	return exm_stream_end(stream, error);
}

/* The input's parts are these, however it comes. */
static void assert_split(const char *wanted_pages)
{
	static const guint pieces[] = { G_MAXUINT / 2, 1, 7, PAGE_SIZE, PAGE_SIZE + 8 };

	keep();
	for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
		g_autoptr(GError) error = NULL;

		feed(chosen, input->len, pieces[i], &error);
		assert_no_error(error);
		ck_assert_str_eq(pages->str, wanted_pages);
		ck_assert_uint_eq(rest->len, wanted->len);
		ck_assert_mem_eq(rest->data, wanted->data, wanted->len);
	}
}

START_TEST(whole_stream)
{
	put_configuration();
	put_subsection("configuration/target-page-bits");
	put_number(4, 12);
	put_ignore_shared();
	put_subsection("configuration/uuid");
	put_fill(0x05, 16);
	put_number(1, MARK_COMMAND);
	put_hex("0001"
	        "0000");
	put_number(1, MARK_COMMAND);
	put_hex("0002"
	        "0004"
	        "00000001");
	put_start();
	put_blocks(true);
	put_number(8, END);
	put_section(MARK_FOOTER);
	put_section(MARK_PART);
	keep();
	put_page("pc.ram", 0, 0xab);
	put_zero_page(NULL, 0x1000, 0);
	put_page(NULL, 0xff000, 0xcd);
	drop();
	put_number(8, END);
	put_section(MARK_FOOTER);
	put_number(1, MARK_COMMAND);
	put_hex("000b"
	        "0000");
	put_section(MARK_END);
	keep();
	put_page(NULL, 0, 0xef);
	put_zero_page("node1", 0x2000, 0);
	drop();
	put_number(8, END);
	put_section(MARK_FOOTER);
	put_section(MARK_FULL);
	put_fill(0x01, 70000);
	assert_split("0:0:ab 0:1000:- 0:ff000:cd 0:0:ef 1:2000:- ");
}
END_TEST

/* What remains are runs that begin with a name. */
START_TEST(blocks_alternate)
{
	put_beginning();
	put_page("vga.vram", 0, 1);
	put_page(NULL, 0x1000, 2);
	keep();
	put_page("pc.ram", 0x3000, 3);
	put_zero_page(NULL, 0x4000, 0);
	drop();
	put_zero_page("vga.vram", 0x5000, 0);
	put_page(NULL, 0x6000, 4);
	keep();
	put_page("node1", 0x7000, 5);
	drop();
	put_page("vga.vram", 0x8000, 6);
	put_ending();
	assert_split("0:3000:3 0:4000:- 1:7000:5 ");
}
END_TEST

START_TEST(old_machine)
{
	/* No x-ignore-shared, and pc-i440fx-2.3 and older have no footers. */
	put_configuration();
	put_start();
	put_blocks(false);
	put_number(8, END);
	put_section(MARK_PART);
	keep();
	put_page("node1", 0, 1);
	drop();
	put_number(8, END);
	put_section(MARK_END);
	put_number(8, END);
	put_section(MARK_FULL);
	assert_split("1:0:1 ");
}
END_TEST

START_TEST(no_block_chosen)
{
	static const char *const none[] = { NULL };
	g_autoptr(GError) error = NULL;

	put_beginning();
	put_page("pc.ram", 0, 1);
	put_page(NULL, 0x1000, 2);
	put_ending();
	feed(none, input->len, input->len, &error);
	assert_no_error(error);
	ck_assert_str_eq(pages->str, "");
	ck_assert_uint_eq(rest->len, input->len);
	ck_assert_mem_eq(rest->data, input->data, input->len);
}
END_TEST

START_TEST(large_pages)
{
	put_configuration();
	put_subsection("configuration/target-page-bits");
	put_number(4, 16);
	put_start();
	put_blocks(false);
	keep();
	put_number(8, 0x10000 | PAGE);
	put_name("pc.ram");
	put_fill(7, 0x10000);
	put_zero_page(NULL, 0xf0000, 0);
	drop();
	put_ending();
	assert_split("0:10000:7 0:f0000:- ");
}
END_TEST

START_TEST(filled_page)
{
	put_beginning();
	keep();
	put_zero_page("pc.ram", 0, 0xee);
	put_zero_page(NULL, 0x1000, 0);
	drop();
	put_zero_page("vga.vram", 0, 0xee);
	put_ending();
	assert_split("0:0:ee 0:1000:- ");
}
END_TEST

START_TEST(copies_only_cut_pages)
{
	put_beginning();
	put_page("pc.ram", 0, 1);
	put_ending();
	ck_assert(feed(chosen, input->len, input->len, NULL));
	ck_assert(!pages_are_copies);
	ck_assert(feed(chosen, input->len, PAGE_SIZE, NULL));
	ck_assert(pages_are_copies);
}
END_TEST

START_TEST(cut_off)
{
	guint end_of_memory;

	put_beginning();
	put_page("pc.ram", 0, 1);
	put_number(8, END);
	put_section(MARK_END);
	put_number(8, END);
	end_of_memory = input->len;
	put_section(MARK_FOOTER);
	for (guint length = 0; length < end_of_memory; length++) {
		g_autofree char *place = g_strdup_printf("after %u bytes", length);
		g_autoptr(GError) error = NULL;

		ck_assert(!feed(chosen, length, 1000, &error));
		assert_error(error, EXM_ERROR_SYSTEM, place);
	}
	for (guint length = end_of_memory; length <= input->len; length++)
		ck_assert(feed(chosen, length, 1000, NULL));
}
END_TEST

START_TEST(missing_block)
{
	static const char *const missing[] = { "pc.ram", "pc.ra", NULL };
	g_autoptr(GError) error = NULL;

	put_beginning();
	ck_assert(!feed(missing, input->len, 1, &error));
	assert_error(error, EXM_ERROR_STATE, "has no memory block 'pc.ra'");
}
END_TEST

START_TEST(sink_refuses)
{
	g_autoptr(GError) page_error = NULL;
	g_autoptr(GError) rest_error = NULL;

	sink_fails = true;
	put_beginning();
	put_page("pc.ram", 0, 1);
	ck_assert(!feed(chosen, input->len, input->len, &page_error));
	assert_error(page_error, EXM_ERROR_NO_ROOM, "no room for the page");
	ck_assert(!feed(chosen, input->len, 1, &rest_error));
	assert_error(rest_error, EXM_ERROR_NO_ROOM, "no room for the rest");
}
END_TEST

static void put_nothing(void)
{
}

static void put_bare_memory(void)
{
	put_configuration();
	put_start();
}

/* What follows a good beginning and must be refused. */
static const struct {
	void (*put)(void);
	const char *hex;
	ExmErrorCode code;
	const char *part;
} refusals[] = {
	{ put_nothing, "1f8b0800", EXM_ERROR_SYSTEM, "this is not QEMU's migration stream" },
	{ put_nothing, "5145564d00000002", EXM_ERROR_UNSUPPORTED, "of version 2, not 3" },
	{ put_magic, "01", EXM_ERROR_UNSUPPORTED, "machine type of 2.4" },
	{ put_magic, "0700000100", EXM_ERROR_SYSTEM, "machine type's name is too long" },
	{ put_configuration,
	  "05027801"
	  "00000001",
	  EXM_ERROR_UNSUPPORTED, "'x\\001'" },
	{ put_configuration, "00", EXM_ERROR_SYSTEM, "no section begins here" },
	{ put_configuration, "0200000002", EXM_ERROR_SYSTEM, "has not begun" },
	{ put_configuration,
	  "0400000000"
	  "0174",
	  EXM_ERROR_UNSUPPORTED, "state of 't'" },
	{ put_configuration,
	  "0100000000"
	  "0174"
	  "0000000000000001",
	  EXM_ERROR_UNSUPPORTED, "state of 't'" },
	{ put_configuration,
	  "0100000000"
	  "0372616d"
	  "0000000000000005",
	  EXM_ERROR_UNSUPPORTED, "memory of version 5" },
	{ put_configuration, "0800030000", EXM_ERROR_UNSUPPORTED, "the command 3" },
	{ put_configuration, "0800020005", EXM_ERROR_UNSUPPORTED, "the command 2" },
	{ put_beginning, "0000000000000001", EXM_ERROR_SYSTEM, "no known kind" },
	{ put_beginning, "000000000000000a", EXM_ERROR_SYSTEM, "no known kind" },
	{ put_beginning, "0000000000000040", EXM_ERROR_UNSUPPORTED, "'xbzrle'" },
	{ put_beginning, "0000000000000080", EXM_ERROR_UNSUPPORTED, "RDMA" },
	{ put_beginning, "0000000000000120", EXM_ERROR_UNSUPPORTED, "'compress'" },
	{ put_beginning, "0000000000000200", EXM_ERROR_UNSUPPORTED, "'multifd'" },
	{ put_beginning, "0000000000000028", EXM_ERROR_SYSTEM, "a page is of no block" },
	{ put_beginning,
	  "0000000000100002"
	  "0670632e72616d"
	  "00",
	  EXM_ERROR_SYSTEM, "a page is outside its block" },
	{ put_beginning,
	  "fffffffffffff002"
	  "0670632e72616d"
	  "00",
	  EXM_ERROR_SYSTEM, "a page is outside its block" },
	{ put_beginning, "0000000000001004", EXM_ERROR_SYSTEM, "no list of blocks" },
	{ put_beginning, "0000000000001010", EXM_ERROR_SYSTEM, "memory cannot end here" },
	{ put_bare_memory, "0000000000000010", EXM_ERROR_SYSTEM, "memory cannot end here" },
	{ put_first_section, "7e00000002", EXM_ERROR_SYSTEM, "no section begins here" },
	{ put_first_section, "0200000003", EXM_ERROR_SYSTEM, "has not begun" },
	{ put_first_section,
	  "0100000003"
	  "0372616d"
	  "0000000000000004",
	  EXM_ERROR_SYSTEM, "memory begins again" },
	{ put_first_section,
	  "0200000002"
	  "0000000000000010"
	  "7e00000003",
	  EXM_ERROR_SYSTEM, "another section ends" },
};

START_TEST(refused)
{
	const bool whole = _i % 2 == 0;
	g_autoptr(GError) error = NULL;
	guint piece;

	refusals[_i / 2].put();
	put_hex(refusals[_i / 2].hex);
	piece = whole ? input->len : 1;
	ck_assert(!feed(chosen, input->len, piece, &error));
	assert_error(error, refusals[_i / 2].code, refusals[_i / 2].part);
}
END_TEST

START_TEST(refused_configuration)
{
	g_autoptr(GError) error = NULL;

	put_configuration();
	put_subsection("configuration/capabilities");
	put_number(4, 2);
	put_name("x-ignore-shared");
	put_name("mapped-ram");
	ck_assert(!feed(chosen, input->len, input->len, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "the migration capability 'mapped-ram'");
}
END_TEST

START_TEST(refused_page_size)
{
	static const uint64_t bits[] = { 10, 17, 0xffffffff };
	g_autoptr(GError) error = NULL;

	put_configuration();
	put_subsection("configuration/target-page-bits");
	put_number(4, bits[_i]);
	ck_assert(!feed(chosen, input->len, input->len, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, "address bits");
}
END_TEST

START_TEST(refused_list)
{
	g_autoptr(GError) error = NULL;

	put_configuration();
	put_start();
	put_number(8, BLOCK_SIZE | BLOCKS);
	put_name("pc.ram");
	put_number(8, BLOCK_SIZE + 1);
	ck_assert(!feed(chosen, input->len, input->len, &error));
	assert_error(error, EXM_ERROR_SYSTEM, "larger than all memory");
}
END_TEST

Suite *stream_suite(void)
{
	Suite *suite = suite_create("stream");
	TCase *tcase = tcase_create("stream");

	/* Under a sanitizer on a busy machine. */
	tcase_set_timeout(tcase, 60);

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_test(tcase, whole_stream);
	tcase_add_test(tcase, blocks_alternate);
	tcase_add_test(tcase, old_machine);
	tcase_add_test(tcase, no_block_chosen);
	tcase_add_test(tcase, large_pages);
	tcase_add_test(tcase, filled_page);
	tcase_add_test(tcase, copies_only_cut_pages);
	tcase_add_test(tcase, cut_off);
	tcase_add_test(tcase, missing_block);
	tcase_add_test(tcase, sink_refuses);
	tcase_add_loop_test(tcase, refused, 0, 2 * G_N_ELEMENTS(refusals));
	tcase_add_test(tcase, refused_configuration);
	tcase_add_loop_test(tcase, refused_page_size, 0, 3);
	tcase_add_test(tcase, refused_list);
	suite_add_tcase(suite, tcase);
	return suite;
}
