/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmem_claim.c - The claims of a start: made, confirmed when the guest runs, given up where it does not */

#include "op/pmem_claim.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"
#include "host/child_process.h"
#include "host/claim_store.h"
#include "host/control.h"
#include "host/lock.h"
#include "host/scrub.h"
#include "host/state_root.h"
#include "op/pmem.h"

/* QEMU answers when its machine is made; touching all of a large memory may take minutes. */
#define START_PATIENCE_MS (15 * 60 * 1000)

/* How long the locks of a QEMU may last that has just ended. */
#define LOCK_PATIENCE_US 2000000

/* The state directory may have been made since the start was planned. */
static void set_state_id(const ExmPlan *plan, ExmClaim *claim)
{
	g_autofree char *state_directory = g_path_get_dirname(plan->directory);

	g_free(claim->state_id);
	claim->state_id = exm_state_root_id(state_directory);
}

/**
 * exm_pmem_claim_make() - Remember that a namespace is for a guest that is being started
 * @plan:  of the start
 * @claim: one of its claims; the lock of the namespace's device is ours
 * @error: STATE where the namespace was claimed since the start was planned; SYSTEM; NO_ROOM
 *
 * Until exm_pmem_claims_confirm() the claim names the start that made it, and who finds the
 * namespace unlocked and zero may have it. What the guest had before is its own as it was.
 */
bool exm_pmem_claim_make(const ExmPlan *plan, const ExmPlanClaim *claim, GError **error)
{
	const char *directory = plan->claims_directory;
	g_autoptr(ExmClaim) now = NULL;

	if (!exm_claim_store_read(directory, claim->claim->uuid, &now, error))
		return false;
	if (claim->scrub ? !now || !exm_claim_is_clean(now) : !exm_claim_same(claim->seen, now))
		return exm_throw(error, EXM_ERROR_STATE, "namespace '%s' has just been claimed",
		                 claim->claim->namespace);
	if (claim->own)
		return true;
	set_state_id(plan, claim->claim);
	if (exm_claim_store_write(directory, claim->claim, error))
		return true;
	exm_pmem_claim_undo(plan, claim);
	return false;
}

/**
 * exm_pmem_claim_undo() - Forget a claim of a start in which no QEMU was started
 * @plan:  of the start
 * @claim: one of its claims; the lock of the namespace's device is ours
 *
 * The namespace is as clean as it was given to the guest.
 */
void exm_pmem_claim_undo(const ExmPlan *plan, const ExmPlanClaim *claim)
{
	g_autoptr(GError) reason = NULL;

	if (!claim->own && !exm_op_pmem_set_clean(claim->namespace, plan->claims_directory, &reason))
		exm_trace("pmem", "%s", reason->message);
}

static ExmClaim *copy(const ExmClaim *claim)
{
	g_autoptr(ExmJson) json = exm_claim_to_json(claim);

	return exm_claim_from_json(json, NULL);
}

static bool confirm(const ExmPlan *plan, const ExmPlanClaim *claim, GError **error)
{
	g_autoptr(ExmClaim) expected = copy(claim->own ? claim->seen : claim->claim);
	g_autoptr(ExmClaim) last = copy(claim->claim);
	bool replaced;

	set_state_id(plan, last);
	if (!claim->own)
		set_state_id(plan, expected);
	g_free(g_steal_pointer(&last->start));
	return exm_claim_store_replace(plan->claims_directory, expected, last, &replaced, error);
}

/**
 * exm_pmem_claims_confirm() - Make the claims of a start last, since its guest runs
 * @plan: of the start
 *
 * One that cannot be written stays as it is: then only a namespace that the guest never wrote to is
 * given to somebody else when the guest has ended.
 */
void exm_pmem_claims_confirm(const ExmPlan *plan)
{
	for (guint i = 0; i < plan->claims->len; i++) {
		g_autoptr(GError) reason = NULL;

		if (!confirm(plan, plan->claims->pdata[i], &reason))
			exm_trace("pmem", "%s", reason->message);
	}
}

/* What the process that confirms claims is given: the start that it watches. */
typedef struct {
	const ExmPlan *plan;
} Watch;

static void wait_and_confirm(void *user)
{
	const ExmPlan *plan = ((const Watch *)user)->plan;
	const ExmVm vm = { .name = plan->name, .directory = plan->directory };
	g_autofree char *status = exm_control_status(&vm, START_PATIENCE_MS, NULL);

	if (status)
		exm_pmem_claims_confirm(plan);
}

/**
 * exm_pmem_claims_confirm_later() - Have claims confirmed by a process that watches QEMU begin
 * @plan:  of the start; this process is about to become its QEMU
 * @error: SYSTEM
 */
bool exm_pmem_claims_confirm_later(const ExmPlan *plan, GError **error)
{
	static const int no_fds[] = { -1 };
	Watch watch = { plan };
	const ExmChildProcess process = {
		.work = wait_and_confirm,
		.user = &watch,
		.name = "exomem-claim",
		.kept_fds = no_fds,
		.daemon = true,
	};

	return exm_child_process_start_orphan(&process, NULL, error);
}

static bool abandon(const ExmPlan *plan, const ExmPlanClaim *claim, GError **error)
{
	const char *directory = plan->claims_directory;
	g_autoptr(ExmClaim) now = NULL;
	exm_autofd int fd = -1;
	bool taken;

	if (!exm_scrub_open(claim->namespace->path, &fd, error) ||
	    !exm_lock_wait(fd, false, LOCK_PATIENCE_US, &taken, error))
		return false;
	/* Somebody else has got it meanwhile, and has looked whether it is zero. */
	if (!taken)
		return true;
	if (!exm_claim_store_read(directory, claim->claim->uuid, &now, error))
		return false;
	return !now || g_strcmp0(now->start, claim->claim->start) != 0 ||
	       exm_op_pmem_drop_unused(fd, claim->namespace, now, directory, error);
}

/**
 * exm_pmem_claims_abandon() - Give up the claims of a start whose QEMU has ended before it answered
 * @plan: of the start
 *
 * What the guest had before stays, and so does what is not zero: then the guest has run after all.
 */
void exm_pmem_claims_abandon(const ExmPlan *plan)
{
	for (guint i = 0; i < plan->claims->len; i++) {
		const ExmPlanClaim *claim = plan->claims->pdata[i];
		g_autoptr(GError) reason = NULL;

		if (!claim->own && !abandon(plan, claim, &reason))
			exm_trace("pmem", "%s", reason->message);
	}
}
