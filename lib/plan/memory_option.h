/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/enumtab.h"

/**
 * enum ExmMemoryMode - How memory files come to be
 * @EXM_MODE_TEMP:   an unnamed file that goes with the guest
 * @EXM_MODE_OPEN:   files with deterministic names, which must be there
 * @EXM_MODE_CREATE: files with deterministic names, made where they are missing
 */
typedef enum {
	EXM_MODE_TEMP,
	EXM_MODE_OPEN,
	EXM_MODE_CREATE,
} ExmMemoryMode;

/**
 * enum ExmMapping - How a memory file is mapped
 * @EXM_MAPPING_PRIVATE: copy-on-write; the file never changes
 * @EXM_MAPPING_SHARED:  the guest writes the file
 */
typedef enum {
	EXM_MAPPING_PRIVATE,
	EXM_MAPPING_SHARED,
} ExmMapping;

/**
 * enum ExmSwitch - A yes or no that the user may also leave open
 * @EXM_SWITCH_UNSET: not said
 * @EXM_SWITCH_OFF:   no
 * @EXM_SWITCH_ON:    yes
 */
typedef enum {
	EXM_SWITCH_UNSET,
	EXM_SWITCH_OFF,
	EXM_SWITCH_ON,
} ExmSwitch;

/**
 * struct ExmMemoryOption - The argument of -mem-path, checked for form
 * @path:            directory or device
 * @mode:            default temp
 * @mapping:         default shared, but for mode=open, where it must be said
 * @no_fallback:     never fall back to anonymous memory
 * @any_fs:          no warning where the path is not on hugetlbfs
 * @discard:         punch the memory out of the file when the guest ends
 * @prealloc:        on: QEMU touches each page; off: the file stays sparse and unchecked
 * @merge:           let KSM merge pages
 * @dump:            guest memory in QEMU's core dumps
 * @pmem:            the path is persistent memory
 * @reserve:         off: reserve no swap for a private mapping
 * @align:           bytes, a power of two; 0 where not said
 * @offset:          bytes from the start of a device; 0 where not said
 * @prealloc_threads: threads that touch pages; 0 where not said
 * @host_nodes:      of guint, NUMA nodes of the host, or NULL
 * @policy:          "default", "preferred", "bind" or "interleave", or NULL
 */
typedef struct {
	char *path;
	ExmMemoryMode mode;
	ExmMapping mapping;
	bool no_fallback;
	bool any_fs;
	ExmSwitch discard;
	ExmSwitch prealloc;
	ExmSwitch merge;
	ExmSwitch dump;
	ExmSwitch pmem;
	ExmSwitch reserve;
	uint64_t align;
	uint64_t offset;
	uint64_t prealloc_threads;
	GArray *host_nodes;
	char *policy;
} ExmMemoryOption;

extern const ExmEnumTable exm_memory_modes;
extern const ExmEnumTable exm_mappings;

ExmMemoryOption *exm_memory_option_parse(const char *text, GError **error);
char *exm_memory_option_print(const ExmMemoryOption *option);
void exm_memory_option_free(ExmMemoryOption *option);
bool exm_node_list_parse(const char *text, GArray **ret_nodes, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMemoryOption, exm_memory_option_free)
