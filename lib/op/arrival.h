/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/facts.h"
#include "op/load.h"
#include "plan/mount.h"
#include "plan/receive.h"

/* A guest of another host on its way to this one; private to receive. */
typedef struct ExmArrival ExmArrival;

ExmArrival *exm_arrival_new(ExmTemplate *handover, const ExmReceiveRequest *request,
                            const ExmSources *sources, GError **error);
void exm_arrival_free(ExmArrival *arrival);
const ExmTemplate *exm_arrival_guest(const ExmArrival *arrival);
char **exm_arrival_warnings(const ExmArrival *arrival);
void exm_arrival_settle(ExmArrival *arrival, ExmTemplate *handover);
bool exm_arrival_check_state(const ExmArrival *arrival, bool trust, GError **error);
bool exm_arrival_check(ExmArrival *arrival, ExmMountUse use, GError **error);
bool exm_arrival_set_up_rehearsal(ExmArrival *arrival, GError **error);
bool exm_arrival_rehearse(ExmArrival *arrival, const char *state, size_t length, GError **error);
bool exm_arrival_prepare(ExmArrival *arrival, GError **error);
bool exm_arrival_is_ready(const ExmArrival *arrival, GError **error);
bool exm_arrival_take_over(ExmArrival *arrival, const char *state, size_t length, GError **error);
bool exm_arrival_lead(const ExmVm *vm, int *ret_lead);
bool exm_arrival_lives(const ExmArrival *arrival);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmArrival, exm_arrival_free)
