/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/freeze.h"
#include "plan/operation.h"
#include "plan/vm.h"

bool exm_operation_begin(ExmFreeze *freeze, GError **error);
bool exm_operation_note(const ExmFreeze *freeze, guint begun, GError **error);
guint exm_operation_begun(const ExmFreeze *freeze);
void exm_operation_end(ExmFreeze *freeze);
int exm_operation_open(int folder);
bool exm_operation_is_interrupted(const ExmVm *vm);
ExmOperation *exm_operation_read(int fd);
