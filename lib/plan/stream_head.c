/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_head.c - What kind of migration stream begins with these bytes */

#include "plan/stream_head.h"

#include <stdbool.h>
#include <string.h>

static const char *const head_names[] = {
	"none",       "unseen",        "missing",      "empty",   "foreign",
	"configured", "ignore-shared", "unconfigured", "devices",
};

const ExmEnumTable exm_stream_heads = { "stream head", head_names, G_N_ELEMENTS(head_names) };

/* QEMU, migration/savevm.h and migration/savevm.c; numbers are big-endian. */
#define FILE_MAGIC   0x5145564d /* "QEVM" */
#define FILE_VERSION 3

enum {
	SECTION_FULL = 0x04,
	SUBSECTION = 0x05,
	CONFIGURATION = 0x07,
};

/* What is still to be read; both members move. */
typedef struct {
	const uint8_t *at;
	size_t left;
} Bytes;

/* A text that is not ended by a NUL. */
typedef struct {
	const uint8_t *text;
	size_t length;
} Name;

static bool take(Bytes *bytes, size_t length, const uint8_t **ret_taken)
{
	if (bytes->left < length)
		return false;
	*ret_taken = bytes->at;
	bytes->at += length;
	bytes->left -= length;
	return true;
}

static bool take_byte(Bytes *bytes, uint8_t *ret_byte)
{
	const uint8_t *taken;

	if (!take(bytes, 1, &taken))
		return false;
	*ret_byte = *taken;
	return true;
}

static bool take_number(Bytes *bytes, uint32_t *ret_number)
{
	const uint8_t *taken;

	if (!take(bytes, sizeof(*ret_number), &taken))
		return false;
	*ret_number = (uint32_t)taken[0] << 24 | (uint32_t)taken[1] << 16 |
	              (uint32_t)taken[2] << 8 | taken[3];
	return true;
}

static bool take_name(Bytes *bytes, Name *ret_name)
{
	uint8_t length;

	if (!take_byte(bytes, &length) || !take(bytes, length, &ret_name->text))
		return false;
	ret_name->length = length;
	return true;
}

static bool is_called(const Name *name, const char *text)
{
	return name->length == strlen(text) && memcmp(name->text, text, name->length) == 0;
}

static bool take_subsection(Bytes *bytes, Name *ret_name)
{
	uint32_t version;
	uint8_t type;

	return take_byte(bytes, &type) && type == SUBSECTION && take_name(bytes, ret_name) &&
	       take_number(bytes, &version);
}

static bool lists(Bytes *bytes, const char *capability)
{
	uint32_t count;
	Name name;

	if (!take_number(bytes, &count))
		return false;
	for (; count > 0 && take_name(bytes, &name); count--)
		if (is_called(&name, capability))
			return true;
	return false;
}

/* QEMU, migration/savevm.c, vmstate_configuration: the machine's name, then optional subsections. */
static bool ignores_shared(Bytes *bytes)
{
	const uint8_t *machine;
	uint32_t number;
	Name name;

	if (!take_number(bytes, &number) || !take(bytes, number, &machine))
		return false;
	while (take_subsection(bytes, &name)) {
		if (is_called(&name, "configuration/capabilities"))
			return lists(bytes, "x-ignore-shared");
		/* The only one that may stand before it; it holds one number. */
		if (!is_called(&name, "configuration/target-page-bits") ||
		    !take_number(bytes, &number))
			return false;
	}
	return false;
}

/**
 * exm_stream_head_recognize() - What kind of migration stream begins with these bytes
 * @bytes:  the first EXM_STREAM_HEAD_SIZE bytes of it, or all where it is shorter
 * @length: number of bytes
 *
 * QEMU, migration/savevm.c: qemu_savevm_state_header() writes a configuration section behind magic
 * and version; qemu_save_device_state(), which is what xen-save-devices-state calls, writes none
 * and leaves out whatever is memory.
 *
 * Return: EXM_STREAM_EMPTY or one of those behind it.
 */
ExmStreamHead exm_stream_head_recognize(const uint8_t *bytes, size_t length)
{
	Bytes rest = { bytes, length };
	uint32_t magic;
	uint32_t version;
	uint8_t section;

	if (length == 0)
		return EXM_STREAM_EMPTY;
	if (!take_number(&rest, &magic) || magic != FILE_MAGIC || !take_number(&rest, &version) ||
	    version != FILE_VERSION || !take_byte(&rest, &section))
		return EXM_STREAM_FOREIGN;
	if (section == CONFIGURATION)
		return ignores_shared(&rest) ? EXM_STREAM_IGNORE_SHARED : EXM_STREAM_CONFIGURED;
	return section == SECTION_FULL ? EXM_STREAM_DEVICES : EXM_STREAM_UNCONFIGURED;
}
