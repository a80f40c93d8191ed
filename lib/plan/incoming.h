/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "base/enumtab.h"

/**
 * enum ExmStateFormat - What the user says of the state that -incoming loads
 * @EXM_STATE_AUTO: nothing: its first bytes say it, where they can be seen
 * @EXM_STATE_QEMU: as QEMU's `migrate` writes it
 * @EXM_STATE_XEN:  as xen-save-devices-state writes it: without a configuration section
 */
typedef enum {
	EXM_STATE_AUTO,
	EXM_STATE_QEMU,
	EXM_STATE_XEN,
} ExmStateFormat;

/**
 * struct ExmIncomingFile - Where the first bytes of a state can be looked at
 * @path:   its file, as it was written; relative to the working directory; NULL for a descriptor
 * @fd:     the inherited descriptor where @path is NULL; the state begins where that stands
 * @offset: bytes of @path before the state
 */
typedef struct {
	char *path;
	int fd;
	uint64_t offset;
} ExmIncomingFile;

extern const ExmEnumTable exm_state_formats;

ExmIncomingFile *exm_incoming_file_new(const char *source);
char *exm_incoming_file_print(const ExmIncomingFile *file);
void exm_incoming_file_free(ExmIncomingFile *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmIncomingFile, exm_incoming_file_free)
