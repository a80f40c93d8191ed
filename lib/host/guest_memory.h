/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/sample.h"
#include "plan/vm.h"

/**
 * struct ExmGuestRange - A piece of a QEMU's memory that is its guest's
 * @start:  its address in QEMU
 * @length: bytes
 * @offset: of the piece in its file
 * @file:   path of the file that is mapped shared, NULL where QEMU's pages are its own
 */
typedef struct {
	uint64_t start;
	uint64_t length;
	uint64_t offset;
	char *file;
} ExmGuestRange;

const char *exm_guest_memory_lost(const ExmVm *vm, ExmJson *memory);
char *exm_guest_memory_path(const ExmVm *vm, ExmJson *memory);
bool exm_guest_memory_is_private(const ExmVm *vm);
ExmOut exm_guest_memory_out(const ExmVm *vm);
GPtrArray *exm_guest_memory_ranges(const ExmVm *vm, GError **error);
