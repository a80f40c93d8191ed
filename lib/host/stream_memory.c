/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_memory.c - The section of a migration stream that is memory */

#include <string.h>

#include "base/error.h"
#include "host/stream_reader.h"

enum {
	FLAG_ZERO = 0x02,
	FLAG_BLOCKS = 0x04, /* MEM_SIZE: a list of all blocks */
	FLAG_PAGE = 0x08,
	FLAG_END = 0x10,
	FLAG_CONTINUE = 0x20, /* of the same block as the page before */
};

/* Kinds of memory that QEMU sends on request only. */
static const struct {
	uint64_t flag;
	const char *what;
} strange_flags[] = {
	{ 0x40, "changes to pages (XBZRLE): switch the migration capability 'xbzrle' off" },
	{ 0x80, "pages that go by RDMA (HOOK): migrate to a pipe" },
	{ 0x100, "compressed pages (COMPRESS_PAGE): switch the migration capability 'compress' off" },
	{ 0x200, "pages that go elsewhere (MULTIFD_FLUSH): "
	         "switch the migration capability 'multifd' off" },
};

static int find_block(const ExmStream *stream, const char *name)
{
	for (int i = 0; i < stream->block_count; i++)
		if (strcmp(stream->blocks[i].name, name) == 0)
			return i;
	return EXM_STREAM_OTHER_BLOCK;
}

static bool check_blocks(const ExmStream *stream, GError **error)
{
	for (int i = 0; i < stream->block_count; i++)
		if (stream->blocks[i].size == 0)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "QEMU's stream has no memory block '%s'",
			                 stream->blocks[i].name);
	return true;
}

static bool read_block(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	char name[EXM_STREAM_NAME_SIZE];
	uint64_t size, address;
	int block;

	if (!exm_stream_take_name(record, name) || !exm_stream_take_number(record, 8, &size) ||
	    (stream->ignores_shared && !exm_stream_take_number(record, 8, &address)))
		return true;
	if (size > stream->left)
		return exm_stream_throw_damaged(stream, "blocks are larger than all memory", error);
	block = find_block(stream, name);
	if (block != EXM_STREAM_OTHER_BLOCK)
		stream->blocks[block].size = size;
	stream->left -= size;
	if (stream->left > 0)
		return true;
	stream->next = exm_stream_read_entry;
	return check_blocks(stream, error);
}

static bool begin_blocks(ExmStream *stream, uint64_t total, GError **error)
{
	if (stream->has_blocks || total == 0)
		return exm_stream_throw_damaged(stream, "no list of blocks can be here", error);
	stream->has_blocks = true;
	stream->left = total;
	stream->next = read_block;
	return true;
}

static bool end_entries(ExmStream *stream, uint64_t address, GError **error)
{
	if (address != 0 || !stream->has_blocks)
		return exm_stream_throw_damaged(stream, "memory cannot end here", error);
	stream->next = stream->is_last_part ? exm_stream_read_tail : exm_stream_read_footer;
	return true;
}

static bool deliver(const ExmStream *stream, uint64_t offset, const uint8_t *page, GError **error)
{
	const uint64_t size = stream->blocks[stream->block].size;

	if (offset >= size || size - offset < stream->page_size)
		return exm_stream_throw_damaged(stream, "a page is outside its block", error);
	return stream->sink.page(stream->sink.user, (guint)stream->block, offset, page,
	                         stream->page_size, error);
}

/* A page that is one byte all over. QEMU only sends 0, but 7.2 loads others as well. */
static bool deliver_filled(const ExmStream *stream, uint64_t offset, uint8_t fill, GError **error)
{
	g_autofree uint8_t *page = NULL;

	if (fill != 0) {
		page = g_malloc(stream->page_size);
		memset(page, fill, stream->page_size);
	}
	return deliver(stream, offset, page, error);
}

/*
 * A page that does not CONTINUE names its block. The pages of a block are taken all or none, so the
 * rest has none that continues a page that was taken.
 */
static bool read_page(ExmStream *stream, ExmStreamRecord *record, uint64_t offset, uint64_t flags,
                      GError **error)
{
	const bool is_filled = (flags & FLAG_ZERO) != 0;
	char name[EXM_STREAM_NAME_SIZE];
	int block = stream->block;
	const uint8_t *data;

	if (!(flags & FLAG_CONTINUE)) {
		if (!exm_stream_take_name(record, name))
			return true;
		block = find_block(stream, name);
	}
	if (block == EXM_STREAM_NO_BLOCK)
		return exm_stream_throw_damaged(stream, "a page is of no block", error);
	if (!exm_stream_take(record, is_filled ? 1 : stream->page_size, &data))
		return true;
	stream->block = block;
	if (block == EXM_STREAM_OTHER_BLOCK)
		return true;
	record->is_taken = true;
	return is_filled ? deliver_filled(stream, offset, data[0], error)
	                 : deliver(stream, offset, data, error);
}

static bool throw_flags(const ExmStream *stream, uint64_t flags, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(strange_flags); i++)
		if (flags & strange_flags[i].flag)
			return exm_throw(error, EXM_ERROR_UNSUPPORTED, "QEMU's stream has %s",
			                 strange_flags[i].what);
	return exm_stream_throw_damaged(stream, "memory of no known kind", error);
}

/**
 * exm_stream_read_entry() - Read an entry of memory: a page, the list of blocks, the end of a part
 * @stream: the stream
 * @record: bytes within section "ram"
 * @error:  UNSUPPORTED where it is of a kind that exomem does not know, STATE where a chosen block
 *          is not in the list, SYSTEM where it is damaged, or what the sink says
 */
bool exm_stream_read_entry(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t address, flags;

	if (!exm_stream_take_number(record, 8, &address))
		return true;
	flags = address & (stream->page_size - 1);
	address -= flags;
	switch (flags) {
	case FLAG_ZERO:
	case FLAG_ZERO | FLAG_CONTINUE:
	case FLAG_PAGE:
	case FLAG_PAGE | FLAG_CONTINUE:
		return read_page(stream, record, address, flags, error);
	case FLAG_BLOCKS:
		return begin_blocks(stream, address, error);
	case FLAG_END:
		return end_entries(stream, address, error);
	default:
		return throw_flags(stream, flags, error);
	}
}
