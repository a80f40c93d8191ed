/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/qmp.h"

uint64_t exm_qmp_event_time(ExmJson *event);
bool exm_qmp_wait_event(ExmQmp *qmp, const char *name, uint64_t *ret_time, GError **error);
bool exm_qmp_migration_prepare(ExmQmp *qmp, GError **error);
bool exm_qmp_migration_wait(ExmQmp *qmp, GError **error);
bool exm_qmp_migration_throw(ExmQmp *qmp, GError **error);
bool exm_qmp_migration_expect(ExmQmp *qmp, int *ret_writer, GError **error);
bool exm_qmp_migration_pour(int writer, const char *state, size_t length, GError **error);
bool exm_qmp_migration_load(ExmQmp *qmp, const char *state, size_t length, GError **error);
bool exm_qmp_migration_start(ExmQmp *qmp, bool stop, int *ret_reader, GError **error);
