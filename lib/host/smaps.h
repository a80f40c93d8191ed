/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct ExmMappedFile - A file whose mappings are told apart from all others
 * @inode:     of it
 * @directory: that its name begins with; empty for any
 * @size:      bytes of a mapping without a file that counts as well; 0 for none
 */
typedef struct {
	uint64_t inode;
	const char *directory;
	uint64_t size;
} ExmMappedFile;

/**
 * struct ExmSmaps - Memory of a process, in bytes
 * @mapped:  pages of the chosen files that it maps
 * @copied:  pages of its own in the mappings of those files
 * @swapped: such pages that are in swap
 * @rest:    of all other mappings, pages that others map too counted in part (Pss)
 * @rss:     all its pages
 * @pss:     the same, with those that others map too counted in part
 */
typedef struct {
	uint64_t mapped;
	uint64_t copied;
	uint64_t swapped;
	uint64_t rest;
	uint64_t rss;
	uint64_t pss;
} ExmSmaps;

bool exm_smaps_read(pid_t pid, const ExmMappedFile *files, size_t count, ExmSmaps *ret_smaps,
                    GError **error);
uint64_t exm_resident_bytes(const char *path);
