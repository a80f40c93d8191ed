/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prefetch.c - A recording of the pages that a guest touches, and what is read of it */

#include "plan/prefetch.h"

#include <string.h>

#include "base/error.h"
#include "base/record.h"
#include "base/size.h"

/* Counts up when a member changes its meaning. */
#define SCHEMA 1

/* To read through a gap of this size costs less than another request, over a network and on a disk. */
#define GAP (32 * EXM_KIB)

/* More in one read(2) Linux asks for one after the other: read_ahead_kb, unless somebody changed it. */
#define PIECE (128 * EXM_KIB)

static const ExmField memory_fields[] = {
	EXM_FIELD(ExmPrefetchMemory, "id", STRING, id, true),
	EXM_FIELD(ExmPrefetchMemory, "size", UINT, size, true),
	EXM_FIELD(ExmPrefetchMemory, "inode", UINT, inode, true),
	EXM_FIELD(ExmPrefetchMemory, "mtime", UINT, mtime, true),
	EXM_FIELD(ExmPrefetchMemory, "extents", JSON, extents, true),
};

static const ExmLayout memory_layout = {
	"memory", sizeof(ExmPrefetchMemory), memory_fields, G_N_ELEMENTS(memory_fields), true,
};

static const ExmField fields[] = {
	EXM_FIELD(ExmPrefetch, "schema", UINT, schema, true),
	EXM_FIELD(ExmPrefetch, "page-size", UINT, page_size, true),
	EXM_FIELD(ExmPrefetch, "runs", UINT, runs, true),
	{ .name = "memory",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmPrefetch, memory),
	  .required = true,
	  .items = &memory_layout },
};

static const ExmLayout layout = { "recording", sizeof(ExmPrefetch), fields, G_N_ELEMENTS(fields),
	                          true };

/**
 * exm_prefetch_new() - A recording of nothing
 * @page_size: bytes of a page
 *
 * Return: the recording (transfer full).
 */
ExmPrefetch *exm_prefetch_new(uint64_t page_size)
{
	ExmPrefetch *recording = exm_record_new(&layout);

	recording->page_size = page_size;
	recording->runs = 1;
	return recording;
}

/**
 * exm_prefetch_free() - Free a recording
 * @recording: may be NULL
 */
void exm_prefetch_free(ExmPrefetch *recording)
{
	exm_record_free(&layout, recording);
}

/**
 * exm_prefetch_add_memory() - Add a block of memory to a recording
 * @recording: the recording
 *
 * Return: the block, of which nothing is recorded (borrowed).
 */
ExmPrefetchMemory *exm_prefetch_add_memory(ExmPrefetch *recording)
{
	ExmPrefetchMemory *memory = exm_record_new(&memory_layout);

	memory->extents = json_object_new_array();
	g_ptr_array_add(recording->memory, memory);
	return memory;
}

static uint64_t number_at(ExmJson *array, size_t index)
{
	return json_object_get_uint64(json_object_array_get_idx(array, index));
}

/**
 * exm_prefetch_extents() - The pages that are recorded of a block of memory
 * @memory: the block
 *
 * Return: a set of ExmExtent (transfer full).
 */
GArray *exm_prefetch_extents(const ExmPrefetchMemory *memory)
{
	const size_t count = exm_json_length(memory->extents);
	GArray *extents = exm_extents_new();

	for (size_t i = 0; i + 1 < count; i += 2) {
		const uint64_t start = number_at(memory->extents, i);

		exm_extents_add(extents, start, start + number_at(memory->extents, i + 1));
	}
	return extents;
}

/**
 * exm_prefetch_set_extents() - Say which pages are recorded of a block of memory
 * @memory:  the block
 * @extents: a set of ExmExtent
 */
void exm_prefetch_set_extents(ExmPrefetchMemory *memory, const GArray *extents)
{
	exm_json_put(memory->extents);
	memory->extents = json_object_new_array_ext((int)MIN(extents->len * 2, G_MAXINT32));
	for (guint i = 0; i < extents->len; i++) {
		const ExmExtent *extent = exm_extents_at(extents, i);

		json_object_array_add(memory->extents, json_object_new_uint64(extent->start));
		json_object_array_add(memory->extents,
		                      json_object_new_uint64(extent->end - extent->start));
	}
}

/**
 * exm_prefetch_of_template() - A recording of nothing of a template
 * @template:  the template
 * @page_size: bytes of a page
 *
 * Return: the recording (transfer full), which says whose it is.
 */
