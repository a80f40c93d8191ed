/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission.c - Count what guests have of the host, and let one more in where it fits */

#include "op/admission.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/commitments.h"
#include "host/hostinfo.h"
#include "host/place.h"
#include "plan/host.h"

static ExmCapacityFacts *read_facts(const ExmMemoryConfig *config, const ExmCommitmentPlaces *places,
                                    const char *except, GError **error)
{
	g_autoptr(ExmCapacityFacts) facts = exm_capacity_facts_new();
	g_autoptr(ExmHost) host = exm_hostinfo_read(error);
	struct stat info = { 0 };

	if (!host)
		return NULL;
	stat(config->directory, &info);
	facts->store_device = info.st_dev;
	facts->ram_total = host->ram_total;
	return exm_commitments_read(places, except, facts, error) ? g_steal_pointer(&facts) : NULL;
}

static ExmCapacityFacts *recall_facts(ExmJson *recorded, GError **error)
{
	g_autoptr(ExmHost) host = exm_host_from_json(exm_json_member(recorded, "host"), error);
	ExmCapacityFacts *facts = host ? exm_capacity_facts_from_json(
						 exm_json_member(recorded, "capacity"),
						 host->ram_total, error)
	                               : NULL;

	if (facts)
		facts->store_device = exm_json_get_uint(exm_json_member(recorded, "store"), "device");
	return facts;
}

/**
 * exm_op_capacity_read() - What guests have of the host
 * @config:          with file backing on
 * @state_directory: of this command
 * @recorded:        facts that stand in for this machine, or NULL
 * @error:           SYSTEM
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmCapacityFacts *exm_op_capacity_read(const ExmMemoryConfig *config, const char *state_directory,
                                       ExmJson *recorded, GError **error)
{
	const ExmCommitmentPlaces places = { config->host_directory, state_directory };

	return recorded ? recall_facts(recorded, error) : read_facts(config, &places, NULL, error);
}

/* The same as was planned, but with the files as they are. */
static ExmCommitment *commitment_of(const ExmPlan *plan, uint64_t store_device)
{
	ExmCommitment *commitment = exm_commitment_new(plan->name, plan->cow_budget);
	const ExmMemoryUse anonymous = { .size = plan->ram_size };

	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmPlanMemory *memory = plan->memory->pdata[i];
		g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", memory->fd);
		ExmMemoryUse use = {
			.size = memory->size,
			.in_file = memory->path,
			.shared = memory->shared,
		};
		struct stat info;

		if (memory->fd >= 0 && fstat(memory->fd, &info) == 0) {
			use.device = info.st_dev;
			use.inode = info.st_ino;
			use.in_ram = exm_place_is_memory(path);
		}
		exm_commitment_add(commitment, &use, store_device);
	}
	if (plan->memory->len == 0 && plan->ram_size)
		exm_commitment_add(commitment, &anonymous, store_device);
	return commitment;
}

static void note_overcommit(const ExmCommitmentPlaces *places, ExmCommitment *commitment,
                            const GError *reason)
{
	g_autofree char *text = g_strdup_printf("guest '%s': %s", commitment->guest, reason->message);

	commitment->overcommit = g_strdup(reason->message);
	exm_commitments_log(places, text);
}

static bool let_in(const ExmPlan *plan, const ExmCommitmentPlaces *places,
                   const ExmCapacityFacts *facts, ExmCommitment *commitment, const char *directory,
                   GError **error)
{
	g_autoptr(GError) reason = NULL;

	if (!exm_capacity_admit(plan->store, facts, commitment, &reason)) {
		if (!plan->overcommit) {
			g_propagate_error(error, g_steal_pointer(&reason));
			return false;
		}
		note_overcommit(places, commitment, reason);
	}
	return exm_commitments_write(places, directory, commitment, error);
}

/**
 * exm_op_admit() - Let a guest in where it fits, and count it from now on
 * @plan:            of the guest, whose directory is made and whose files are open
 * @state_directory: of this command
 * @error:           NO_ROOM, with the arithmetic
 *
 * One at a time on the whole host. What is written down counts as long as the guest's own lock is
 * held, and needs no undoing.
 */
bool exm_op_admit(const ExmPlan *plan, const char *state_directory, GError **error)
{
	const ExmCommitmentPlaces places = { plan->store->host_directory, state_directory };
	g_autoptr(ExmCapacityFacts) facts = NULL;
	g_autoptr(ExmCommitment) commitment = NULL;
	exm_autofd int lock = -1;

	if (!exm_commitments_lock(&places, &lock, error))
		return false;
	facts = read_facts(plan->store, &places, plan->directory, error);
	if (!facts)
		return false;
	commitment = commitment_of(plan, facts->store_device);
	return let_in(plan, &places, facts, commitment, plan->directory, error);
}

/**
 * exm_op_reserve() - Count a guest that is still to come, where it fits
 * @plan:            of the guest, which is not acted on yet
 * @state_directory: of this command
 * @directory:       claimed by this process, to hold what it takes until exm_op_settle()
 * @error:           NO_ROOM, with the arithmetic
 *
 * It counts as long as this process holds the directory's lock.
 */
bool exm_op_reserve(const ExmPlan *plan, const char *state_directory, const char *directory,
                    GError **error)
{
	const ExmCommitmentPlaces places = { plan->store->host_directory, state_directory };
	g_autoptr(ExmCapacityFacts) facts = NULL;
	exm_autofd int lock = -1;

	if (!exm_commitments_lock(&places, &lock, error))
		return false;
	facts = read_facts(plan->store, &places, NULL, error);
	return facts && let_in(plan, &places, facts, plan->commitment, directory, error);
}

/**
 * exm_op_settle() - Count a guest that has come in place of the directory that stood for it
 * @store:           what is configured
 * @state_directory: of this command
 * @reservation:     that directory
 * @directory:       of the guest
 * @error:           SYSTEM
 */
bool exm_op_settle(const ExmMemoryConfig *store, const char *state_directory,
                   const char *reservation, const char *directory, GError **error)
{
	const ExmCommitmentPlaces places = { store->host_directory, state_directory };
	exm_autofd int lock = -1;

	return exm_commitments_lock(&places, &lock, error) &&
	       exm_commitments_move(reservation, directory, error);
}

/**
 * exm_op_admit_all() - Whether several guests fit beside each other, before the first is started
 * @plans: of ExmPlan
 * @facts: what guests have; grows by what these would have; NULL where nobody counts
 * @error: NO_ROOM, with the arithmetic of the first that does not fit
 */
bool exm_op_admit_all(const GPtrArray *plans, ExmCapacityFacts *facts, GError **error)
{
	for (guint i = 0; facts && i < plans->len; i++) {
		const ExmPlan *plan = plans->pdata[i];
		g_autoptr(ExmJson)
			json = plan->commitment ? exm_commitment_to_json(plan->commitment) : NULL;

		if (!json || plan->overcommit)
			continue;
		if (!exm_capacity_admit(plan->store, facts, plan->commitment, error)) {
			g_prefix_error(error, "guest '%s', %u of %u: ", plan->name, i + 1,
			               plans->len);
			return false;
		}
		g_ptr_array_add(facts->commitments, exm_commitment_from_json(json, NULL));
	}
	return true;
}
