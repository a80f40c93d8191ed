/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "host/stream.h"

/*
 * Private to stream, stream_section and stream_memory.
 *
 * The stream, all numbers big-endian; a name is a length of one byte and that many bytes (QEMU 7.2,
 * 10.0 and 10.2: migration/savevm.c, migration/savevm.h, migration/ram.c, migration/vmstate.c):
 *
 *   header         u32 "QEVM", u32 3
 *   configuration  u8 7, u32 length, machine type; then subsections: u8 5, name, u32 1, contents
 *   section        u8 type, u32 id; where it starts: name, u32 instance, u32 version; contents;
 *                  and, but for old machine types, a footer: u8 0x7e, u32 id
 *   command        u8 8, u16 command, u16 length, data
 *
 * Memory is the section "ram": a START, any number of PARTs, an END, each a row of entries that
 * begin with a u64: an address, with flags in its bits below the page size. Devices follow. How
 * long their sections are is known to the devices alone, so nothing behind the END is looked at.
 */

/* A name's length is a byte, and a NUL goes behind it. */
#define EXM_STREAM_NAME_SIZE 256

/* What ExmStream.block is where it is no chosen block: no page has come yet; any other block. */
enum { EXM_STREAM_NO_BLOCK = -2, EXM_STREAM_OTHER_BLOCK = -1 };

/**
 * struct ExmStreamRecord - A piece of the stream that is read as a whole or not at all
 * @bytes:    where it begins
 * @length:   how many bytes are there from then on, at least one
 * @used:     how many it takes, as far as is known; where that is more than @length, it must be
 *            read again when they are there
 * @is_taken: a page that the sink has got, which is not in the rest
 */
typedef struct {
	const uint8_t *bytes;
	size_t length;
	size_t used;
	bool is_taken;
} ExmStreamRecord;

/**
 * typedef ExmStreamReader - Reads the record that comes next and says what comes after it
 * @stream: keeps what it learns, but nothing of a record that is not whole
 * @record: the record
 * @error:  UNSUPPORTED or SYSTEM, or what the sink says
 *
 * Return: true, also where bytes are missing; or false with @error set.
 */
typedef bool ExmStreamReader(ExmStream *stream, ExmStreamRecord *record, GError **error);

/**
 * struct ExmStreamBlock - A chosen block
 * @name: its name
 * @size: its bytes as the stream says; 0 until it does
 */
typedef struct {
	char *name;
	uint64_t size;
} ExmStreamBlock;

/**
 * struct ExmStream - Where the reader is, and what it has learnt
 * @sink:           where the parts go
 * @blocks:         the chosen blocks
 * @block_count:    how many those are
 * @next:           reads what comes next
 * @position:       of that, in bytes, for messages
 * @left:           capabilities still to come, or bytes of blocks still to be listed
 * @page_size:      bytes
 * @ignores_shared: the capability x-ignore-shared is on
 * @in_memory:      section "ram" has begun
 * @is_last_part:   this part of it is its END
 * @has_blocks:     the list of blocks has come
 * @section:        number of section "ram"
 * @block:          that the next page is of if it does not say: a chosen one, or EXM_STREAM_
 * @carry:          the beginning of a record that is not whole
 * @needed:         how many bytes @carry must have at least
 */
struct ExmStream {
	ExmStreamSink sink;
	ExmStreamBlock *blocks;
	int block_count;
	ExmStreamReader *next;
	uint64_t position;
	uint64_t left;
	uint64_t page_size;
	bool ignores_shared;
	bool in_memory;
	bool is_last_part;
	bool has_blocks;
	uint64_t section;
	int block;
	GByteArray *carry;
	size_t needed;
};

bool exm_stream_take(ExmStreamRecord *record, size_t length, const uint8_t **ret_bytes);
bool exm_stream_take_number(ExmStreamRecord *record, size_t length, uint64_t *ret_number);
bool exm_stream_take_name(ExmStreamRecord *record, char ret_name[EXM_STREAM_NAME_SIZE]);
bool exm_stream_throw_damaged(const ExmStream *stream, const char *what, GError **error);

ExmStreamReader exm_stream_read_header;
ExmStreamReader exm_stream_read_section;
ExmStreamReader exm_stream_read_footer;
ExmStreamReader exm_stream_read_entry;
ExmStreamReader exm_stream_read_tail;
