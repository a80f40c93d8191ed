/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "plan/vm.h"

bool exm_incoming_note(const char *directory, pid_t leader, GError **error);
bool exm_incoming_is_abandoned(int directory);
void exm_incoming_leave(const ExmVm *vm);
