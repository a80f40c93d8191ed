/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

char **exm_reach_find(const char *const *command);
