/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/qemu_keys.h"
#include "plan/qemu_line.h"

/**
 * struct ExmQemuArgument - An option that names things of the host, and its argument
 * @name:   of the option, canonical
 * @family: "chardev" for each option whose argument is written as one; else the name
 * @driver: of which kind it is: "tap"; "" where the option has no kinds
 * @keys:   of ExmQemuKey
 */
typedef struct {
	const char *name;
	const char *family;
	const char *driver;
	GPtrArray *keys;
} ExmQemuArgument;

bool exm_qemu_argument_read(const ExmQemuWord *word, ExmQemuArgument *ret_argument);
void exm_qemu_argument_clear(ExmQemuArgument *argument);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ExmQemuArgument, exm_qemu_argument_clear)
