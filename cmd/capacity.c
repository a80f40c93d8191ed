/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capacity.c - exomem capacity: what is configured, committed and free, and would this fit */

#include "op/capacity.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "plan/finding.h"
#include "table.h"
#include "words.h"

static struct {
	char *fits;
	char *state_directory;
	char *config;
	char *qemu;
	gboolean leaks;
	gboolean json;
	char **facts;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("fits", &opt.fits, "how many more of this size fit", "SIZE"),
	EXM_OPTION_FLAG("leaks", &opt.leaks, "memory files that no guest holds"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, in bytes"),
	EXM_OPTION_TEXT("config", &opt.config, "read this configuration", "FILE"),
	EXM_OPTION_TEXT("qemu", &opt.qemu, "that guests will run on", "BINARY"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_HIDDEN_LIST("facts", &opt.facts),
	EXM_OPTION_END,
};

static ExmJson *standing_to_json(const ExmStanding *standing)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "total", standing->total);
	exm_json_set_uint(json, "reserved", standing->reserved);
	exm_json_set_uint(json, "committed", standing->committed);
	exm_json_set_uint(json, "free", exm_standing_free(standing));
	exm_json_set_uint(json, "guests", standing->guests);
	return json;
}

static ExmJson *guests_to_json(const ExmCapacityFacts *facts)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < facts->commitments->len; i++)
		json_object_array_add(array, exm_commitment_to_json(facts->commitments->pdata[i]));
	return array;
}

static ExmJson *fit_to_json(const ExmFit *fit)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "size", fit->size);
	exm_json_set_uint(json, "guests", fit->guests);
	exm_json_set_string(json, "guests-stopped-by", fit->guest_stop);
	exm_json_set_uint(json, "children", fit->children);
	exm_json_set_string(json, "children-stopped-by", fit->child_stop);
	return json;
}

static void print_json(const ExmMemoryConfig *store, const ExmCapacity *capacity, const ExmFit *fit)
{
	const ExmStanding standing = exm_capacity_standing(store, capacity->facts, EXM_ACCOUNT_STORE);
	const ExmStanding ram = exm_capacity_standing(store, capacity->facts, EXM_ACCOUNT_RAM);
	g_autoptr(ExmJson) json = json_object_new_object();

	exm_json_set_uint(json, "schema", 1);
	exm_json_set_string(json, "directory", store->directory);
	json_object_object_add(json, "store", standing_to_json(&standing));
	json_object_object_add(json, "ram", standing_to_json(&ram));
	exm_json_set_uint(json, "used", capacity->used * EXM_MIB);
	json_object_object_add(json, "inventory", exm_capacity_inventory(store));
	json_object_object_add(json, "guests", guests_to_json(capacity->facts));
	json_object_object_add(json, "checks", exm_findings_to_json(capacity->findings));
	exm_json_set_string(json, "unseen", capacity->facts->unseen);
	if (fit)
		json_object_object_add(json, "fits", fit_to_json(fit));
	exm_output_json(json);
}

static void add_standing(GPtrArray *table, const char *name, const ExmStanding *standing,
                         const char *used)
{
	g_autofree char *total = exm_size_human(standing->total);
	g_autofree char *reserved = exm_size_human(standing->reserved);
	g_autofree char *committed = exm_size_human(standing->committed);
	g_autofree char *left = exm_size_human(exm_standing_free(standing));
	g_autofree char *guests = g_strdup_printf("%u", standing->guests);

	exm_table_add(table, name, total, reserved, used, committed, left, guests, (char *)NULL);
}

static void print_findings(const ExmCapacity *capacity)
{
	for (guint i = 0; i < capacity->findings->len; i++) {
		const ExmFinding *finding = capacity->findings->pdata[i];

		printf("%-8s%s: %s\n", exm_enum_name(&exm_severities, (int)finding->severity),
		       finding->name, finding->text);
	}
}

