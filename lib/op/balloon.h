/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/sample.h"

/**
 * struct ExmBallooned - What a balloon did
 * @memory: the guest's main memory, in bytes
 * @before: what it left before
 * @target: what it was told to leave
 * @after:  what it leaves now
 * @freed:  by how much the memory that the guest holds shrank
 * @guest:  what the guest told of its memory before
 * @reporting: the guest gives back what it frees (free-page-reporting)
 */
typedef struct {
	uint64_t memory;
	uint64_t before;
	uint64_t target;
	uint64_t after;
	int64_t freed;
	ExmGuestSample guest;
	bool reporting;
} ExmBallooned;

bool exm_op_balloon(const char *state_directory, const char *name, const char *word, int timeout_ms,
                    ExmBallooned *ret_result, GError **error);
