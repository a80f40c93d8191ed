/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/block.h"
#include "plan/host.h"

/**
 * struct ExmMemoryInput - All that decides where a guest's memory goes; nothing in it is owned
 * @guest:  what the command line says of the guest
 * @option: the argument of -mem-path
 * @blocks: of ExmBlock, with paths
 * @caps:   of the QEMU that will run it
 * @host:   facts of the host
 * @place:  facts of the directory or device
 * @files:  of ExmFileFacts, one for each block; empty for a device
 * @trust_mount: warn of a file system that would be refused
 */
typedef struct {
	const ExmGuest *guest;
	const ExmMemoryOption *option;
	const GPtrArray *blocks;
	const ExmCaps *caps;
	const ExmHost *host;
	const ExmPlace *place;
	const GPtrArray *files;
	bool trust_mount;
} ExmMemoryInput;

bool exm_memory_check(const ExmMemoryInput *in, GPtrArray *warnings, bool *ret_anonymous,
                      GError **error);
bool exm_memory_is_shared(const ExmMemoryInput *in);
bool exm_memory_is_preallocated(const ExmMemoryInput *in);
bool exm_memory_is_reserved(const ExmMemoryInput *in);
uint64_t exm_memory_size(const ExmMemoryInput *in);
