/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/sample.h"

bool exm_balloon_target(const char *word, uint64_t actual, uint64_t memory, uint64_t *ret_target,
                        GError **error);
char *exm_balloon_find(ExmJson *list, const char *parent);
void exm_balloon_read_statistics(ExmJson *answer, uint64_t now, ExmGuestSample *guest);
