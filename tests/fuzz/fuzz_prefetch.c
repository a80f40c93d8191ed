/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_prefetch.c - A recording that is read lies within its memory, and is read again as the same */

#include "plan/prefetch.h"

#include "fuzz.h"

static void check_same(const ExmPrefetch *recording)
{
	g_autofree char *text = json_text_and_put(exm_prefetch_to_json(recording));
	g_autofree char *text_again = NULL;
	g_autoptr(ExmJson) json = json_of(text);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPrefetch) again = exm_prefetch_from_json(json, &error);

	g_assert_no_error(error);
	text_again = json_text_and_put(exm_prefetch_to_json(again));
	g_assert_cmpstr(text, ==, text_again);
	g_assert_true(exm_prefetch_check(again, recording, NULL));
}

/* In order, not empty, and none beyond the end of its memory. */
static void check_extents(const ExmPrefetchMemory *memory)
{
	g_autoptr(GArray) extents = exm_prefetch_extents(memory);
	uint64_t end = 0;

	for (guint i = 0; i < extents->len; i++) {
		const ExmExtent *extent = exm_extents_at(extents, i);

		g_assert_true(i == 0 || extent->start > end);
		g_assert_cmpuint(extent->start, <, extent->end);
		end = extent->end;
	}
	g_assert_cmpuint(end, <=, memory->size);
}

/**
 * LLVMFuzzerTestOneInput() - Read prefetch.json
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(ExmJson) json = exm_json_parse((const char *)data, size, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPrefetch) recording = NULL;

	if (!json)
		return 0;
	recording = exm_prefetch_from_json(json, &error);
	if (!recording) {
		assert_rejected(error);
		g_assert_cmpint(error->code, ==, EXM_ERROR_STATE);
		return 0;
	}
	g_assert_no_error(error);
	for (guint i = 0; i < recording->memory->len; i++)
		check_extents(recording->memory->pdata[i]);
	check_same(recording);
	return 0;
}
