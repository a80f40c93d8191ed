/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/vm.h"

bool exm_pool_join(const char *path, const char *shape, GError **error);
bool exm_pool_has(const ExmVm *vm, const char *shape);
int exm_pool_take(const ExmVm *vm, const char *shape);
void exm_pool_leave(const ExmVm *vm);
