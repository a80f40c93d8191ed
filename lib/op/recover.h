/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "op/act.h"

void exm_op_recover(const char *state_directory, ExmWarn warn);
