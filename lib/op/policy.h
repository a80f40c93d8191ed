/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/balance.h"

/**
 * typedef ExmDecisionSink - Called for each decision of a round
 * @round:    number of the round, from 1 on
 * @decision: the decision (borrowed)
 * @freed:    bytes that acting on it has freed, where that is known at once
 * @problem:  what kept it from being acted on, or NULL
 */
typedef void (*ExmDecisionSink)(uint64_t round, const ExmDecision *decision, uint64_t freed,
                                const char *problem);

char *exm_op_policy_text(const char *word, GError **error);
ExmPolicy *exm_op_policy_load(const char *word, GError **error);
bool exm_op_replay(const char *path, const ExmPolicy *policy, ExmDecisionSink sink, GError **error);
