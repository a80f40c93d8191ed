/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/vm.h"

bool exm_reclaim(const ExmVm *vm, uint64_t bytes, uint64_t *ret_freed, GError **error);
bool exm_reclaim_group(const ExmVm *vm, uint64_t bytes, bool *ret_there, uint64_t *ret_freed,
                       GError **error);
