/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

bool exm_budget_enter(const char *guest, uint64_t bytes, const char *record, GError **error);
void exm_budget_leave(const char *record);
void exm_budget_remove(const char *record);
char *exm_budget_events(pid_t process);
char *exm_budget_own_events(int record);
bool exm_budget_kills(int events, uint64_t *ret_kills);
char *exm_budget_describe(const char *events);