ExmPrefetch *exm_prefetch_of_template(const ExmTemplate *template, uint64_t page_size)
{
	ExmPrefetch *blank = exm_prefetch_new(page_size);

	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];
		ExmPrefetchMemory *own = exm_prefetch_add_memory(blank);

		own->id = g_strdup(memory->id);
		own->size = memory->size;
		own->inode = memory->inode;
		/* A guest that is handed over goes on writing its memory. */
		own->mtime = template->uuid ? 0 : memory->mtime;
	}
	return blank;
}

/**
 * exm_prefetch_bytes() - How much a recording is of
 * @recording: the recording
 */
uint64_t exm_prefetch_bytes(const ExmPrefetch *recording)
{
	uint64_t bytes = 0;

	for (guint i = 0; i < recording->memory->len; i++) {
		g_autoptr(GArray) extents = exm_prefetch_extents(recording->memory->pdata[i]);

		bytes += exm_extents_bytes(extents);
	}
	return bytes;
}

/**
 * exm_prefetch_count() - How many stretches a recording is of
 * @recording: the recording
 */
guint exm_prefetch_count(const ExmPrefetch *recording)
{
	guint count = 0;

	for (guint i = 0; i < recording->memory->len; i++) {
		const ExmPrefetchMemory *memory = recording->memory->pdata[i];

		count += (guint)exm_json_length(memory->extents) / 2;
	}
	return count;
}

static bool is_of(const ExmPrefetchMemory *memory, const ExmPrefetchMemory *blank)
{
	/* Of a guest on its way the file is not said yet; it is looked at by others. */
	return strcmp(memory->id, blank->id) == 0 && memory->size == blank->size &&
	       (blank->inode == 0 || memory->inode == blank->inode) && memory->mtime == blank->mtime;
}

/**
 * exm_prefetch_check() - Whether a recording is of this memory
 * @recording: the recording
 * @blank:     one of nothing, that says what the memory is now
 * @error:     STATE where it is of another: a template that was saved anew, or a file that was
 *             replaced
 */
bool exm_prefetch_check(const ExmPrefetch *recording, const ExmPrefetch *blank, GError **error)
{
	bool same = recording->page_size == blank->page_size &&
	            recording->memory->len == blank->memory->len;

	for (guint i = 0; same && i < blank->memory->len; i++)
		same = is_of(recording->memory->pdata[i], blank->memory->pdata[i]);
	return same || exm_throw(error, EXM_ERROR_STATE,
	                         "the recording is of other memory, which had another size, file or "
	                         "time: 'exomem prefetch record --anew' makes one of this");
}

/**
 * exm_prefetch_keep_common() - Keep of a recording what one before it has too
 * @recording: the recording
 * @before:    of the same memory
 */
void exm_prefetch_keep_common(ExmPrefetch *recording, const ExmPrefetch *before)
{
	recording->runs += before->runs;
	for (guint i = 0; i < recording->memory->len; i++) {
		ExmPrefetchMemory *memory = recording->memory->pdata[i];
		g_autoptr(GArray) now = exm_prefetch_extents(memory);
		g_autoptr(GArray) then = exm_prefetch_extents(before->memory->pdata[i]);
		g_autoptr(GArray) common = exm_extents_intersect(now, then);

		exm_prefetch_set_extents(memory, common);
	}
}

/**
 * exm_prefetch_score() - How well a recording fits a guest
 * @recording: the recording
 * @touched:   what the guest has touched, recorded of the same memory
 */
ExmPrefetchScore exm_prefetch_score(const ExmPrefetch *recording, const ExmPrefetch *touched)
{
	ExmPrefetchScore score = { .recorded = exm_prefetch_bytes(recording),
		                   .touched = exm_prefetch_bytes(touched) };

	for (guint i = 0; i < recording->memory->len; i++) {
		g_autoptr(GArray) recorded = exm_prefetch_extents(recording->memory->pdata[i]);
		g_autoptr(GArray) now = exm_prefetch_extents(touched->memory->pdata[i]);
		g_autoptr(GArray) common = exm_extents_intersect(recorded, now);

		score.hit += exm_extents_bytes(common);
	}
	return score;
}

static uint64_t length_at(const ExmExtent *extent, uint64_t at)
{
	const uint64_t inside = at % EXM_PREFETCH_BLOCK;
	const uint64_t left = extent->end - at;

	return inside == 0 && left >= EXM_PREFETCH_BLOCK
	               ? EXM_PREFETCH_BLOCK
	               : MIN(MIN(PIECE, left), EXM_PREFETCH_BLOCK - inside);
}

/**
 * exm_prefetch_add_pieces() - Decide in which pieces a set of pages is read
 * @pieces: of ExmPrefetchPiece, grows
 * @file:   index of the block of memory that they are of
 * @wanted: a set of ExmExtent
 * @limit:  bytes that all of @pieces may be
 */
