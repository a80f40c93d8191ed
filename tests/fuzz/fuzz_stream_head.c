/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_stream_head.c - What a stream's first bytes have said, no further byte takes back */

#include "plan/stream_head.h"

#include "fuzz.h"

/* What may still become of a stream of which only this much was seen. */
static bool may_become(ExmStreamHead before, ExmStreamHead after)
{
	if (before == EXM_STREAM_EMPTY || before == EXM_STREAM_FOREIGN)
		return after != EXM_STREAM_EMPTY;
	if (before == EXM_STREAM_CONFIGURED)
		return after == EXM_STREAM_CONFIGURED || after == EXM_STREAM_IGNORE_SHARED;
	return after == before;
}

/**
 * LLVMFuzzerTestOneInput() - Recognize a stream by more and more of it
 * @data: its bytes
 * @size: number of them
 *
 * Each piece is a block of exactly its size, so that a sanitizer sees a byte too much.
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ExmStreamHead before = exm_stream_head_recognize(NULL, 0);

	g_assert_cmpint(before, ==, EXM_STREAM_EMPTY);
	for (size_t length = 1; length <= MIN(size, EXM_STREAM_HEAD_SIZE); length++) {
		g_autofree uint8_t *piece = g_memdup2(data, length);
		const ExmStreamHead after = exm_stream_head_recognize(piece, length);

		g_assert_nonnull(exm_enum_name(&exm_stream_heads, (int)after));
		g_assert_true(may_become(before, after));
		before = after;
	}
	return 0;
}
