/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/mapping.h"

/**
 * struct ExmSmaps - Memory of a process, in bytes
 * @mapped:  pages of the chosen files that it maps
 * @copied:  pages of its own in the mappings of those files
 * @swapped: pages that are in swap, of all mappings
 * @rest:    of all other mappings, pages that others map too counted in part (Pss)
 * @merged:  pages that the kernel has merged with equal ones (KSM)
 * @rss:     all its pages
 * @pss:     the same, with those that others map too counted in part
 */
typedef struct {
	uint64_t mapped;
	uint64_t copied;
	uint64_t swapped;
	uint64_t rest;
	uint64_t merged;
	uint64_t rss;
	uint64_t pss;
} ExmSmaps;

/**
 * struct ExmFileUse - What a memory file takes, in bytes
 * @resident: in the page cache
 * @dirty:    of these, not written to the disk yet; 0 before Linux 6.5
 * @blocks:   on the file system
 */
typedef struct {
	uint64_t resident;
	uint64_t dirty;
	uint64_t blocks;
} ExmFileUse;

bool exm_smaps_read(pid_t pid, const ExmMappedFile *files, size_t count, ExmSmaps *ret_smaps,
                    GError **error);
uint64_t exm_process_anonymous(pid_t pid);
ExmFileUse exm_file_use(const char *path);
