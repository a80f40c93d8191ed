/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_memory_option.c - lib/plan/memory_option.c */

#include "plan/memory_option.h"

#include "suite.h"

static ExmMemoryOption *read_option(const char *text)
{
	g_autoptr(GError) error = NULL;
	ExmMemoryOption *option = exm_memory_option_parse(text, &error);

	assert_no_error(error);
	return option;
}

static void assert_refused(const char *text, const char *part)
{
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_memory_option_parse(text, &error));
	assert_error(error, EXM_ERROR_USAGE, part);
}

START_TEST(what_is_not_said_has_its_default)
{
	g_autoptr(ExmMemoryOption) option = read_option("/mem");

	ck_assert_str_eq(option->path, "/mem");
	ck_assert_int_eq(option->mode, EXM_MODE_TEMP);
	ck_assert_int_eq(option->mapping, EXM_MAPPING_SHARED);
	ck_assert(!option->no_fallback && !option->any_fs);
	ck_assert_int_eq(option->discard, EXM_SWITCH_UNSET);
	ck_assert_int_eq(option->reserve, EXM_SWITCH_UNSET);
	ck_assert_uint_eq(option->align, 0);
	ck_assert_ptr_null(option->host_nodes);
	ck_assert_ptr_null(option->policy);
}
END_TEST

START_TEST(every_key_lands_in_its_field)
{
	g_autoptr(ExmMemoryOption) option = read_option(
		"/mem,nofallback,anyfs,mode=create,mmap=shared,discard=off,prealloc=on,"
		"prealloc-threads=4,align=2M,offset=1G,host-nodes=1,,3-4,policy=bind,merge=on,"
		"dump=off,pmem=on,reserve=on");
	static const guint nodes[] = { 1, 3, 4 };

	ck_assert_int_eq(option->mode, EXM_MODE_CREATE);
	ck_assert(option->no_fallback && option->any_fs);
	ck_assert_int_eq(option->discard, EXM_SWITCH_OFF);
	ck_assert_int_eq(option->prealloc, EXM_SWITCH_ON);
	ck_assert_uint_eq(option->prealloc_threads, 4);
	ck_assert_uint_eq(option->align, 2 << 20);
	ck_assert_uint_eq(option->offset, 1 << 30);
	ck_assert_uint_eq(option->host_nodes->len, G_N_ELEMENTS(nodes));
	ck_assert_mem_eq(option->host_nodes->data, nodes, sizeof(nodes));
	ck_assert_str_eq(option->policy, "bind");
	ck_assert_int_eq(option->merge, EXM_SWITCH_ON);
	ck_assert_int_eq(option->dump, EXM_SWITCH_OFF);
	ck_assert_int_eq(option->pmem, EXM_SWITCH_ON);
	ck_assert_int_eq(option->reserve, EXM_SWITCH_ON);
}
END_TEST

static const struct {
	const char *text;
	const char *printed;
} prints[] = {
	{ "/mem", "/mem,mode=temp,mmap=shared" },
	{ "/mem,", "/mem,mode=temp,mmap=shared" },
	{ "/a,,b,anyfs", "/a,,b,mode=temp,mmap=shared,anyfs" },
	{ "/a,,,anyfs", "/a,,,mode=temp,mmap=shared,anyfs" },
	{ "dir=1=2,mode=open,mmap=private", "dir=1=2,mode=open,mmap=private" },
	{ "/m,mmap=private,mode=open", "/m,mode=open,mmap=private" },
	{ "/m,align=2048K,offset=4096", "/m,mode=temp,mmap=shared,align=2M,offset=4K" },
	{ "/m,host-nodes=0-2,,0,policy=bind",
	  "/m,mode=temp,mmap=shared,host-nodes=0,,1,,2,,0,policy=bind" },
	{ "/m,prealloc=on,prealloc-threads=03,merge=off,dump=on",
	  "/m,mode=temp,mmap=shared,prealloc=on,prealloc-threads=3,merge=off,dump=on" },
};

START_TEST(printed_in_one_form)
{
	g_autoptr(ExmMemoryOption) option = read_option(prints[_i].text);
	g_autoptr(ExmMemoryOption) again = read_option(prints[_i].printed);

	assert_text_and_free(exm_memory_option_print(option), prints[_i].printed);
	assert_text_and_free(exm_memory_option_print(again), prints[_i].printed);
}
END_TEST

static const struct {
	const char *text;
	const char *part;
} refusals[] = {
	{ "", "the path is empty" },
	{ ",mode=temp", "the path is empty" },
	{ "mode=temp", "stands where the path must be" },
	{ "/m,anyfs,anyfs", "'anyfs' is given twice" },
	{ "/m,anyfs=on", "'anyfs' takes no value" },
	{ "/m,mode", "'mode' needs a value" },
	{ "/m,align=3M", "'3M' is not a power of two" },
	{ "/m,prealloc-threads=0", "not a number from 1" },
	{ "/m,prealloc-threads=65536", "not a number from 1 to 65535" },
	{ "/m,host-nodes=", "the list of NUMA nodes is empty" },
	{ "/m,host-nodes=3-1", "'3-1' is not a list" },
	{ "/m,host-nodes=1024", "'1024' is not a list" },
	{ "/m,host-nodes=1-2-3", "'1-2-3' is not a list" },
	{ "/m,mode=open", "'mode=open' needs" },
	{ "/m,mmap=private,prealloc=on", "copy a private mapping" },
	{ "/m,policy=bind", "'policy' needs 'host-nodes'" },
};

START_TEST(refused)
{
	assert_refused(refusals[_i].text, refusals[_i].part);
}
END_TEST

START_TEST(refused_node_list_leaves_the_output_alone)
{
	g_autoptr(GArray) sentinel = g_array_new(FALSE, FALSE, 1);
	GArray *nodes = sentinel;
	g_autoptr(GError) error = NULL;

	ck_assert(!exm_node_list_parse("0,x", &nodes, &error));
	assert_error(error, EXM_ERROR_USAGE, "'0,x'");
	ck_assert_ptr_eq(nodes, sentinel);
}
END_TEST

Suite *memory_option_suite(void)
{
	Suite *suite = suite_create("memory_option");
	TCase *tcase = tcase_create("memory_option");

	tcase_add_test(tcase, what_is_not_said_has_its_default);
	tcase_add_test(tcase, every_key_lands_in_its_field);
	tcase_add_loop_test(tcase, printed_in_one_form, 0, G_N_ELEMENTS(prints));
	tcase_add_loop_test(tcase, refused, 0, G_N_ELEMENTS(refusals));
	tcase_add_test(tcase, refused_node_list_leaves_the_output_alone);
	suite_add_tcase(suite, tcase);
	return suite;
}
