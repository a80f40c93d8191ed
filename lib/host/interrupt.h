/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_interrupt_open(int *ret_fd, GError **error);
bool exm_interrupt_wait(int fd, int timeout_ms);
