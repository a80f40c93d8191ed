/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/**
 * enum ExmErrorCode - Why exomem refuses; it decides the exit status
 * @EXM_ERROR_SYSTEM:      something failed while acting; exit 1
 * @EXM_ERROR_USAGE:       malformed request, nothing was done; exit 2
 * @EXM_ERROR_UNSUPPORTED: this QEMU, kernel, device or file system cannot; exit 3
 * @EXM_ERROR_NO_ROOM:     does not fit; exit 4
 * @EXM_ERROR_STATE:       no such guest or template, taken, locked, or in the wrong state; exit 5
 *
 * The values are the exit statuses.
 */
typedef enum {
	EXM_ERROR_SYSTEM = 1,
	EXM_ERROR_USAGE,
	EXM_ERROR_UNSUPPORTED,
	EXM_ERROR_NO_ROOM,
	EXM_ERROR_STATE,
} ExmErrorCode;

#define EXM_ERROR exm_error_quark()

GQuark exm_error_quark(void);
bool exm_throw(GError **error, ExmErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);
bool exm_throw_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);
int exm_error_exit_status(const GError *error);
