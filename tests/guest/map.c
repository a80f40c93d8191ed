/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map.c - which memory there is */

#include "tiny.h"

#define MULTIBOOT_MAGIC 0x2badb002
#define PVH_MAGIC       0x336ec578

enum {
	USABLE = 1,             /* in all three maps */
	MULTIBOOT_MAP = 1 << 6, /* a bit of its flags */
};

struct multiboot_info {
	uint32_t flags;
	uint32_t unused[10];
	uint32_t map_length;
	uint32_t map_address;
};

struct multiboot_entry {
	uint32_t size; /* without this field */
	uint64_t address, length;
	uint32_t type;
} __attribute__((packed));

/* Xen's hvm_start_info, version 1 */
struct pvh_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, map_address;
	uint32_t map_entries, reserved;
};

struct pvh_entry {
	uint64_t address, length;
	uint32_t type, reserved;
};

/* A record of QEMU's fw_cfg file etc/e820 */
struct e820_entry {
	uint64_t address, length;
	uint32_t type;
} __attribute__((packed));

static struct range ranges[16];
static size_t range_count;

static const void *at(uint64_t address)
{
	return (const void *)address;
}

/* Keeps whole pages above the image, in ascending order. */
static void add(uint64_t address, uint64_t length, uint32_t type)
{
	uint64_t start = (address + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	uint64_t end = (address + length) & ~(PAGE_SIZE - 1);
	size_t i = range_count;

	if (start < IMAGE_END)
		start = IMAGE_END;
	if (end > MAPPED_END)
		end = MAPPED_END;
	if (type != USABLE || start >= end || range_count == sizeof(ranges) / sizeof(ranges[0]))
		return;
	for (; i > 0 && ranges[i - 1].start > start; i--)
		ranges[i] = ranges[i - 1];
	ranges[i] = (struct range){ start, end };
	range_count++;
}

static void add_multiboot(const struct multiboot_info *info)
{
	uint64_t address = info->map_address;

	if (!(info->flags & MULTIBOOT_MAP))
		return;
	while (address < (uint64_t)info->map_address + info->map_length) {
		const struct multiboot_entry *entry = at(address);

		add(entry->address, entry->length, entry->type);
		address += sizeof(entry->size) + entry->size;
	}
}

static void add_pvh(const struct pvh_info *info)
{
	const struct pvh_entry *entry = at(info->map_address);

	if (info->magic != PVH_MAGIC || info->version < 1)
		return;
	for (uint32_t i = 0; i < info->map_entries; i++, entry++)
		add(entry->address, entry->length, entry->type);
}

static void add_fwcfg(void)
{
	struct e820_entry entry;
	struct fwcfg_file file;

	if (!fwcfg_find("etc/e820", &file))
		return;
	fwcfg_select(&file);
	for (; file.size >= sizeof(entry); file.size -= (uint32_t)sizeof(entry)) {
		fwcfg_read(&entry, sizeof(entry));
		add(entry.address, entry.length, entry.type);
	}
}

/**
 * map_start() - Learn which memory there is, from the boot loader or else from QEMU
 * @boot_magic: what was in EAX at the start
 * @boot_info: what was in EBX
 */
void map_start(uint32_t boot_magic, uint32_t boot_info)
{
	if (boot_magic == MULTIBOOT_MAGIC)
		add_multiboot(at(boot_info));
	else
		add_pvh(at(boot_info));
	if (range_count == 0)
		add_fwcfg();
}

/**
 * map_range() - One range of memory that may be filled
 * @index: which one, in ascending order
 * Return: the range, or NULL after the last
 */
const struct range *map_range(size_t index)
{
	return index < range_count ? &ranges[index] : NULL;
}

/**
 * map_size() - How much memory may be filled
 * Return: the number of bytes
 */
uint64_t map_size(void)
{
	uint64_t size = 0;

	for (size_t i = 0; i < range_count; i++)
		size += ranges[i].end - ranges[i].start;
	return size;
}
