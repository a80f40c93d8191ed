/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

bool exm_hole_guard_install(GError **error);
bool exm_huge_page_guard_install(GError **error);
