/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/caps.h"

/**
 * struct ExmProbeKey - What must be the same for a recorded answer to hold
 * @path:     resolved path of the binary
 * @device:   number of its file system
 * @inode:    its number there
 * @size:     bytes
 * @mtime_ns: time of its last change, in nanoseconds since 1970
 * @ctime_ns: the same of its inode
 */
typedef struct {
	char *path;
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	uint64_t mtime_ns;
	uint64_t ctime_ns;
} ExmProbeKey;

ExmProbeKey *exm_probe_key_read(const char *binary, GError **error);
void exm_probe_key_free(ExmProbeKey *key);
ExmCaps *exm_probe_cache_load(const char *directory, const ExmProbeKey *key);
bool exm_probe_cache_store(const char *directory, const ExmProbeKey *key, const ExmCaps *caps,
                           GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmProbeKey, exm_probe_key_free)
