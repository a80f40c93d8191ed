/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/fork.h"
#include "op/freeze.h"
#include "op/load.h"

/**
 * struct ExmForking - A fork under way; private to its deeds
 * @plan:       what is done
 * @children:   of ExmPlan; the one that takes the guest's place is the last
 * @order:      how children are made
 * @paused:     they do not run until they are told to
 * @cloned:     called for each that runs
 * @forked:     what it has cost so far
 * @first:      the first child, while it waits
 * @heir:       the one that takes the guest's place, while it waits
 * @failure:    why a child does not run, where others do
 */
struct ExmForking {
	const ExmForkPlan *plan;
	const GPtrArray *children;
	const ExmCloneOrder *order;
	bool paused;
	ExmCloned cloned;
	ExmForked *forked;
	ExmExpectant first;
	ExmExpectant heir;
	GError *failure;
};

const ExmDeed *exm_fork_deed(ExmStepKind kind);
bool exm_fork_is_done(const ExmFreeze *freeze, guint begun);
bool exm_fork_finish(const ExmFreeze *freeze, guint begun);
