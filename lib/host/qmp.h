/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

/* A conversation over QMP, the JSON protocol of QEMU's monitor (docs/interop/qmp-spec.rst). */
typedef struct ExmQmp ExmQmp;

ExmQmp *exm_qmp_new(int fd, int deadline_ms, ExmJson **ret_greeting, GError **error);
ExmQmp *exm_qmp_begin(int fd, int deadline_ms, GError **error);
void exm_qmp_free(ExmQmp *qmp);
void exm_qmp_set_deadline(ExmQmp *qmp, int deadline_ms);
ExmJson *exm_qmp_execute(ExmQmp *qmp, const char *command, ExmJson *arguments, GError **error);
bool exm_qmp_send(ExmQmp *qmp, const char *command, ExmJson *arguments, int fd, GError **error);
bool exm_qmp_has_hung_up(const ExmQmp *qmp);
bool exm_qmp_settle(ExmQmp *qmp, GError **error);
ExmJson *exm_qmp_take_event(ExmQmp *qmp);
ExmJson *exm_qmp_next_event(ExmQmp *qmp, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmQmp, exm_qmp_free)
