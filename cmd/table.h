/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

GPtrArray *exm_table_new(void);
void exm_table_add(GPtrArray *table, ...) G_GNUC_NULL_TERMINATED;
void exm_table_print(const GPtrArray *table);
