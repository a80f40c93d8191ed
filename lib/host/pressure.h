/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plan/sample.h"

bool exm_pressure_read(const char *group, ExmSample *sample, GError **error);
bool exm_process_read(pid_t pid, ExmGuestSample *guest);
