/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - Boot a guest: facts, plan, steps */

#include "op/run.h"

#include "base/error.h"
#include "base/trace.h"

/**
 * exm_op_plan_run() - Plan a run and stop there
 * @request: what the user said
 * @sources: where facts are to be had
 * @error:   any code; nothing was done
 *
 * Return: the plan (transfer full), or NULL.
 */
ExmPlan *exm_op_plan_run(const ExmRunRequest *request, const ExmSources *sources, GError **error)
{
	g_autoptr(ExmRunFacts) facts = exm_facts_for_run(request, sources, error);

	return facts ? exm_run_plan(request, facts, error) : NULL;
}

/**
 * exm_op_run() - Boot a guest in the foreground: this process becomes QEMU
 * @request: what the user said
 * @sources: where facts are to be had
 * @warn:    called for each warning, right before QEMU takes over
 * @error:   any code; whatever was done is undone
 *
 * Where a file system turns out to have less room than it said (a quota), it is planned once more
 * with what was learned, so that a fallback happens in one place: the plan.
 *
 * Return: false; on success there is no return.
 */
bool exm_op_run(const ExmRunRequest *request, const ExmSources *sources, ExmWarn warn, GError **error)
{
	g_autoptr(ExmRunFacts) facts = exm_facts_for_run(request, sources, error);
	g_autoptr(ExmPlan) plan = facts ? exm_run_plan(request, facts, error) : NULL;
	g_autoptr(ExmPlan) second = NULL;
	g_autoptr(GError) full = NULL;

	if (!plan || exm_act(plan, request->state_directory, warn, &full))
		return false;
	if (facts->place && facts->place->free &&
	    g_error_matches(full, EXM_ERROR, EXM_ERROR_NO_ROOM)) {
		exm_trace("act", "no room after all: %s", full->message);
		facts->place->free = 0;
		second = exm_run_plan(request, facts, NULL);
	}
	if (second)
		return exm_act(second, request->state_directory, warn, error);
	g_propagate_error(error, g_steal_pointer(&full));
	return false;
}
