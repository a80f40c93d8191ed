/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "op/act.h"
#include "op/template.h"
#include "plan/save.h"

/**
 * struct ExmSaved - What a save has cost
 * @running:      the guest ran until then
 * @pause_us:     microseconds from its last instruction to the last byte of its device state
 * @devices_size: bytes of device state
 * @whole:        its memory was written out
 * @written:      bytes of memory that were written
 */
typedef struct {
	bool running;
	uint64_t pause_us;
	uint64_t devices_size;
	bool whole;
	uint64_t written;
} ExmSaved;

ExmSaveFacts *exm_save_facts_read(const ExmSaveRequest *request, const char *guest,
                                  const char *state_directory, const ExmSources *sources,
                                  GError **error);
bool exm_op_save(const ExmSavePlan *plan, const char *state_directory, ExmWarn warn,
                 ExmProgress progress, ExmSaved *ret_saved, GError **error);
