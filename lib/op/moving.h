/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host/conversation.h"
#include "op/freeze.h"
#include "op/migrate.h"

/**
 * struct ExmMoving - A migration under way; private to its deeds
 * @order:    how the destination is reached, and who is told
 * @token:    what it has to find
 * @process:  of the guest's QEMU
 * @leader:   the process that was started for the migration, which another one watches
 * @has_left: the state has its place, and the guest never runs here again
 * @is_taken: the destination has said that the guest runs there
 * @has_ended: and then that it has ended
 * @peer:     the destination, or NULL
 * @moved:    what it has cost so far
 */
struct ExmMoving {
	const ExmMigrateOrder *order;
	const char *token;
	int process;
	pid_t leader;
	bool has_left;
	bool is_taken;
	bool has_ended;
	ExmConversation *peer;
	ExmMoved *moved;
};

const ExmDeed *exm_migrate_deed(ExmStepKind kind);
char *exm_migrate_way_out(const ExmSavePlan *plan, const ExmMoving *move);
bool exm_migrate_finish(const ExmFreeze *freeze, guint begun);
