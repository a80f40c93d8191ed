/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/sample.h"
#include "plan/vm.h"

/**
 * struct ExmReclaimed - What pushing pages out did
 * @out:   where they went
 * @group: by the guest's control group
 * @freed: bytes
 */
typedef struct {
	ExmOut out;
	bool group;
	uint64_t freed;
} ExmReclaimed;

bool exm_reclaim_guest(const ExmVm *vm, uint64_t bytes, ExmReclaimed *ret_result, GError **error);
bool exm_op_reclaim(const char *state_directory, const char *name, uint64_t bytes,
                    ExmReclaimed *ret_result, GError **error);
bool exm_guest_is_asleep(const ExmVm *vm);
bool exm_put_to_sleep(const ExmVm *vm, ExmReclaimed *ret_result, GError **error);
bool exm_wake_up(const ExmVm *vm, GError **error);
bool exm_op_sleep(const char *state_directory, const char *name, ExmReclaimed *ret_result,
                  GError **error);
bool exm_op_wake(const char *state_directory, const char *name, GError **error);
