/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "host/conversation.h"
#include "op/freeze.h"
#include "op/migrate.h"

/**
 * struct ExmMoving - A migration under way; private to its deeds
 * @order:    how the destination is reached, and who is told
 * @token:    what it has to find
 * @process:  of the guest's QEMU
 * @peer:     the destination, or NULL
 * @moved:    what it has cost so far
 */
struct ExmMoving {
	const ExmMigrateOrder *order;
	const char *token;
	int process;
	ExmConversation *peer;
	ExmMoved *moved;
};

const ExmDeed *exm_migrate_deed(ExmStepKind kind);
void exm_migrate_finish(const ExmFreeze *freeze, guint begun);
