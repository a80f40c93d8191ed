/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "op/act.h"
#include "op/facts.h"
#include "plan/clone.h"
#include "plan/template_check.h"

/**
 * struct ExmCloneOrder - How children are made
 * @directory:      of the template
 * @disk_directory: where their overlays go, or NULL for the template's directory
 * @trust:          SHA-256 of a manifest that another user may have written; NULL for none
 * @jobs:           how many are started at a time
 * @timeout_ms:     for all of them; -1 for no end
 * @all_or_none:    where one fails, the others are taken down
 * @attach:         stay until they have ended
 * @any:            with @attach: until the first has ended
 * @warm:           so many children are left waiting for whoever takes them
 * @prefetch:       read what was recorded of the template before them
 * @take_waiting:   take children that wait, before others are started
 */
typedef struct {
	const char *directory;
	const char *disk_directory;
	const char *trust;
	unsigned int jobs;
	int timeout_ms;
	bool all_or_none;
	bool attach;
	bool any;
	unsigned int warm;
	bool prefetch;
	bool take_waiting;
} ExmCloneOrder;

/**
 * typedef ExmCloned - Tell the user that a child runs
 * @name: the child's
 */
typedef void (*ExmCloned)(const char *name);

/**
 * typedef ExmPlanned - Show a plan
 * @plan: it
 */
typedef void (*ExmPlanned)(const ExmPlan *plan);

bool exm_op_plan_clone(const ExmCloneRequest *request, const ExmCloneOrder *order,
                       const ExmSources *sources, ExmPlanned show, ExmWarn warn, GError **error);
bool exm_op_clone(const ExmCloneRequest *request, const ExmCloneOrder *order,
                  const ExmSources *sources, ExmWarn warn, ExmCloned cloned, GError **error);
