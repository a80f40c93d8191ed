/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "op/act.h"
#include "op/clone.h"
#include "op/facts.h"
#include "op/template.h"
#include "plan/fork.h"

/**
 * struct ExmForked - What a fork has cost
 * @pause_us:     microseconds in which the guest did not run
 * @child_us:     microseconds from its last instruction until its first child ran; 0 where none does
 * @devices_size: bytes of device state
 * @written:      bytes of memory that were written
 * @children:     how many run
 */
typedef struct {
	uint64_t pause_us;
	uint64_t child_us;
	uint64_t devices_size;
	uint64_t written;
	guint children;
} ExmForked;

/**
 * struct ExmForkAudience - Who is told how far a fork is
 * @cloned:   of each child that runs
 * @progress: of memory that is written
 */
typedef struct {
	ExmCloned cloned;
	ExmProgress progress;
} ExmForkAudience;

/**
 * struct ExmForkPrepared - A fork, decided upon
 * @plan:     all that it will do
 * @children: of ExmPlan, one for each request of @plan
 * @facts:    what it was decided on
 */
typedef struct {
	ExmForkPlan *plan;
	GPtrArray *children;
	ExmForkFacts *facts;
} ExmForkPrepared;

ExmForkPrepared *exm_op_fork_prepare(const ExmForkRequest *request, const char *guest,
                                     const ExmCloneOrder *order, const ExmSources *sources,
                                     GError **error);
void exm_fork_prepared_free(ExmForkPrepared *prepared);
bool exm_op_fork(const ExmForkPrepared *prepared, const char *state_directory,
                 const ExmCloneOrder *order, const ExmForkAudience *audience, ExmForked *ret_forked,
                 GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmForkPrepared, exm_fork_prepared_free)
