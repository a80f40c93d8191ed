/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/vm.h"

bool exm_lost_note(const ExmVm *vm, GError **error);
ExmVm *exm_lost_read(int root, const char *name, const char *directory);
GPtrArray *exm_lost_list(const char *state_directory);
ExmVm *exm_lost_find(const char *state_directory, const char *name);
