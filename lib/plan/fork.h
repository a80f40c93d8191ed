/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/clone.h"
#include "plan/host.h"
#include "plan/run.h"
#include "plan/save.h"

/**
 * struct ExmForkRequest - What the user of `exomem fork` said, checked for form
 * @freeze: the template; where it is not kept, a directory for as long as the children start
 * @clone:  the children
 * @keep:   the template stays
 */
typedef struct {
	ExmSaveRequest freeze;
	ExmCloneRequest clone;
	bool keep;
} ExmForkRequest;

/**
 * struct ExmForkFacts - What the plan of a fork has to know
 * @freeze:  of the guest
 * @host:    of this host
 * @place:   where the children's memory files will be
 * @device:  number of that one's file system
 * @reflink: files there can share blocks
 * @guests:  of ExmVm, those that live
 */
typedef struct {
	ExmSaveFacts *freeze;
	ExmHost *host;
	ExmPlace *place;
	uint64_t device;
	bool reflink;
	GPtrArray *guests;
} ExmForkFacts;

/**
 * enum ExmForkWay - How a guest lives on beside its children
 * @EXM_FORK_REFLINK: they map a file that shares blocks with its own
 * @EXM_FORK_WRITE:   its memory is private; it is written into a file that they map
 * @EXM_FORK_SUCCEED: they map its own file, and one of them takes its place
 */
typedef enum {
	EXM_FORK_REFLINK,
	EXM_FORK_WRITE,
	EXM_FORK_SUCCEED,
} ExmForkWay;

/**
 * struct ExmForkPlan - All that a fork will do
 * @way:         how the guest lives on
 * @keep:        the template stays
 * @paused:      the children do not run until they are told to
 * @freeze:      how the guest is frozen; its steps are those of the fork
 * @inheritance: what children have from the process that forks
 * @children:    of ExmRunRequest, with the one that takes the guest's place at the end
 * @files:       of ExmFileFacts, the memory files as children will find them
 * @overlays:    files that the guest writes from then on, one for each disk; NULL-terminated
 * @losses:      of char *, what the guest loses
 */
typedef struct {
	ExmForkWay way;
	bool keep;
	bool paused;
	ExmSavePlan *freeze;
	ExmInheritance inheritance;
	GPtrArray *children;
	GPtrArray *files;
	GPtrArray *overlays;
	GPtrArray *losses;
} ExmForkPlan;

ExmForkFacts *exm_fork_facts_new(void);
void exm_fork_facts_free(ExmForkFacts *facts);
ExmForkPlan *exm_fork_plan(const ExmForkRequest *request, const ExmForkFacts *facts, GError **error);
void exm_fork_plan_free(ExmForkPlan *plan);
const ExmRunRequest *exm_fork_heir(const ExmForkPlan *plan);
ExmJson *exm_fork_plan_to_json(const ExmForkPlan *plan);
char *exm_fork_plan_to_text(const ExmForkPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmForkFacts, exm_fork_facts_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmForkPlan, exm_fork_plan_free)
