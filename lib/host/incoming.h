/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "plan/vm.h"

/* What a guest does when it has its state. */
#define EXM_INCOMING_RESUMES "resumes"
#define EXM_INCOMING_RESTS   "paused"

bool exm_incoming_note(const char *directory, pid_t leader, const char *then, GError **error);
bool exm_incoming_is_abandoned(int directory);
const char *exm_incoming_then(int directory);
void exm_incoming_leave(const ExmVm *vm);
