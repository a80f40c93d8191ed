/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/host.h"
#include "plan/memory_config.h"

/**
 * struct ExmStore - Facts of the directory that guests' memory files go to, beside its ExmPlace
 * @device:      number of its file system; 0 where it is not there
 * @is_mount:    a file system is mounted right there
 * @read_only:   that is mounted read-only
 * @size:        bytes of the file system, used and free
 * @inodes_free: files that can still be made
 * @endless:     the file system does not count files
 * @quota:       this user has a quota there
 * @quota_left:  bytes that it leaves
 * @thin:        what gives out its blocks only when they are written, or NULL
 * @coherent:    what is written to a mapping is read from the file at once, and the other way round
 * @reflink:     files can share blocks
 * @dirty_limit: bytes of dirty pages of the whole host at which whoever writes has to wait
 */
typedef struct {
	uint64_t device;
	bool is_mount;
	bool read_only;
	uint64_t size;
	uint64_t inodes_free;
	bool endless;
	bool quota;
	uint64_t quota_left;
	char *thin;
	bool coherent;
	bool reflink;
	uint64_t dirty_limit;
} ExmStore;

/**
 * struct ExmStoreInput - All that is known of a store; nothing in it is owned
 * @config:      with file backing on
 * @place:       of its directory
 * @store:       facts beside these
 * @committed:   bytes that guests have of it
 * @can_discard: QEMU gives memory back when it ends
 */
typedef struct {
	const ExmMemoryConfig *config;
	const ExmPlace *place;
	const ExmStore *store;
	uint64_t committed;
	bool can_discard;
} ExmStoreInput;

void exm_store_free(ExmStore *store);
ExmStore *exm_store_from_json(ExmJson *json, GError **error);
void exm_store_check(const ExmStoreInput *in, GPtrArray *findings);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmStore, exm_store_free)
