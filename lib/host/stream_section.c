/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_section.c - A migration stream's header, configuration, sections and commands */

#include <string.h>

#include "base/error.h"
#include "host/stream_reader.h"

#define FILE_MAGIC   0x5145564dU
#define FILE_VERSION 3U
#define RAM_VERSION  4U

#define MARK_SUBSECTION    0x05
#define MARK_CONFIGURATION 0x07
#define MARK_FOOTER        0x7e

/* The pages of most targets; ten bits of an address are flags, and larger pages nobody has. */
#define PAGE_BITS_MIN 12
#define PAGE_BITS_MAX 16

#define UUID_LENGTH 16

/* Commands that say nothing of memory, and how long their data is (savevm.c, mig_cmd_args). */
static const struct {
	uint64_t command;
	uint64_t length;
} harmless_commands[] = {
	{ 1, 0 },  /* OPEN_RETURN_PATH */
	{ 2, 4 },  /* PING */
	{ 11, 0 }, /* SWITCHOVER_START */
};

/* A name from the stream may hold anything. */
static bool throw_unknown(const char *what, const char *name, GError **error)
{
	g_autofree char *printable = g_strescape(name, NULL);

	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "QEMU's stream has %s '%s', which exomem does not know", what, printable);
}

/* Devices may send their state before or beside memory: dirty bitmaps, vfio, virtio-mem. */
static bool throw_device(const char *name, GError **error)
{
	g_autofree char *printable = g_strescape(name, NULL);

	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "QEMU's stream has state of '%s' before the end of memory: "
	                 "a guest with such a device cannot be saved this way",
	                 printable);
}

static ExmStreamReader read_subsection;

static bool read_page_bits(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t bits;

	if (!exm_stream_take_number(record, 4, &bits))
		return true;
	if (bits < PAGE_BITS_MIN || bits > PAGE_BITS_MAX)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "QEMU's stream has pages of %u address bits, not of %u to %u",
		                 (guint)bits, PAGE_BITS_MIN, PAGE_BITS_MAX);
	stream->page_size = UINT64_C(1) << bits;
	return true;
}

static bool read_capability(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	char name[EXM_STREAM_NAME_SIZE];

	if (!exm_stream_take_name(record, name))
		return true;
	/* Only capabilities that change the stream's form are told; another one is mapped-ram. */
	if (strcmp(name, "x-ignore-shared") != 0)
		return throw_unknown("the migration capability", name, error);
	stream->ignores_shared = true;
	stream->left--;
	stream->next = stream->left > 0 ? read_capability : read_subsection;
	return true;
}

static bool read_capability_count(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	(void)error;
	if (exm_stream_take_number(record, 4, &stream->left) && stream->left > 0)
		stream->next = read_capability;
	return true;
}

static bool read_uuid(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	(void)stream;
	(void)error;
	record->used += UUID_LENGTH;
	return true;
}

static const struct {
	const char *name;
	ExmStreamReader *read;
} subsections[] = {
	{ "configuration/target-page-bits", read_page_bits },
	{ "configuration/capabilities", read_capability_count },
	{ "configuration/uuid", read_uuid },
};

static bool read_subsection(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	char name[EXM_STREAM_NAME_SIZE];
	uint64_t mark, version;

	if (record->bytes[0] != MARK_SUBSECTION) {
		stream->next = exm_stream_read_section;
		return true;
	}
	if (!exm_stream_take_number(record, 1, &mark) || !exm_stream_take_name(record, name) ||
	    !exm_stream_take_number(record, 4, &version))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(subsections); i++)
		if (strcmp(name, subsections[i].name) == 0 && version == 1)
			return subsections[i].read(stream, record, error);
	return throw_unknown("the configuration", name, error);
}

static bool read_configuration(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t mark, length;

	if (!exm_stream_take_number(record, 1, &mark))
		return true;
	/* Whether x-ignore-shared is on is told there alone. */
	if (mark != MARK_CONFIGURATION)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "QEMU's stream does not tell its configuration: use a machine type "
		                 "of 2.4 or later, and no 'migration.send-configuration=off'");
	if (!exm_stream_take_number(record, 4, &length))
		return true;
	if (length >= EXM_STREAM_NAME_SIZE)
		return exm_stream_throw_damaged(stream, "the machine type's name is too long", error);
	record->used += (size_t)length;
	if (record->used <= record->length)
		stream->next = read_subsection;
	return true;
}

