/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capacity.c - How much the host's store holds, and who has it */

#include "op/capacity.h"

#include "host/commitments.h"
#include "host/hostinfo.h"
#include "host/place.h"
#include "host/state.h"
#include "host/store.h"
#include "op/admission.h"
#include "op/ask.h"
#include "op/probe.h"
#include "plan/finding.h"

/* An idle QEMU answers within a millisecond. */
#define DEADLINE_MS 500

/**
 * exm_capacity_free() - Free what is known
 * @capacity: may be NULL
 */
void exm_capacity_free(ExmCapacity *capacity)
{
	if (!capacity)
		return;
	exm_capacity_facts_free(capacity->facts);
	exm_place_free(capacity->place);
	exm_store_free(capacity->store);
	if (capacity->findings)
		g_ptr_array_unref(capacity->findings);
	g_free(capacity);
}

/* A guest without a balloon has all its memory. */
static void ask_balloons(const GPtrArray *vms, GArray *memories)
{
	g_autoptr(GPtrArray) questions = exm_questions_new(vms, "query-balloon");

	exm_questions_ask(questions, DEADLINE_MS);
	for (guint i = 0; i < vms->len; i++) {
		const ExmQuestion *question = questions->pdata[i];
		const uint64_t memory = question->answer
		                                ? exm_json_get_uint(question->answer, "actual")
		                                : question->vm->ram_size;

		g_array_append_val(memories, memory);
	}
}

static bool count_used(const ExmMemoryConfig *config, const char *state_directory,
                       uint64_t *ret_used, GError **error)
{
	const ExmCommitmentPlaces places = { config->host_directory, state_directory };
	g_autofree char *unseen = NULL;
	g_autoptr(GPtrArray) directories = exm_commitments_directories(&places, &unseen, error);
	g_autoptr(GArray) memories = g_array_new(FALSE, FALSE, sizeof(uint64_t));

	if (!directories)
		return false;
	for (guint i = 0; i < directories->len; i++) {
		g_autoptr(GPtrArray) vms = NULL;

		if (exm_state_list(directories->pdata[i], &vms, NULL))
			ask_balloons(vms, memories);
	}
	*ret_used = exm_capacity_used((const uint64_t *)(const void *)memories->data, memories->len);
	return true;
}

static bool look(ExmCapacity *capacity, const ExmMemoryConfig *config, const char *state_directory,
                 GError **error)
{
	g_autoptr(ExmHost) host = exm_hostinfo_read(error);

	if (!host || !count_used(config, state_directory, &capacity->used, error))
		return false;
	capacity->ram_available = host->ram_available;
	capacity->place = exm_place_look(config->directory);
	capacity->store = exm_store_look(config->directory);
	return true;
}

static bool recall(ExmCapacity *capacity, const ExmMemoryConfig *config, ExmJson *recorded,
                   GError **error)
{
	ExmJson *place = exm_json_member(exm_json_member(recorded, "places"), config->directory);
	ExmJson *balloons = exm_json_member(exm_json_member(recorded, "capacity"), "balloons");
	g_autoptr(GArray) memories = g_array_new(FALSE, FALSE, sizeof(uint64_t));

	for (size_t i = 0; balloons && i < exm_json_length(balloons); i++) {
		const uint64_t memory = json_object_get_uint64(json_object_array_get_idx(balloons, i));

		g_array_append_val(memories, memory);
	}
	capacity->used = exm_capacity_used((const uint64_t *)(const void *)memories->data,
	                                   memories->len);
	capacity->ram_available = exm_json_get_uint(exm_json_member(recorded, "host"),
	                                            "ram-available");
	capacity->place = place ? exm_place_from_json(place, error) : g_new0(ExmPlace, 1);
	capacity->store = exm_store_from_json(exm_json_member(recorded, "store"), error);
	return capacity->place && capacity->store;
}

static void check(ExmCapacity *capacity, const ExmMemoryConfig *config, bool can_discard)
{
	const ExmStanding standing = exm_capacity_standing(config, capacity->facts,
	                                                   EXM_ACCOUNT_STORE);
	const ExmStoreInput in = {
		.config = config,
		.place = capacity->place,
		.store = capacity->store,
		.committed = standing.committed,
		.can_discard = can_discard,
	};

	exm_memory_config_check(config, capacity->findings);
	exm_store_check(&in, capacity->findings);
}

/* Where no QEMU is to be had, that is not the store's fault. */
static bool can_discard(const ExmSources *sources, ExmJson *recorded)
{
	g_autoptr(ExmCaps)
		caps = recorded ? exm_caps_from_json(exm_json_member(recorded, "qemu"), NULL)
	                        : exm_op_probe(sources->qemu, sources->cache_directory, false, NULL,
	                                       NULL);

	return !caps || exm_caps_has(caps->file_properties, "discard-data");
}

/**
 * exm_op_capacity() - How much the host's store holds, and who has it
 * @config:          with file backing on
 * @state_directory: of this command
 * @sources:         where facts are to be had
 * @error:           SYSTEM
 *
 * Return: what is known (transfer full), or NULL.
 */
ExmCapacity *exm_op_capacity(const ExmMemoryConfig *config, const char *state_directory,
                             const ExmSources *sources, GError **error)
{
	g_autoptr(ExmCapacity) capacity = g_new0(ExmCapacity, 1);
	g_autoptr(ExmJson) recorded = NULL;
	bool done;

	if (sources->recorded) {
		recorded = exm_facts_recorded(sources->recorded, error);
		if (!recorded)
			return NULL;
	}
	capacity->findings = exm_findings_new();
	capacity->facts = exm_op_capacity_read(config, state_directory, recorded, error);
	if (!capacity->facts)
		return NULL;
	done = recorded ? recall(capacity, config, recorded, error)
	                : look(capacity, config, state_directory, error);
	if (!done)
		return NULL;
	check(capacity, config, can_discard(sources, recorded));
	return g_steal_pointer(&capacity);
}

/**
 * exm_op_leaks() - Memory files in the store that no guest holds
 * @config: with file backing on
 *
 * Return: of ExmLeak (transfer full).
 */
GPtrArray *exm_op_leaks(const ExmMemoryConfig *config)
{
	return exm_leaks_find(config->directory);
}
