/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_memory_option.c - A memory option that is read is printed and read again as the same */

#include "plan/memory_option.h"

#include <string.h>

#include "fuzz.h"

static void check_same_nodes(const GArray *one, const GArray *other)
{
	g_assert_true((one == NULL) == (other == NULL));
	if (!one)
		return;
	g_assert_cmpuint(one->len, ==, other->len);
	g_assert_true(memcmp(one->data, other->data, one->len * sizeof(guint)) == 0);
}

static void check_same(const ExmMemoryOption *one, const ExmMemoryOption *other)
{
	g_assert_cmpstr(one->path, ==, other->path);
	g_assert_cmpint(one->mode, ==, other->mode);
	g_assert_cmpint(one->mapping, ==, other->mapping);
	g_assert_cmpint(one->no_fallback, ==, other->no_fallback);
	g_assert_cmpint(one->any_fs, ==, other->any_fs);
	g_assert_cmpint(one->discard, ==, other->discard);
	g_assert_cmpint(one->prealloc, ==, other->prealloc);
	g_assert_cmpint(one->merge, ==, other->merge);
	g_assert_cmpint(one->dump, ==, other->dump);
	g_assert_cmpint(one->pmem, ==, other->pmem);
	g_assert_cmpint(one->reserve, ==, other->reserve);
	g_assert_cmpuint(one->align, ==, other->align);
	g_assert_cmpuint(one->offset, ==, other->offset);
	g_assert_cmpuint(one->prealloc_threads, ==, other->prealloc_threads);
	check_same_nodes(one->host_nodes, other->host_nodes);
	g_assert_cmpstr(one->policy, ==, other->policy);
}

static void check_sense(const ExmMemoryOption *option)
{
	g_assert_cmpstr(option->path, !=, "");
	g_assert_cmpuint(option->align & (option->align - 1), ==, 0);
	g_assert_true(option->mapping == EXM_MAPPING_SHARED || option->prealloc != EXM_SWITCH_ON);
}

/**
 * LLVMFuzzerTestOneInput() - Read the argument of -mem-path
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = input_text(data, size);
	g_autofree char *printed = NULL;
	g_autofree char *printed_again = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmMemoryOption) option = exm_memory_option_parse(text, &error);
	g_autoptr(ExmMemoryOption) again = NULL;

	if (!option) {
		assert_rejected(error);
		return 0;
	}
	g_assert_no_error(error);
	check_sense(option);
	printed = exm_memory_option_print(option);
	again = exm_memory_option_parse(printed, &error);
	g_assert_no_error(error);
	check_same(option, again);
	printed_again = exm_memory_option_print(again);
	g_assert_cmpstr(printed, ==, printed_again);
	return 0;
}
