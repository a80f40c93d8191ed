/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "plan/qemu_line.h"

char *exm_io_uring_find(const ExmQemuLine *line);
