/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/enumtab.h"

/**
 * enum ExmStreamHead - What the first bytes of the state that -incoming loads say
 * @EXM_STREAM_NONE:          nothing is loaded
 * @EXM_STREAM_UNSEEN:        it is not in a file, or not known to be
 * @EXM_STREAM_MISSING:       its file is not there
 * @EXM_STREAM_EMPTY:         its file holds nothing
 * @EXM_STREAM_FOREIGN:       no migration stream
 * @EXM_STREAM_CONFIGURED:    with a configuration section, which QEMU expects
 * @EXM_STREAM_IGNORE_SHARED: with one that says: shared memory is left out (x-ignore-shared)
 * @EXM_STREAM_UNCONFIGURED:  without a configuration section
 * @EXM_STREAM_DEVICES:       without one, and it begins with a device: no memory is in it
 */
typedef enum {
	EXM_STREAM_NONE,
	EXM_STREAM_UNSEEN,
	EXM_STREAM_MISSING,
	EXM_STREAM_EMPTY,
	EXM_STREAM_FOREIGN,
	EXM_STREAM_CONFIGURED,
	EXM_STREAM_IGNORE_SHARED,
	EXM_STREAM_UNCONFIGURED,
	EXM_STREAM_DEVICES,
} ExmStreamHead;

/* Bytes that are enough: a machine type's name and the names of a few capabilities. */
#define EXM_STREAM_HEAD_SIZE 4096

extern const ExmEnumTable exm_stream_heads;

ExmStreamHead exm_stream_head_recognize(const uint8_t *bytes, size_t length);
