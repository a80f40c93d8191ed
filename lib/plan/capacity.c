/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capacity.c - What guests have taken of the host, and whether one more fits */

#include "plan/capacity.h"

#include "base/error.h"
#include "base/size.h"

static void commitment_destroy(gpointer data)
{
	exm_commitment_free(data);
}

/**
 * exm_capacity_facts_new() - Facts that are still to be filled in
 *
 * Return: the facts (transfer full), without guests.
 */
ExmCapacityFacts *exm_capacity_facts_new(void)
{
	ExmCapacityFacts *facts = g_new0(ExmCapacityFacts, 1);

	facts->commitments = g_ptr_array_new_with_free_func(commitment_destroy);
	return facts;
}

/**
 * exm_capacity_facts_free() - Free facts
 * @facts: may be NULL
 */
void exm_capacity_facts_free(ExmCapacityFacts *facts)
{
	if (!facts)
		return;
	g_ptr_array_unref(facts->commitments);
	g_free(facts->unseen);
	g_free(facts);
}

/**
 * exm_capacity_facts_from_json() - Recorded facts
 * @json:      an object with "commitments", an array, and perhaps "unseen"; or NULL
 * @ram_total: bytes of the host's memory
 * @error:     SYSTEM where a commitment is none
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmCapacityFacts *exm_capacity_facts_from_json(ExmJson *json, uint64_t ram_total, GError **error)
{
	g_autoptr(ExmCapacityFacts) facts = exm_capacity_facts_new();
	ExmJson *list = exm_json_member(json, "commitments");

	facts->ram_total = ram_total;
	facts->unseen = g_strdup(exm_json_get_string(json, "unseen"));
	for (size_t i = 0; list && i < exm_json_length(list); i++) {
		ExmCommitment *commitment = exm_commitment_from_json(
			json_object_array_get_idx(list, i), error);

		if (!commitment)
			return NULL;
		g_ptr_array_add(facts->commitments, commitment);
	}
	return g_steal_pointer(&facts);
}

/* False for a file that was counted before. */
static bool is_first(GHashTable *seen, const ExmCharge *charge)
{
	return charge->inode == 0 ||
	       g_hash_table_add(seen, g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
	                                              charge->device, charge->inode));
}

/* What a guest adds to an account, beyond files that were seen before. */
static uint64_t add_up(const ExmCommitment *commitment, ExmAccount account, GHashTable *seen,
                       bool *ret_has)
{
	uint64_t bytes = 0;

	*ret_has = false;
	for (guint i = 0; i < commitment->charges->len; i++) {
		const ExmCharge *charge = commitment->charges->pdata[i];

		if (charge->account != account)
			continue;
		*ret_has = true;
		if (is_first(seen, charge))
			bytes += charge->bytes;
	}
	return bytes;
}

static uint64_t count(const ExmCapacityFacts *facts, ExmAccount account, GHashTable *seen,
                      guint *ret_guests)
{
	uint64_t bytes = 0;

	*ret_guests = 0;
	for (guint i = 0; i < facts->commitments->len; i++) {
		bool has;

		bytes += add_up(facts->commitments->pdata[i], account, seen, &has);
		*ret_guests += has ? 1 : 0;
	}
	return bytes;
}

static ExmStanding standing_of(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                               ExmAccount account, GHashTable *seen)
{
	ExmStanding standing = { .reserved = config->reserved };

	standing.total = account == EXM_ACCOUNT_STORE ? config->capacity : facts->ram_total;
	standing.committed = count(facts, account, seen, &standing.guests);
	return standing;
}

/**
 * exm_capacity_standing() - How an account stands
 * @config:  with file backing on
 * @facts:   what guests have
 * @account: which
 *
 * A file that several guests map counts once.
 */
ExmStanding exm_capacity_standing(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                                  ExmAccount account)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	return standing_of(config, facts, account, seen);
}

/**
 * exm_standing_free() - What is left of an account
 * @standing: how it stands
 *
 * Return: bytes; 0 where more is committed than there is.
 */
uint64_t exm_standing_free(const ExmStanding *standing)
{
	const uint64_t used = standing->reserved + standing->committed;

	return standing->total > used ? standing->total - used : 0;
}

/* Up: what does not fit must not look as if it did. */
static uint64_t mib_up(uint64_t bytes)
{
	return bytes / EXM_MIB + (bytes % EXM_MIB ? 1 : 0);
}