void exm_prefetch_add_pieces(GArray *pieces, guint file, const GArray *wanted, uint64_t limit)
{
	g_autoptr(GArray) joined = exm_extents_join(wanted, GAP);
	const ExmPrefetchPiece *last = pieces->len ? &g_array_index(pieces, ExmPrefetchPiece,
	                                                            pieces->len - 1)
	                                           : NULL;
	uint64_t before = last ? last->before + last->length : 0;

	for (guint i = 0; i < joined->len; i++) {
		const ExmExtent *extent = exm_extents_at(joined, i);

		for (uint64_t at = extent->start; at < extent->end && before < limit;) {
			const uint64_t length = length_at(extent, at);
			const ExmPrefetchPiece piece = { .file = file,
				                         .start = at,
				                         .length = MIN(length, limit - before),
				                         .before = before };

			g_array_append_val(pieces, piece);
			before += piece.length;
			at += length;
		}
	}
}

/**
 * exm_prefetch_is_scattered() - Whether a guest with this recording is better off without huge pages
 * @recording: the recording
 *
 * With them Linux reads EXM_PREFETCH_BLOCK around each page that is missing (mm/filemap.c,
 * do_sync_mmap_readahead()). That is what is wanted where most of the recording is such blocks.
 */
bool exm_prefetch_is_scattered(const ExmPrefetch *recording)
{
	g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(ExmPrefetchPiece));
	uint64_t bytes = 0;
	uint64_t blocks = 0;

	for (guint i = 0; i < recording->memory->len; i++) {
		g_autoptr(GArray) extents = exm_prefetch_extents(recording->memory->pdata[i]);

		exm_prefetch_add_pieces(pieces, i, extents, UINT64_MAX);
	}
	for (guint i = 0; i < pieces->len; i++) {
		const uint64_t length = g_array_index(pieces, ExmPrefetchPiece, i).length;

		bytes += length;
		blocks += length == EXM_PREFETCH_BLOCK ? length : 0;
	}
	return blocks < bytes / 2;
}

/**
 * exm_prefetch_to_json() - Write a recording
 * @recording: the recording
 *
 * Return: an object (transfer full), described in exomem-prefetch(1).
 */
ExmJson *exm_prefetch_to_json(const ExmPrefetch *recording)
{
	ExmJson *json = exm_record_to_json(&layout, recording);

	exm_json_set_uint(json, "schema", SCHEMA);
	return json;
}

static bool is_number_at(ExmJson *array, size_t index)
{
	return json_object_is_type(json_object_array_get_idx(array, index), json_type_int);
}

/* In order, and each within the file: whoever reads them need not look again. */
static bool check_extents(const ExmPrefetchMemory *memory)
{
	const size_t count = json_object_is_type(memory->extents, json_type_array)
	                             ? exm_json_length(memory->extents)
	                             : 1;
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < count; i += 2) {
		const uint64_t start = number_at(memory->extents, i);
		const uint64_t length = number_at(memory->extents, i + 1);

		if (!is_number_at(memory->extents, i) || !is_number_at(memory->extents, i + 1) ||
		    start < end || length == 0 || start > memory->size ||
		    length > memory->size - start)
			return false;
		end = start + length;
	}
	return count % 2 == 0;
}

/**
 * exm_prefetch_from_json() - Read a recording
 * @json:  what exm_prefetch_to_json() wrote
 * @error: STATE where it is not whole, or of a newer schema
 *
 * Return: the recording (transfer full), or NULL.
 */
ExmPrefetch *exm_prefetch_from_json(ExmJson *json, GError **error)
{
	g_autoptr(GError) reason = NULL;
	g_autoptr(ExmPrefetch) recording = NULL;
	const uint64_t schema = exm_json_get_uint(json, "schema");
	bool good;

	if (schema > SCHEMA) {
		exm_throw(error, EXM_ERROR_STATE,
		          "it was recorded by a newer exomem (schema %" G_GUINT64_FORMAT
		          "; this one knows %d)",
		          schema, SCHEMA);
		return NULL;
	}
	recording = exm_record_from_json(&layout, json, &reason);
	good = recording && recording->page_size > 0;
	for (guint i = 0; good && i < recording->memory->len; i++)
		good = check_extents(recording->memory->pdata[i]);
	if (good)
		return g_steal_pointer(&recording);
	exm_throw(error, EXM_ERROR_STATE, "it is not whole: %s",
	          reason ? reason->message : "an extent in it is wrong");
	return NULL;
}
