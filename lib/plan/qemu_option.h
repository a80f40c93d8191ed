/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/**
 * struct ExmQemuOption - An option of qemu-system-*
 * @name:           without dashes
 * @takes_argument: whether the next word of the command line belongs to it
 * @alias_of:       the name under which exomem looks for it, or NULL for its own
 */
typedef struct {
	const char *name;
	bool takes_argument;
	const char *alias_of;
} ExmQemuOption;

const ExmQemuOption *exm_qemu_options(size_t *ret_count);
const ExmQemuOption *exm_qemu_option_find(const char *word);
const char *exm_qemu_option_canonical(const ExmQemuOption *option);
const char *exm_qemu_option_nearest(const char *word);
