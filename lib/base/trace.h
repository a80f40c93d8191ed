/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

void exm_trace_enable(const char *topics);
void exm_trace(const char *topic, const char *format, ...) G_GNUC_PRINTF(2, 3);
