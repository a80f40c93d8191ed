/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_trust_check(const char *text, GError **error);
void exm_trust_ask(const char *directory, char **trust);
