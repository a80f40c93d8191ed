/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define EXM_KIB (UINT64_C(1) << 10)
#define EXM_MIB (UINT64_C(1) << 20)
#define EXM_GIB (UINT64_C(1) << 30)
#define EXM_TIB (UINT64_C(1) << 40)

bool exm_size_parse(const char *text, uint64_t unit, uint64_t *ret_bytes, GError **error);
char *exm_size_print(uint64_t bytes);
char *exm_size_human(uint64_t bytes);
bool exm_size_align_up(uint64_t bytes, uint64_t align, uint64_t *ret_bytes);
