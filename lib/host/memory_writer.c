/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_writer.c - Pages of guest memory, written to a file that is sparse */

#include "host/memory_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* What pages and their offsets are multiples of. */
#define PAGE_SIZE UINT64_C(4096)

/* How much is gathered for one write. */
#define GATHERED_MAX UINT64_C(1048576)

/**
 * struct ExmMemoryWriter - A file and what is still to be written to it
 * @fd:       the file
 * @path:     its name, for messages
 * @size:     its bytes
 * @written:  bytes written, each time they were
 * @has_data: a bit for each page: it is not a hole, or will not be
 * @start:    of the run of neighbouring pages that is gathered
 * @length:   of that; 0 where there is none
 * @is_zero:  the run is of zeros; else it is in @gathered
 * @gathered: room for GATHERED_MAX bytes
 */
struct ExmMemoryWriter {
	int fd;
	char *path;
	uint64_t size;
	uint64_t written;
	uint8_t *has_data;
	uint64_t start;
	uint64_t length;
	bool is_zero;
	uint8_t *gathered;
};

/* Whether one of some pages has data. */
static bool has_data(const ExmMemoryWriter *writer, uint64_t offset, uint64_t length)
{
	const uint64_t end = (offset + length) / PAGE_SIZE;

	for (uint64_t page = offset / PAGE_SIZE; page < end; page++)
		if (writer->has_data[page / 8] & 1U << page % 8)
			return true;
	return false;
}

static void set_has_data(ExmMemoryWriter *writer, uint64_t offset, uint64_t length, bool value)
{
	const uint64_t end = (offset + length) / PAGE_SIZE;

	for (uint64_t page = offset / PAGE_SIZE; page < end; page++) {
		const uint8_t bit = (uint8_t)(1U << page % 8);

		if (value)
			writer->has_data[page / 8] |= bit;
		else
			writer->has_data[page / 8] &= (uint8_t)~bit;
	}
}

static bool write_gathered(ExmMemoryWriter *writer, uint64_t offset, uint64_t length, GError **error)
{
	const uint8_t *from = writer->gathered;

	while (length > 0) {
		const ssize_t count = TEMP_FAILURE_RETRY(
			pwrite(writer->fd, from, length, (off_t)offset));

		if (count < 0)
			return exm_throw_errno(error, errno, "write '%s'", writer->path);
		from += count;
		offset += (uint64_t)count;
		length -= (uint64_t)count;
		writer->written += (uint64_t)count;
	}
	return true;
}

/* For a file system that cannot make holes, such as vfat. */
static bool write_zeros(ExmMemoryWriter *writer, uint64_t offset, uint64_t length, GError **error)
{
	memset(writer->gathered, 0, MIN(length, GATHERED_MAX));
	while (length > 0) {
		const uint64_t count = MIN(length, GATHERED_MAX);

		if (!write_gathered(writer, offset, count, error))
			return false;
		offset += count;
		length -= count;
	}
	return true;
}

static bool make_hole(ExmMemoryWriter *writer, uint64_t offset, uint64_t length, GError **error)
{
	int result;

	do {
		result = fallocate(writer->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		                   (off_t)offset, (off_t)length);
	} while (result < 0 && errno == EINTR);
	if (result == 0)
		return true;
	if (errno == EOPNOTSUPP)
		return write_zeros(writer, offset, length, error);
	return exm_throw_errno(error, errno, "make a hole in '%s'", writer->path);
}

/**
 * exm_memory_writer_flush() - Write what was gathered
 * @writer: the writer
 * @error:  NO_ROOM or SYSTEM
 */
bool exm_memory_writer_flush(ExmMemoryWriter *writer, GError **error)
{
	const uint64_t length = writer->length;

	writer->length = 0;
	if (length == 0)
		return true;
	if (writer->is_zero)
		return make_hole(writer, writer->start, length, error);
	return write_gathered(writer, writer->start, length, error);
}

/**
 * exm_memory_writer_sync() - Write what was gathered, and make the file outlive a crash of the host
 * @writer: the writer
 * @error:  NO_ROOM or SYSTEM, also of a write-back since the file was opened; the file's name is
 * not synced
 */
