/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - QEMU's migration stream, taken apart into pages of memory and the rest */

#include "host/stream.h"

#include <string.h>

#include "base/error.h"
#include "host/stream_reader.h"

/* Of a stream that does not say its own. */
#define PAGE_SIZE UINT64_C(4096)

/**
 * exm_stream_take() - Take the next bytes of a record
 * @record:    the record
 * @length:    how many
 * @ret_bytes: where they are
 *
 * Return: false where they are not there yet.
 */
bool exm_stream_take(ExmStreamRecord *record, size_t length, const uint8_t **ret_bytes)
{
	*ret_bytes = record->bytes + record->used;
	record->used += length;
	return record->used <= record->length;
}

/**
 * exm_stream_take_number() - Take a number
 * @record:     the record
 * @length:     of the number, in bytes
 * @ret_number: the number
 *
 * Return: false where it is not there yet.
 */
bool exm_stream_take_number(ExmStreamRecord *record, size_t length, uint64_t *ret_number)
{
	const uint8_t *bytes;

	if (!exm_stream_take(record, length, &bytes))
		return false;
	*ret_number = 0;
	for (size_t i = 0; i < length; i++)
		*ret_number = *ret_number << 8 | bytes[i];
	return true;
}

/**
 * exm_stream_take_name() - Take a name
 * @record:   the record
 * @ret_name: the name; as in QEMU, it ends at its first NUL
 *
 * Return: false where it is not there yet.
 */
bool exm_stream_take_name(ExmStreamRecord *record, char ret_name[EXM_STREAM_NAME_SIZE])
{
	const uint8_t *bytes;
	uint64_t length;

	if (!exm_stream_take_number(record, 1, &length) ||
	    !exm_stream_take(record, (size_t)length, &bytes))
		return false;
	memcpy(ret_name, bytes, (size_t)length);
	ret_name[length] = '\0';
	return true;
}

/**
 * exm_stream_throw_damaged() - Set the error of a stream that cannot be
 * @stream: the stream
 * @what:   what is wrong with the record that comes next
 * @error:  where to put it
 *
 * Return: false, always
 */
bool exm_stream_throw_damaged(const ExmStream *stream, const char *what, GError **error)
{
	return exm_throw(error, EXM_ERROR_SYSTEM,
	                 "QEMU's stream is damaged at byte %" G_GUINT64_FORMAT ": %s",
	                 stream->position, what);
}

/**
 * exm_stream_read_tail() - Read what stands behind memory: anything
 * @stream: the stream
 * @record: all that is there
 * @error:  none
 */
bool exm_stream_read_tail(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	(void)stream;
	(void)error;
	record->used = record->length;
	return true;
}

static bool pass(const ExmStream *stream, const uint8_t *bytes, size_t length, GError **error)
{
	return length == 0 || stream->sink.rest(stream->sink.user, bytes, length, error);
}

/* Reads whole records; what lies between two pages that were taken is passed on in one piece. */
static bool read_records(ExmStream *stream, const uint8_t *bytes, size_t length, size_t *ret_used,
                         GError **error)
{
	size_t used = 0;
	size_t passed = 0;

	while (used < length) {
		ExmStreamRecord record = { .bytes = bytes + used, .length = length - used };

		if (!stream->next(stream, &record, error))
			return false;
		if (record.used > record.length) {
			stream->needed = record.used;
			break;
		}
		if (record.is_taken) {
			if (!pass(stream, bytes + passed, used - passed, error))
				return false;
			passed = used + record.used;
		}
		used += record.used;
		stream->position += record.used;
	}
	*ret_used = used;
	return pass(stream, bytes + passed, used - passed, error);
}

/* Completes the record that the last piece ended in, as far as this one goes. */
static bool read_carried(ExmStream *stream, const uint8_t *bytes, size_t length, size_t *ret_used,
                         GError **error)
{
	const size_t more = MIN(length, stream->needed - stream->carry->len);
	size_t used;

	g_byte_array_append(stream->carry, bytes, (guint)more);
	*ret_used = more;
	if (stream->carry->len < stream->needed)
		return true;
	if (!read_records(stream, stream->carry->data, stream->carry->len, &used, error))
		return false;
	/* It is used whole or, where it has turned out to be longer, not at all. */
	if (used > 0)
		g_byte_array_set_size(stream->carry, 0);
	return true;
}

/**
 * exm_stream_feed() - Take apart the next bytes of a stream
 * @stream: the stream; after an error it can only be freed
 * @data:   the bytes, in pieces of any size; a page that is whole in one piece is not copied
 * @length: how many; large pieces are faster
 * @error:  what the sink says, or: UNSUPPORTED for a kind of stream that exomem does not know,
 * STATE where a chosen block is not in it, SYSTEM where it is no stream or damaged
 */
bool exm_stream_feed(ExmStream *stream, const void *data, size_t length, GError **error)
{
	const uint8_t *bytes = data;
	size_t used = 0;

	while (stream->carry->len > 0 && length > 0) {
		if (!read_carried(stream, bytes, length, &used, error))
			return false;
		bytes += used;
		length -= used;
	}
	if (length == 0)
		return true;
	if (!read_records(stream, bytes, length, &used, error))
		return false;
	g_byte_array_append(stream->carry, bytes + used, (guint)(length - used));
	return true;
}

/**
 * exm_stream_end() - Say that nothing more comes
 * @stream: the stream
 * @error:  SYSTEM where it has ended within memory or before
 *
 * A stream that was cut off behind memory looks whole here: whether it is, QEMU's migration status
 * tells.
 */
bool exm_stream_end(const ExmStream *stream, GError **error)
{
	if (stream->next != exm_stream_read_tail)
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 "QEMU's stream ended after %" G_GUINT64_FORMAT
		                 " bytes, before the end of memory",
		                 stream->position + stream->carry->len);
	return true;
}

/**
 * exm_stream_new() - Begin to take a stream apart
 * @blocks: names of the memory blocks to take out of it ("pc.ram"), then NULL; none is fine
 * @sink:   where the parts go
 *
 * x-ignore-shared may be on or off in the stream. Its rest has it likewise, lists all blocks, and
 * is loaded by a QEMU whose chosen blocks have their contents already: the loader takes any subset
 * of pages (QEMU, migration/ram.c, ram_load_precopy()). A page is 4096 bytes unless the stream says
 * otherwise; alpha and sparc64, whose pages are larger and which do not say so, are not understood.
 *
 * Return: the stream (transfer full).
 */
ExmStream *exm_stream_new(const char *const *blocks, const ExmStreamSink *sink)
{
	ExmStream *stream = g_new0(ExmStream, 1);

	stream->sink = *sink;
	while (blocks[stream->block_count])
		stream->block_count++;
	stream->blocks = g_new0(ExmStreamBlock, stream->block_count);
	for (int i = 0; i < stream->block_count; i++)
		stream->blocks[i].name = g_strdup(blocks[i]);
	stream->next = exm_stream_read_header;
	stream->page_size = PAGE_SIZE;
	stream->block = EXM_STREAM_NO_BLOCK;
	stream->carry = g_byte_array_new();
	return stream;
}

/**
 * exm_stream_free() - Free a stream
 * @stream: may be NULL
 */
void exm_stream_free(ExmStream *stream)
{
	if (!stream)
		return;
	g_byte_array_unref(stream->carry);
	for (int i = 0; i < stream->block_count; i++)
		g_free(stream->blocks[i].name);
	g_free(stream->blocks);
	g_free(stream);
}