/**
 * exm_stream_read_header() - Read what a stream begins with
 * @stream: the stream
 * @record: its first bytes
 * @error:  SYSTEM where it is no stream, UNSUPPORTED where it is of another version
 */
bool exm_stream_read_header(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t magic, version;

	if (!exm_stream_take_number(record, 4, &magic))
		return true;
	if (magic != FILE_MAGIC)
		return exm_throw(error, EXM_ERROR_SYSTEM, "this is not QEMU's migration stream");
	if (!exm_stream_take_number(record, 4, &version))
		return true;
	if (version != FILE_VERSION)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "QEMU's stream is of version %u, not %u", (guint)version,
		                 FILE_VERSION);
	stream->next = read_configuration;
	return true;
}

static bool read_section_start(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t section, instance, version;
	char name[EXM_STREAM_NAME_SIZE];

	if (!exm_stream_take_number(record, 4, &section) || !exm_stream_take_name(record, name) ||
	    !exm_stream_take_number(record, 4, &instance) ||
	    !exm_stream_take_number(record, 4, &version))
		return true;
	if (strcmp(name, "ram") != 0)
		return throw_device(name, error);
	if (version != RAM_VERSION)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "QEMU's stream has memory of version %u, not %u", (guint)version,
		                 RAM_VERSION);
	if (stream->in_memory)
		return exm_stream_throw_damaged(stream, "memory begins again", error);
	stream->section = section;
	stream->in_memory = true;
	stream->next = exm_stream_read_entry;
	return true;
}

static bool read_section_full(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	char name[EXM_STREAM_NAME_SIZE];
	uint64_t section;

	(void)stream;
	if (!exm_stream_take_number(record, 4, &section) || !exm_stream_take_name(record, name))
		return true;
	return throw_device(name, error);
}

static bool read_section_part(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t section;

	if (!exm_stream_take_number(record, 4, &section))
		return true;
	if (!stream->in_memory || section != stream->section)
		return exm_stream_throw_damaged(stream, "a section goes on that has not begun",
		                                error);
	stream->next = exm_stream_read_entry;
	return true;
}

static bool read_section_end(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	/* It is that already, though its number may still have to come. */
	stream->is_last_part = true;
	return read_section_part(stream, record, error);
}

static bool read_command(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t command, length;

	(void)stream;
	if (!exm_stream_take_number(record, 2, &command) ||
	    !exm_stream_take_number(record, 2, &length))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(harmless_commands); i++) {
		if (command == harmless_commands[i].command && length == harmless_commands[i].length) {
			record->used += (size_t)length;
			return true;
		}
	}
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "QEMU's stream has the command %u, which exomem does not know: "
	                 "switch migration capabilities like 'postcopy-ram' off",
	                 (guint)command);
}

static const struct {
	uint64_t mark;
	ExmStreamReader *read;
} sections[] = {
	{ 0x01, read_section_start }, { 0x02, read_section_part }, { 0x03, read_section_end },
	{ 0x04, read_section_full },  { 0x08, read_command },
};

/**
 * exm_stream_read_section() - Read the beginning of a section, or a command
 * @stream: the stream
 * @record: bytes behind the configuration or another section
 * @error:  UNSUPPORTED where it is not of memory, SYSTEM where there is none
 */
bool exm_stream_read_section(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t mark;

	if (!exm_stream_take_number(record, 1, &mark))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(sections); i++)
		if (mark == sections[i].mark)
			return sections[i].read(stream, record, error);
	return exm_stream_throw_damaged(stream, "no section begins here", error);
}

/**
 * exm_stream_read_footer() - Read the footer of a part of memory, if it has one
 * @stream: the stream
 * @record: bytes behind the entries
 * @error:  SYSTEM where it is of another section
 */
bool exm_stream_read_footer(ExmStream *stream, ExmStreamRecord *record, GError **error)
{
	uint64_t mark, section;

	if (record->bytes[0] != MARK_FOOTER) {
		stream->next = exm_stream_read_section;
		return true;
	}
	if (!exm_stream_take_number(record, 1, &mark) || !exm_stream_take_number(record, 4, &section))
		return true;
	if (section != stream->section)
		return exm_stream_throw_damaged(stream, "another section ends than has begun", error);
	stream->next = exm_stream_read_section;
	return true;
}
