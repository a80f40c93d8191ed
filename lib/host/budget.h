/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

bool exm_budget_enter(const char *guest, uint64_t bytes, const char *record, GError **error);
void exm_budget_leave(const char *record);
void exm_budget_remove(const char *record);