static void print_text(const ExmMemoryConfig *store, const ExmCapacity *capacity, const ExmFit *fit)
{
	const ExmStanding standing = exm_capacity_standing(store, capacity->facts, EXM_ACCOUNT_STORE);
	const ExmStanding ram = exm_capacity_standing(store, capacity->facts, EXM_ACCOUNT_RAM);
	g_autofree char *used = exm_size_human(capacity->used * EXM_MIB);
	g_autoptr(ExmJson) inventory = exm_capacity_inventory(store);
	g_autoptr(GPtrArray) table = exm_table_new();

	exm_table_add(table, "", "TOTAL", "RESERVED", "USED", "COMMITTED", "FREE", "GUESTS",
	              (char *)NULL);
	add_standing(table, "store", &standing, used);
	add_standing(table, "memory", &ram, "-");
	exm_table_print(table);
	if (fit) {
		g_autofree char *size = exm_size_human(fit->size);

		printf("\n%" PRIu64 " more guests of %s fit; then %s stops them\n", fit->guests,
		       size, fit->guest_stop);
		printf("%" PRIu64 " more children of %s fit; then %s stops them\n", fit->children,
		       size, fit->child_stop);
	}
	printf("\nMEMORY_MB %s\n\n", json_object_to_json_string(inventory));
	print_findings(capacity);
	if (capacity->facts->unseen)
		printf("%-8s'%s' cannot be looked into: other users' guests are not counted\n",
		       "warning", capacity->facts->unseen);
	for (guint i = 0; i < capacity->facts->commitments->len; i++) {
		const ExmCommitment *commitment = capacity->facts->commitments->pdata[i];

		if (commitment->overcommit)
			printf("%-8sguest '%s' runs by --overcommit: %s\n", "warning",
			       commitment->guest, commitment->overcommit);
	}
}

static bool print_leaks(const ExmMemoryConfig *store)
{
	g_autoptr(GPtrArray) leaks = exm_op_leaks(store);
	g_autoptr(ExmJson) json = json_object_new_array();
	g_autoptr(GPtrArray) table = exm_table_new();

	exm_table_add(table, "FILE", "SIZE", "BLOCKS", "WHOSE", (char *)NULL);
	for (guint i = 0; i < leaks->len; i++) {
		const ExmLeak *leak = leaks->pdata[i];
		g_autofree char *size = exm_size_human(leak->size);
		g_autofree char *blocks = exm_size_human(leak->blocks);
		g_autofree char *path = exm_quote_printable(leak->path);
		ExmJson *item = json_object_new_object();

		exm_table_add(table, path, size, blocks,
		              leak->template ? "a template's" : "nobody's", (char *)NULL);
		exm_json_set_string(item, "path", leak->path);
		exm_json_set_uint(item, "size", leak->size);
		exm_json_set_uint(item, "blocks", leak->blocks);
		exm_json_set_bool(item, "template", leak->template);
		json_object_array_add(json, item);
	}
	if (opt.json)
		exm_output_json(json);
	else if (leaks->len > 0)
		exm_table_print(table);
	return true;
}

static bool print_capacity(const ExmMemoryConfig *store, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	const ExmSources sources = {
		.qemu = opt.qemu ? opt.qemu : exm_default_qemu(),
		.cache_directory = cache,
		.recorded = (const char *const *)opt.facts,
	};
	g_autofree char *state_directory = NULL;
	g_autoptr(ExmCapacity) capacity = NULL;
	uint64_t size = 0;
	ExmFit fit;

	if (!exm_words_size("--fits", opt.fits, &size, error) ||
	    !exm_state_directory(opt.state_directory, &state_directory, error))
		return false;
	capacity = exm_op_capacity(store, state_directory, &sources, error);
	if (!capacity)
		return false;
	if (size)
		fit = exm_capacity_fit(store, capacity->facts, capacity->place->free,
		                       capacity->ram_available, size);
	(opt.json ? print_json : print_text)(store, capacity, size ? &fit : NULL);
	return exm_findings_throw(capacity->findings, error);
}

static bool run(const char *const *words, GError **error)
{
	g_autoptr(ExmConfig) config = NULL;
	g_autoptr(ExmMemoryConfig) store = NULL;

	if (!exm_words_none(words, error))
		return false;
	config = exm_config_load(opt.config, (const char *const *)opt.facts, error);
	store = config ? exm_store_read(config, error) : NULL;
	if (!store)
		return false;
	if (store->capacity == 0)
		return exm_throw(
			error, EXM_ERROR_STATE,
			"file_backed_memory is not configured: guests' memory is not counted");
	return opt.leaks ? print_leaks(store) : print_capacity(store, error);
}

const ExmCommand exm_command_capacity = {
	.name = "capacity",
	.summary = "what is configured, committed and free, and would this fit",
	.usage = "[OPTION]...",
	.options = options,
	.run = run,
};
