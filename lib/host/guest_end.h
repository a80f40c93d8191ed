/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/end.h"

char *exm_guest_end_line(int directory, int64_t patience_us);
char *exm_guest_end_memory(int directory);
void exm_guest_end_announce(const char *directory, const char *why);
char *exm_guest_end_announced(int directory);
bool exm_guest_end_write(int directory, const ExmEnd *end);
ExmEnd *exm_guest_end_read(int directory);
void exm_guest_end_wait(int directory, int64_t patience_us);
