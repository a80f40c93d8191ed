/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/caps.h"
#include "plan/pmem_option.h"

/**
 * struct ExmPmemMedium - What a device of persistent memory stands on; nothing in it is owned
 * @title:     what a person calls it
 * @path:      device or file
 * @size:      bytes it has
 * @align:     bytes; mappings and the guest's part begin and end there
 * @maps_sync: what is written to a mapping lasts without a sync
 * @uuid:      of it, or NULL
 */
typedef struct {
	const char *title;
	const char *path;
	uint64_t size;
	uint64_t align;
	bool maps_sync;
	const char *uuid;
} ExmPmemMedium;

bool exm_pmem_medium_sizes(const ExmPmemMedium *medium, const ExmPmemOption *option,
                           const char *target, uint64_t *ret_size, uint64_t *ret_visible,
                           GError **error);
char *exm_pmem_medium_loss(const ExmPmemMedium *medium, const ExmPmemOption *option, uint64_t size,
                           uint64_t visible);
ExmJson *exm_pmem_backend(const ExmPmemMedium *medium, const ExmPmemOption *option,
                          const ExmCaps *caps, const char *id, uint64_t size, bool prealloc,
                          GError **error);
bool exm_pmem_device(const ExmPmemMedium *medium, const ExmPmemOption *option, const ExmCaps *caps,
                     const char *id, const char *backend, char **ret_device, GError **error);