static bool throw_no_room(const ExmStanding *standing, ExmAccount account, uint64_t need,
                          GError **error)
{
	const bool ram = account == EXM_ACCOUNT_RAM;

	return exm_throw(error, EXM_ERROR_NO_ROOM,
	                 "needs %" G_GUINT64_FORMAT " MiB%s; %s %" G_GUINT64_FORMAT
	                 ", reserved %" G_GUINT64_FORMAT ", committed %" G_GUINT64_FORMAT
	                 " (%u guest%s), free %" G_GUINT64_FORMAT,
	                 mib_up(need), ram ? " of RAM" : "", ram ? "the host has" : "configured",
	                 standing->total / EXM_MIB, mib_up(standing->reserved),
	                 mib_up(standing->committed), standing->guests,
	                 standing->guests == 1 ? "" : "s", exm_standing_free(standing) / EXM_MIB);
}

/**
 * exm_capacity_admit() - Whether a guest fits
 * @config:     with file backing on
 * @facts:      what other guests have
 * @commitment: what it would have
 * @error:      NO_ROOM, with the arithmetic
 */
bool exm_capacity_admit(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                        const ExmCommitment *commitment, GError **error)
{
	static const ExmAccount accounts[] = { EXM_ACCOUNT_STORE, EXM_ACCOUNT_RAM };

	for (size_t i = 0; i < G_N_ELEMENTS(accounts); i++) {
		g_autoptr(GHashTable)
			seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		const ExmStanding standing = standing_of(config, facts, accounts[i], seen);
		bool has;
		const uint64_t need = add_up(commitment, accounts[i], seen, &has);

		if (need > exm_standing_free(&standing))
			return throw_no_room(&standing, accounts[i], need, error);
	}
	return true;
}

/**
 * exm_capacity_used() - What guests use, as Nova's driver reports it
 * @memories: bytes that each has by its balloon
 * @count:    of them
 *
 * The sum is rounded down to MiB, not each of them (nova/virt/libvirt/host.py,
 * _sum_domain_memory_mb()).
 *
 * Return: MiB.
 */
uint64_t exm_capacity_used(const uint64_t *memories, size_t count)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += memories[i];
	return bytes / EXM_MIB;
}

/**
 * exm_capacity_fit() - How many more of a size fit
 * @config:        with file backing on
 * @facts:         what guests have
 * @store_free:    bytes that can be written to the store's file system
 * @ram_available: bytes of memory that can be had without swapping
 * @size:          bytes of each
 */
ExmFit exm_capacity_fit(const ExmMemoryConfig *config, const ExmCapacityFacts *facts,
                        uint64_t store_free, uint64_t ram_available, uint64_t size)
{
	const ExmStanding store = exm_capacity_standing(config, facts, EXM_ACCOUNT_STORE);
	const ExmStanding ram = exm_capacity_standing(config, facts, EXM_ACCOUNT_RAM);
	const uint64_t store_left = exm_standing_free(&store);
	const uint64_t ram_left = exm_standing_free(&ram);

	return (ExmFit){
		.size = size,
		.guests = MIN(store_left, store_free) / size,
		.children = MIN(ram_left, ram_available) / size,
		.guest_stop = store_left / size <= store_free / size
		                      ? "file_backed_memory"
		                      : "room on the store's file system",
		.child_stop = ram_left / size <= ram_available / size
		                      ? "memory of the host that is not committed"
		                      : "memory of the host that is not in use",
	};
}

/**
 * exm_capacity_inventory() - What Nova would tell placement
 * @config: the configuration
 *
 * Return: an object (transfer full) as in nova/virt/libvirt/driver.py, update_provider_tree(), in
 * MiB; NULL where there is nothing to tell.
 */
ExmJson *exm_capacity_inventory(const ExmMemoryConfig *config)
{
	ExmJson *json;

	if (config->capacity == 0)
		return NULL;
	json = json_object_new_object();
	exm_json_set_uint(json, "total", config->capacity / EXM_MIB);
	exm_json_set_uint(json, "max_unit", config->capacity / EXM_MIB);
	exm_json_set_uint(json, "min_unit", 1);
	exm_json_set_uint(json, "step_size", 1);
	json_object_object_add(json, "allocation_ratio",
	                       json_object_new_double_s(config->ratio, "1.0"));
	exm_json_set_uint(json, "reserved", config->reserved / EXM_MIB);
	return json;
}
