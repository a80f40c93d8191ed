/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/qemu_line.h"

/**
 * struct ExmDisk - One disk image of a command line
 * @word:      its place in the line's words
 * @file_word: place of the word that names the path: @word itself, but for a -blockdev whose file
 *             is a -blockdev of its own; exm_disk_rewrite() takes that in, so that a line with the
 *             rewritten word leaves out this one
 * @argument:  the option and its value, for messages: "-hda disk.qcow2"
 * @path:      as written
 * @format:    as said, or NULL where QEMU looks at the image
 * @read_only: the guest cannot write to it
 * @obstacle:  NULL, or one line: why this writable image cannot be the base of an overlay, and what
 *             to write instead
 */
typedef struct {
	guint word;
	guint file_word;
	char *argument;
	char *path;
	char *format;
	bool read_only;
	char *obstacle;
} ExmDisk;

GPtrArray *exm_disks_read(const ExmQemuLine *line);
bool exm_disk_rewrite(const ExmQemuLine *line, const ExmDisk *disk, const char *path,
                      const char *format, GPtrArray *argv);
