/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/enumtab.h"
#include "base/json.h"

/**
 * enum ExmNamespaceMode - What the kernel makes of a namespace (ndctl's words)
 * @EXM_NAMESPACE_RAW:        a block device without anything
 * @EXM_NAMESPACE_FSDAX:      a block device for a file system with DAX
 * @EXM_NAMESPACE_SECTOR:     a block device with atomic sectors
 * @EXM_NAMESPACE_DEVDAX:     a character device: what a guest can have
 * @EXM_NAMESPACE_SYSTEM_RAM: memory of this host (daxctl reconfigure-device)
 * @EXM_NAMESPACE_UNKNOWN:    something newer
 */
typedef enum {
	EXM_NAMESPACE_RAW,
	EXM_NAMESPACE_FSDAX,
	EXM_NAMESPACE_SECTOR,
	EXM_NAMESPACE_DEVDAX,
	EXM_NAMESPACE_SYSTEM_RAM,
	EXM_NAMESPACE_UNKNOWN,
} ExmNamespaceMode;

/**
 * struct ExmNamespace - A namespace of persistent memory on this host
 * @device:      kernel's name, which may be another after a restart: "namespace0.0"
 * @name:        that its owner gave it, or NULL
 * @uuid:        its identity, or NULL where it has none
 * @mode:        what the kernel makes of it
 * @disabled:    no driver is bound to it
 * @size:        bytes that can be used
 * @align:       bytes; mappings begin and end there
 * @on_node:     @node is known
 * @node:        NUMA node
 * @map:         where the kernel's page structures are: "mem", "dev", "none", or NULL
 * @persistence: up to where the platform saves what was written: "cpu_cache",
 *               "memory_controller", or NULL where it does not say
 * @health:      of the worst of its modules: "ok", "non-critical", "critical", "fatal", or NULL
 * @path:        "/dev/dax0.0", or NULL where it is no device now
 * @no_access:   why this user cannot open the device for writing, or NULL
 * @locked_by:   process that holds the device's lock, as a guest does; 0 for none
 * @used_by:     who else has it open or mounted, or NULL
 */
typedef struct {
	char *device;
	char *name;
	char *uuid;
	ExmNamespaceMode mode;
	bool disabled;
	uint64_t size;
	uint64_t align;
	bool on_node;
	uint64_t node;
	char *map;
	char *persistence;
	char *health;
	char *path;
	char *no_access;
	uint64_t locked_by;
	char *used_by;
} ExmNamespace;

extern const ExmEnumTable exm_namespace_modes;

ExmNamespace *exm_namespace_new(void);
void exm_namespace_free(ExmNamespace *namespace);
ExmJson *exm_namespace_to_json(const ExmNamespace *namespace);
ExmNamespace *exm_namespace_from_json(ExmJson *json, GError **error);
const char *exm_namespace_title(const ExmNamespace *namespace);
void exm_namespaces_sort(GPtrArray *namespaces);
ExmNamespace *exm_namespaces_find_uuid(const GPtrArray *namespaces, const char *uuid);
ExmNamespace *exm_namespaces_find_path(const GPtrArray *namespaces, const char *path);
bool exm_namespaces_find(const GPtrArray *namespaces, const char *word,
                         ExmNamespace **ret_namespace, GError **error);
bool exm_namespace_check(const ExmNamespace *namespace, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmNamespace, exm_namespace_free)