bool exm_memory_writer_sync(ExmMemoryWriter *writer, GError **error)
{
	return exm_memory_writer_flush(writer, error) &&
	       (TEMP_FAILURE_RETRY(fsync(writer->fd)) == 0 ||
	        exm_throw_errno(error, errno, "cannot sync '%s'", writer->path));
}

/* Makes a run that pages at this offset may be added to. */
static bool begin_run(ExmMemoryWriter *writer, uint64_t offset, bool is_zero, GError **error)
{
	if (writer->length > 0 && writer->is_zero == is_zero &&
	    writer->start + writer->length == offset)
		return true;
	if (!exm_memory_writer_flush(writer, error))
		return false;
	writer->start = offset;
	writer->is_zero = is_zero;
	return true;
}

static bool put_zeros(ExmMemoryWriter *writer, uint64_t offset, uint64_t length, GError **error)
{
	if (!has_data(writer, offset, length))
		return true;
	if (!begin_run(writer, offset, true, error))
		return false;
	set_has_data(writer, offset, length, false);
	writer->length += length;
	return true;
}

static bool put_data(ExmMemoryWriter *writer, uint64_t offset, const uint8_t *data, uint64_t length,
                     GError **error)
{
	set_has_data(writer, offset, length, true);
	while (length > 0) {
		uint64_t count;

		if (!begin_run(writer, offset, false, error))
			return false;
		count = MIN(length, GATHERED_MAX - writer->length);
		memcpy(writer->gathered + writer->length, data, count);
		writer->length += count;
		if (writer->length == GATHERED_MAX && !exm_memory_writer_flush(writer, error))
			return false;
		offset += count;
		data += count;
		length -= count;
	}
	return true;
}

/**
 * exm_memory_writer_put() - Say what some pages hold
 * @writer: the writer
 * @offset: bytes from the start of the file, a multiple of 4096
 * @data:   the pages; NULL for zeros
 * @length: bytes, a multiple of 4096
 * @error:  NO_ROOM or SYSTEM, also of pages put before
 *
 * The same page may be put again, and then holds what was put last. Zeros become a hole.
 */
bool exm_memory_writer_put(ExmMemoryWriter *writer, uint64_t offset, const void *data,
                           size_t length, GError **error)
{
	if (offset > writer->size || writer->size - offset < length ||
	    (offset | length) % PAGE_SIZE != 0)
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 "memory of %zu bytes at 0x%" G_GINT64_MODIFIER
		                 "x does not fit into '%s'",
		                 length, offset, writer->path);
	if (!data)
		return put_zeros(writer, offset, length, error);
	return put_data(writer, offset, data, length, error);
}

/**
 * exm_memory_writer_written() - How much was written
 * @writer: the writer
 *
 * Return: bytes; a page that was written twice counts twice, and what is gathered does not count.
 */
uint64_t exm_memory_writer_written(const ExmMemoryWriter *writer)
{
	return writer->written;
}

/**
 * exm_memory_writer_new() - Begin to write a memory file
 * @fd:   the file (transfer full), open for writing, and a hole from end to end
 * @path: its name, for messages
 * @size: its bytes
 *
 * Return: the writer (transfer full).
 */
ExmMemoryWriter *exm_memory_writer_new(int fd, const char *path, uint64_t size)
{
	ExmMemoryWriter *writer = g_new0(ExmMemoryWriter, 1);

	writer->fd = fd;
	writer->path = g_strdup(path);
	writer->size = size;
	writer->has_data = g_malloc0(size / PAGE_SIZE / 8 + 1);
	writer->gathered = g_malloc(GATHERED_MAX);
	return writer;
}

/**
 * exm_memory_writer_free() - Free a writer, and drop what was not flushed
 * @writer: may be NULL
 */
void exm_memory_writer_free(ExmMemoryWriter *writer)
{
	if (!writer)
		return;
	exm_fd_clear(&writer->fd);
	g_free(writer->gathered);
	g_free(writer->has_data);
	g_free(writer->path);
	g_free(writer);
}
