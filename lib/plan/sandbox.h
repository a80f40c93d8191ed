/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/qemu_line.h"

/**
 * enum ExmAccess - What QEMU may do with a path
 * @EXM_ACCESS_READ:       read the file, or all below the directory
 * @EXM_ACCESS_EXECUTE:    the same, and execute it
 * @EXM_ACCESS_WRITE:      read and write the file or device; below a directory make and remove too
 * @EXM_ACCESS_CREATE:     the same of a file that is made empty where it is missing
 * @EXM_ACCESS_SOCKETS:    make sockets in the directory, and remove files from it
 * @EXM_ACCESS_IMAGE:      read and write a disk image, and read the backing files that it names
 * @EXM_ACCESS_IMAGE_READ: read a disk image and the backing files that it names
 */
typedef enum {
	EXM_ACCESS_READ,
	EXM_ACCESS_EXECUTE,
	EXM_ACCESS_WRITE,
	EXM_ACCESS_CREATE,
	EXM_ACCESS_SOCKETS,
	EXM_ACCESS_IMAGE,
	EXM_ACCESS_IMAGE_READ,
} ExmAccess;

/**
 * struct ExmAllowed - A path that a sandboxed QEMU may open
 * @path:   absolute, or relative to QEMU's working directory; it need not exist
 * @access: what for
 */
typedef struct {
	char *path;
	ExmAccess access;
} ExmAllowed;

const char *exm_access_name(ExmAccess access);
GPtrArray *exm_sandbox_paths(const char *qemu, const ExmQemuLine *line);
char *exm_sandbox_conflict(const ExmQemuLine *line, const char *own_configuration);
