/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ExmStreamSink - Where the two parts of a stream go
 * @page: takes a page of a chosen block. @block counts in the list of chosen blocks; @offset and
 *        @length are in bytes, multiples of 4096 and within the block; @data is NULL for a page of
 *        zeros, and is valid during the call only
 * @rest: takes the next bytes of what remains
 * @user: handed to both
 *
 * Both return false, with their error set, to end it all. What each of the two gets is in the order
 * of the stream; a page may come again, and then the later one counts.
 */
typedef struct {
	bool (*page)(void *user, guint block, uint64_t offset, const void *data, size_t length,
	             GError **error);
	bool (*rest)(void *user, const void *data, size_t length, GError **error);
	void *user;
} ExmStreamSink;

/* Takes pages of memory out of QEMU's migration stream while it comes; the rest stays a stream. */
typedef struct ExmStream ExmStream;

ExmStream *exm_stream_new(const char *const *blocks, const ExmStreamSink *sink);
void exm_stream_free(ExmStream *stream);
bool exm_stream_feed(ExmStream *stream, const void *data, size_t length, GError **error);
bool exm_stream_end(const ExmStream *stream, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmStream, exm_stream_free)
