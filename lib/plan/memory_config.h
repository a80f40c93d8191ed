/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/config.h"

/**
 * struct ExmMemoryConfig - What [memory] of the configuration says
 * @capacity:      bytes of guests' memory that the store is to hold (file_backed_memory); 0 is off
 * @directory:     the store: where memory files of guests without -mem-path go
 * @ratio:         ram_allocation_ratio, 1 where it is not said
 * @ratio_said:    it is said
 * @reserved:      bytes that no guest gets (reserved_host_memory_mb)
 * @virt_type:     Nova's word for the hypervisor, or NULL
 * @other_backing: a guest may have memory that is not in the store
 * @host_directory: the state directory over which the host's guests are counted
 */
typedef struct {
	uint64_t capacity;
	char *directory;
	double ratio;
	bool ratio_said;
	uint64_t reserved;
	char *virt_type;
	bool other_backing;
	char *host_directory;
} ExmMemoryConfig;

ExmMemoryConfig *exm_memory_config_new(const ExmConfig *config, const char *directory,
                                       GError **error);
void exm_memory_config_free(ExmMemoryConfig *config);
void exm_memory_config_check(const ExmMemoryConfig *config, GPtrArray *findings);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMemoryConfig, exm_memory_config_free)
