/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "host/qmp.h"

bool exm_qmp_wait_event(ExmQmp *qmp, const char *name, GError **error);
bool exm_qmp_migration_prepare(ExmQmp *qmp, GError **error);
bool exm_qmp_migration_wait(ExmQmp *qmp, GError **error);
bool exm_qmp_migration_throw(ExmQmp *qmp, GError **error);
bool exm_qmp_migration_load(ExmQmp *qmp, const char *state, size_t length, GError **error);
bool exm_qmp_migration_start(ExmQmp *qmp, bool stop, int *ret_reader, GError **error);
