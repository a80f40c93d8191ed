/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct ExmKsm - How the kernel looks for equal pages
 * @run:  it does (1), does not (0), or takes merged pages apart (2)
 * @pages: so many at a time
 * @rest:  milliseconds between
 */
typedef struct {
	uint64_t run;
	uint64_t pages;
	uint64_t rest;
} ExmKsm;

bool exm_ksm_read(ExmKsm *ret_ksm);
bool exm_ksm_write(const ExmKsm *ksm, GError **error);
