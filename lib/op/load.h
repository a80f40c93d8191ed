/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/qmp.h"
#include "op/act.h"
#include "plan/plan.h"
#include "plan/vm.h"

/**
 * struct ExmExpectant - A child that was started and waits for its device state
 * @qmp:    the conversation with it
 * @writer: where the state is to be written, or -1
 */
typedef struct {
	ExmQmp *qmp;
	int writer;
} ExmExpectant;

bool exm_load_read(const ExmTemplate *template, char **ret_state, size_t *ret_length, GError **error);
bool exm_load(const ExmPlan *plan, int timeout_ms, GError **error);
bool exm_load_start(const ExmPlan *plan, ExmWarn warn, GError **error);
bool exm_load_expect(const ExmVm *vm, int timeout_ms, ExmExpectant *ret_child, GError **error);
bool exm_load_pour(ExmExpectant *child, const char *state, size_t length, GError **error);
bool exm_load_resume(ExmExpectant *child, uint64_t *ret_time, GError **error);
bool exm_load_state(const ExmVm *vm, const char *state, size_t length, bool run, GError **error);
bool exm_load_complete(const ExmVm *vm, const char *then);
void exm_expectant_clear(ExmExpectant *child);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ExmExpectant, exm_expectant_clear)
