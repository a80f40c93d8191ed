/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "plan/caps.h"
#include "plan/guest.h"
#include "plan/memory_option.h"
#include "plan/template.h"

/* With it the name of each memory file begins, as the 2012 patch has it. */
#define EXM_BLOCK_PREFIX "qemu_back_mem."

/**
 * struct ExmBlock - One block of guest memory that exomem backs
 * @id:        id of its memory backend: the machine's own RAM id, or "ram-node0"
 * @offset:    bytes from the start of the guest's memory, blocks in guest-physical order
 * @size:      bytes
 * @file_name: "qemu_back_mem.OFFSET+SIZE.ID", as the 2012 patch names it
 * @path:      the file in its directory, or the device
 * @node:      the -numa node that it belongs to (borrowed from the guest), or NULL for all memory
 */
typedef struct {
	char *id;
	uint64_t offset;
	uint64_t size;
	char *file_name;
	char *path;
	const ExmGuestNode *node;
} ExmBlock;

GPtrArray *exm_blocks_new(const ExmGuest *guest, const ExmCaps *caps, GError **error);
bool exm_blocks_place_child(GPtrArray *blocks, const ExmTemplate *template, GError **error);
char *exm_block_file_name(uint64_t offset, uint64_t size, const char *id);
void exm_blocks_place(GPtrArray *blocks, const char *path, bool is_device);
