/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwcfg.c - QEMU's fw_cfg files, through its two ports */

#include "tiny.h"

#include "port.h"

enum {
	SELECTOR_PORT = 0x510,
	DATA_PORT = 0x511,
	SIGNATURE = 0x00,
	DIRECTORY = 0x19,
};

/* As in QEMU's docs/specs/fw_cfg.txt: numbers are big-endian. */
struct directory_entry {
	uint32_t size;
	uint16_t selector;
	uint16_t reserved;
	char name[56];
};

static void select_item(uint16_t selector)
{
	port_write16(SELECTOR_PORT, selector);
}

static bool is_present(void)
{
	char signature[5] = { 0 };

	select_item(SIGNATURE);
	fwcfg_read(signature, 4);
	return text_equal(signature, "QEMU");
}

/**
 * fwcfg_find() - Look up a file
 * @name: its name
 * @ret_file: where to put what was found
 *
 * The selector may be another one after a restore, so look it up each time.
 *
 * Return: false when there is none
 */
bool fwcfg_find(const char *name, struct fwcfg_file *ret_file)
{
	struct directory_entry entry;
	uint32_t count;

	if (!is_present())
		return false;
	select_item(DIRECTORY);
	fwcfg_read(&count, sizeof(count));
	for (count = __builtin_bswap32(count); count; count--) {
		fwcfg_read(&entry, sizeof(entry));
		if (text_equal(entry.name, name)) {
			ret_file->selector = __builtin_bswap16(entry.selector);
			ret_file->size = __builtin_bswap32(entry.size);
			return true;
		}
	}
	return false;
}

/**
 * fwcfg_select() - Make fwcfg_read() start at the beginning of a file
 * @file: the file
 */
void fwcfg_select(const struct fwcfg_file *file)
{
	select_item(file->selector);
}

/**
 * fwcfg_read() - Read on in the file selected last
 * @buffer: where to put the bytes
 * @size: how many; beyond the end of the file they are 0
 */
void fwcfg_read(void *buffer, size_t size)
{
	uint8_t *byte = buffer;

	while (size--)
		*byte++ = port_read8(DATA_PORT);
}
