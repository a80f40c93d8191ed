/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

void exm_interrupt_defer(void);
bool exm_interrupt_came(void);
void exm_interrupt_raise(void);
bool exm_interrupt_open(int *ret_fd, GError **error);
bool exm_interrupt_wait(int fd, int timeout_ms);
