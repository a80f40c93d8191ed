/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/vm.h"

bool exm_waiting_offer(const char *path, const char *shape, GError **error);
bool exm_waiting_has(const ExmVm *vm, const char *shape);
int exm_waiting_take(const ExmVm *vm, const char *shape);
void exm_waiting_leave(const ExmVm *vm);
