/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/prefetch.h"

/* Files on their way into the page cache. */
typedef struct ExmCacheFill ExmCacheFill;

GArray *exm_page_cache_look(int fd, uint64_t size);
bool exm_page_cache_is_shown(int fd);
ExmCacheFill *exm_cache_fill_start(const int *fds, const GArray *pieces, uint64_t rate, bool slowly);
void exm_cache_fill_hurry(ExmCacheFill *fill);
int exm_cache_fill_ended(const ExmCacheFill *fill);
uint64_t exm_cache_fill_bytes(ExmCacheFill *fill);
bool exm_cache_fill_finish(ExmCacheFill *fill, GError **error);
