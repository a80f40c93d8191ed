/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

char **exm_rehearsal_words(const char *const *command, GError **error);
