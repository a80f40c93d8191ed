/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - Boot a guest: facts, plan, steps */

#include "op/run.h"

#include "base/error.h"
#include "base/trace.h"
#include "op/detach.h"

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

static bool perform(const ExmRunRequest *request, const ExmPlan *plan, ExmWarn warn, GError **error)
{
	const char *state = request->state_directory;

	return plan->detach ? exm_detach(plan, state, 0, warn, NULL, error)
	                    : exm_act(plan, state, 0, warn, error);
}

static bool chose_the_same(const ExmPlan *one, const ExmPlan *two)
{
	if (one->claims->len != two->claims->len)
		return false;
	for (guint i = 0; i < one->claims->len; i++)
		if (!g_str_equal(((const ExmPlanClaim *)one->claims->pdata[i])->claim->uuid,
		                 ((const ExmPlanClaim *)two->claims->pdata[i])->claim->uuid))
			return false;
	return true;
}

/*
 * Somebody may take a namespace between our look and our lock. Then we look again, as long as
 * that leads to another choice: each time at least one has got what it wanted.
 */
static bool perform_anew(const ExmRunRequest *request, const ExmSources *sources,
                         const ExmPlan *first, ExmWarn warn, char **ret_name, GError **error)
{
	g_autoptr(ExmRunFacts) facts = NULL;
	g_autoptr(ExmPlan) plan = NULL;
	const ExmPlan *last = first;

	while (!perform(request, last, warn, error)) {
		g_autoptr(ExmRunFacts) next_facts = NULL;
		g_autoptr(ExmPlan) next = NULL;
		g_autoptr(GError) reason = NULL;

		if (last->claims->len == 0 || !g_error_matches(*error, EXM_ERROR, EXM_ERROR_STATE))
			return false;
		next_facts = exm_facts_for_run(request, sources, &reason);
		next = next_facts ? exm_run_plan(request, next_facts, &reason) : NULL;
		if (next && chose_the_same(last, next))
			return false;
		g_clear_error(error);
		if (!next) {
			g_propagate_error(error, g_steal_pointer(&reason));
			return false;
		}
		/* The plan borrows from its facts. */
		exm_plan_free(plan);
		exm_run_facts_free(facts);
		facts = g_steal_pointer(&next_facts);
		plan = g_steal_pointer(&next);
		last = plan;
	}
	*ret_name = g_strdup(last->name);
	return true;
}

/**
 * exm_op_run() - Boot a guest
 * @request:  what the user said
 * @sources:  where facts are to be had
 * @warn:     called for each warning, when nothing can go wrong any more
 * @ret_name: name of a detached guest that runs now (transfer full)
 * @error:    any code; whatever was done is undone
 *
 * In the foreground there is no return on success: this process has become QEMU.
 *
 * Where a file system turns out to have less room than it said (a quota), it is planned once more
 * with what was learned, so that a fallback happens in one place: the plan.
 */
bool exm_op_run(const ExmRunRequest *request, const ExmSources *sources, ExmWarn warn,
                char **ret_name, GError **error)
{
	g_autoptr(ExmRunFacts) facts = exm_facts_for_run(request, sources, error);
	g_autoptr(ExmPlan) plan = facts ? exm_run_plan(request, facts, error) : NULL;
	g_autoptr(GError) full = NULL;

	if (!plan)
		return false;
	if (!perform_anew(request, sources, plan, warn, ret_name, &full)) {
		g_autoptr(ExmPlan) second = NULL;

		if (facts->place && facts->place->free &&
		    g_error_matches(full, EXM_ERROR, EXM_ERROR_NO_ROOM)) {
			exm_trace("act", "no room after all: %s", full->message);
			facts->place->free = 0;
			second = exm_run_plan(request, facts, NULL);
		}
		if (!second) {
			g_propagate_error(error, g_steal_pointer(&full));
			return false;
		}
		if (!perform(request, second, warn, error))
			return false;
		*ret_name = g_strdup(second->name);
	}
	return true;
}
