/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_stream.c - A stream comes apart in the same way however it is cut; its rest is a stream */

#include "host/stream.h"

#include <string.h>

#include "fuzz.h"

#define PAGE_SIZE 4096

static const char *const chosen[] = { "pc.ram", "ram-node1", NULL };
static const char *const none[] = { NULL };

/* What came of a stream: its rest, its pages, and the error that ended it. */
typedef struct {
	GByteArray *rest;
	GByteArray *pages;
	GError *error;
} Parts;

static void parts_free(Parts *parts)
{
	g_byte_array_unref(parts->rest);
	g_byte_array_unref(parts->pages);
	g_clear_error(&parts->error);
	g_free(parts);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Parts, parts_free)

static void note(GByteArray *array, const void *data, size_t length)
{
	g_byte_array_append(array, data, (guint)length);
}

static bool take_page(void *user, guint block, uint64_t offset, const void *data, size_t length,
                      GError **error)
{
	const Parts *parts = user;
	const bool is_zero = data == NULL;

	(void)error;
	g_assert_cmpuint(block, <, G_N_ELEMENTS(chosen) - 1);
	g_assert_cmpuint(length, >, 0);
	g_assert_cmpuint((length | offset) % PAGE_SIZE, ==, 0);
	g_assert_cmpuint(offset, <=, UINT64_MAX - length);
	note(parts->pages, &block, sizeof(block));
	note(parts->pages, &offset, sizeof(offset));
	note(parts->pages, &length, sizeof(length));
	note(parts->pages, &is_zero, sizeof(is_zero));
	if (data)
		note(parts->pages, data, length);
	return true;
}

static bool take_rest(void *user, const void *data, size_t length, GError **error)
{
	const Parts *parts = user;

	(void)error;
	g_assert_cmpuint(length, >, 0);
	note(parts->rest, data, length);
	return true;
}

static bool feed(ExmStream *stream, const uint8_t *data, size_t size, size_t piece, GError **error)
{
	while (size > 0) {
		const size_t length = MIN(piece, size);
		/* Of its own, so that reading beyond it is seen. */
		g_autofree uint8_t *copy = g_memdup2(data, length);

		if (!exm_stream_feed(stream, copy, length, error))
			return false;
		data += length;
		size -= length;
	}
	return exm_stream_end(stream, error);
}

/* Takes a stream apart that comes in pieces (transfer full). */
static Parts *split(const char *const *blocks, const uint8_t *data, size_t size, size_t piece)
{
	Parts *parts = g_new0(Parts, 1);
	const ExmStreamSink sink = { .page = take_page, .rest = take_rest, .user = parts };
	g_autoptr(ExmStream) stream = exm_stream_new(blocks, &sink);

	parts->rest = g_byte_array_new();
	parts->pages = g_byte_array_new();
	if (!feed(stream, data, size, piece, &parts->error))
		assert_rejected(parts->error);
	return parts;
}

static void check_begins_with(const GByteArray *all, const GByteArray *beginning)
{
	g_assert_cmpuint(beginning->len, <=, all->len);
	if (beginning->len > 0)
		g_assert_true(memcmp(all->data, beginning->data, beginning->len) == 0);
}

static void check_equal(const GByteArray *one, const GByteArray *other)
{
	g_assert_cmpuint(one->len, ==, other->len);
	check_begins_with(one, other);
}

/* In small pieces, as much of what remains before an error is passed on, or more. */
static void check_same(const Parts *whole, const Parts *pieces)
{
	check_equal(pieces->pages, whole->pages);
	if (!whole->error) {
		g_assert_no_error(pieces->error);
		check_equal(pieces->rest, whole->rest);
		return;
	}
	g_assert_nonnull(pieces->error);
	g_assert_cmpstr(pieces->error->message, ==, whole->error->message);
	check_begins_with(pieces->rest, whole->rest);
}

/* What remains is a stream without pages of these blocks, and nothing can be taken of it again. */
static void check_rest(const Parts *whole)
{
	g_autoptr(Parts)
		again = split(chosen, whole->rest->data, whole->rest->len, whole->rest->len + 1);

	g_assert_no_error(again->error);
	g_assert_cmpuint(again->pages->len, ==, 0);
	check_equal(again->rest, whole->rest);
}

/* Where no block is chosen, what comes out is what went in. */
static void check_nothing_taken(const uint8_t *data, size_t size)
{
	g_autoptr(Parts) all = split(none, data, size, size + 1);

	g_assert_no_error(all->error);
	g_assert_cmpuint(all->rest->len, ==, size);
	g_assert_true(memcmp(all->rest->data, data, size) == 0);
}

/**
 * LLVMFuzzerTestOneInput() - Take a stream apart
 * @data: its bytes
 * @size: how many
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(Parts) whole = split(chosen, data, size, size + 1);
	g_autoptr(Parts) bytes = split(chosen, data, size, 1);
	g_autoptr(Parts) pieces = split(chosen, data, size, 1000);

	check_same(whole, bytes);
	check_same(whole, pieces);
	if (!whole->error) {
		check_rest(whole);
		check_nothing_taken(data, size);
	}
	return 0;
}
