/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "command.h"

void exm_help_program(void);
void exm_help_command(const ExmCommand *command);
