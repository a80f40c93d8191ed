/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "plan/host.h"

char **exm_hostinfo_cpu_flags(void);
ExmHost *exm_hostinfo_read(GError **error);
uint64_t exm_hostinfo_memory_left(void);
