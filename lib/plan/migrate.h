/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/save.h"

/* Ends the name of a directory that holds the state of a guest on its way to another host. */
#define EXM_HANDOVER_SUFFIX ".handover"

/**
 * struct ExmMigrateRequest - What the user of `exomem migrate` said, checked for form
 * @freeze:    how the state is written down; its directory is NULL where it goes beside the memory
 * @destination: the host that is spoken with; NULL where the state is only left in the directory
 * @prefetch:  which pages it has touched is written down, for the destination to read them first
 * @rehearse:  it is tried out there before the guest is given up
 */
typedef struct {
	ExmSaveRequest freeze;
	char *destination;
	bool prefetch;
	bool rehearse;
} ExmMigrateRequest;

void exm_migrate_request_free(ExmMigrateRequest *request);
char *exm_handover_directory(const ExmVm *vm, GError **error);
ExmSavePlan *exm_migrate_plan(const ExmMigrateRequest *request, const ExmSaveFacts *facts,
                              GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMigrateRequest, exm_migrate_request_free)
