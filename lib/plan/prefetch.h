/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/size.h"
#include "plan/extents.h"
#include "plan/template.h"

/* Ends the name of the recording of a guest without a template, beside its memory. */
#define EXM_PREFETCH_SUFFIX ".prefetch"

/* So much Linux reads at once of a file for whom it gives huge pages to. */
#define EXM_PREFETCH_BLOCK (2 * EXM_MIB)

/**
 * struct ExmPrefetchMemory - What is recorded of one block of memory
 * @id:      of its backend
 * @size:    bytes
 * @inode:   of the file
 * @mtime:   of the file, in nanoseconds since 1970; 0 where guests write to it
 * @extents: the pages that were touched: an array of offset, length, offset, length and so on, in
 *           bytes and in the order of the file; NULL for none
 */
typedef struct {
	char *id;
	uint64_t size;
	uint64_t inode;
	uint64_t mtime;
	ExmJson *extents;
} ExmPrefetchMemory;

/**
 * struct ExmPrefetch - A recording; described in exomem-prefetch(1)
 * @schema:    of the JSON that was read; exm_prefetch_to_json() writes its own
 * @page_size: bytes of a page on the host that recorded
 * @runs:      how many guests it is of: it holds what all of them have touched
 * @memory:    of ExmPrefetchMemory
 */
typedef struct {
	uint64_t schema;
	uint64_t page_size;
	uint64_t runs;
	GPtrArray *memory;
} ExmPrefetch;

/**
 * struct ExmPrefetchPiece - What is read at a time
 * @file:   index of the block of memory
 * @start:  first byte in its file
 * @length: bytes; where they are EXM_PREFETCH_BLOCK, @start is a multiple of that
 * @before: bytes that are read before
 */
typedef struct {
	guint file;
	uint64_t start;
	uint64_t length;
	uint64_t before;
} ExmPrefetchPiece;

/**
 * struct ExmPrefetchScore - How well a recording fits a guest, in bytes
 * @recorded: of the recording
 * @touched:  by the guest
 * @hit:      of the recording, by the guest
 */
typedef struct {
	uint64_t recorded;
	uint64_t touched;
	uint64_t hit;
} ExmPrefetchScore;

ExmPrefetch *exm_prefetch_new(uint64_t page_size);
void exm_prefetch_free(ExmPrefetch *recording);
ExmPrefetchMemory *exm_prefetch_add_memory(ExmPrefetch *recording);
GArray *exm_prefetch_extents(const ExmPrefetchMemory *memory);
void exm_prefetch_set_extents(ExmPrefetchMemory *memory, const GArray *extents);
ExmPrefetch *exm_prefetch_of_template(const ExmTemplate *template, uint64_t page_size);
uint64_t exm_prefetch_bytes(const ExmPrefetch *recording);
guint exm_prefetch_count(const ExmPrefetch *recording);
bool exm_prefetch_check(const ExmPrefetch *recording, const ExmPrefetch *blank, GError **error);
void exm_prefetch_keep_common(ExmPrefetch *recording, const ExmPrefetch *before);
ExmPrefetchScore exm_prefetch_score(const ExmPrefetch *recording, const ExmPrefetch *touched);
bool exm_prefetch_is_scattered(const ExmPrefetch *recording);
void exm_prefetch_add_pieces(GArray *pieces, guint file, const GArray *wanted, uint64_t limit);
ExmJson *exm_prefetch_to_json(const ExmPrefetch *recording);
ExmPrefetch *exm_prefetch_from_json(ExmJson *json, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPrefetch, exm_prefetch_free)
