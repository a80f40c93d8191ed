/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
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

/**
 * struct ExmPmemDevice - A device of persistent memory to be; nothing in it is owned
 * @medium:     what it stands on
 * @option:     what the user asked for
 * @caps:       of the QEMU that will run the guest
 * @id:         of the device
 * @backend_id: of its backend
 * @size:       bytes of the backend
 * @prealloc:   -mem-prealloc was given, which goes for this backend too
 */
typedef struct {
	const ExmPmemMedium *medium;
	const ExmPmemOption *option;
	const ExmCaps *caps;
	const char *id;
	const char *backend_id;
	uint64_t size;
	bool prealloc;
} ExmPmemDevice;

bool exm_pmem_medium_sizes(const ExmPmemMedium *medium, const ExmPmemOption *option,
                           const char *target, uint64_t *ret_size, uint64_t *ret_visible,
                           GError **error);
char *exm_pmem_medium_loss(const ExmPmemMedium *medium, const ExmPmemOption *option,
                           uint64_t visible);
ExmJson *exm_pmem_device_backend(const ExmPmemDevice *device, GError **error);
bool exm_pmem_device_print(const ExmPmemDevice *device, char **ret_text, GError **error);
