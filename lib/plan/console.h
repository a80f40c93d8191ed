/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

bool exm_detach_key_parse(const char *text, char *ret_key, GError **error);
char *exm_detach_key_name(char key);
GString *exm_console_scrollback(const char *log, size_t length, bool whole);
