/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A terminal that hands on each key as it is, and gets its modes back however that ends. */
typedef struct ExmTerminal ExmTerminal;

bool exm_terminal_is_one(int fd);
ExmTerminal *exm_terminal_new(int fd, GError **error);
void exm_terminal_free(ExmTerminal *terminal);
int exm_terminal_signal_fd(const ExmTerminal *terminal);
int exm_terminal_take_signal(ExmTerminal *terminal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmTerminal, exm_terminal_free)
