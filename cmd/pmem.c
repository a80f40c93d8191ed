/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmem.c - exomem pmem: namespaces of persistent memory, and who has them */

#include "op/pmem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "table.h"

static struct {
	char *config;
	char *pool;
	char *claims;
	char *qemu;
	char *state_directory;
	gboolean check;
	gboolean forget;
	gboolean json;
	gboolean quiet;
	char **facts;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("check", &opt.check, "list: is all there that guests need?"),
	EXM_OPTION_FLAG("forget", &opt.forget, "release: drop claims on namespaces that are gone"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "print names only"),
	EXM_OPTION_TEXT("pool", &opt.pool, "as if pmem_namespaces were this", "LABELS"),
	EXM_OPTION_TEXT("config", &opt.config, "read this configuration instead", "FILE"),
	EXM_OPTION_TEXT("claims", &opt.claims, "who has what is remembered there", "DIR"),
	EXM_OPTION_TEXT("qemu", &opt.qemu, "list --check: of this QEMU", "BINARY"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "adopt: state directory of the guest",
	                "DIR"),
	EXM_OPTION_HIDDEN_LIST("facts", &opt.facts),
	EXM_OPTION_END,
};

static const char *text_or_dash(const char *text)
{
	return text ? text : "-";
}

static void add_namespace_row(GPtrArray *table, const ExmPmem *pmem, const ExmNamespace *namespace)
{
	const ExmPoolLabel *label = exm_pool_label_of(pmem->pool, pmem->namespaces, namespace);
	const ExmClaim *claim = exm_pmem_claim_of(pmem, namespace);
	g_autofree char *size = exm_size_human(namespace->size);
	g_autofree char *align = exm_size_human(namespace->align);
	g_autofree char *node = namespace->on_node ? g_strdup_printf("%" PRIu64, namespace->node)
	                                           : g_strdup("-");
	const char *mode = namespace->disabled
	                           ? "disabled"
	                           : exm_enum_name(&exm_namespace_modes, (int)namespace->mode);
	const char *guest = claim && claim->dirty ? "(to be scrubbed)"
	                    : claim               ? claim->guest
	                                          : NULL;

	exm_table_add(table, exm_namespace_title(namespace), text_or_dash(namespace->uuid), size,
	              namespace->align ? align : "-", node, mode, text_or_dash(namespace->map),
	              text_or_dash(namespace->persistence), text_or_dash(namespace->health),
	              text_or_dash(namespace->path), text_or_dash(label ? label->label : NULL),
	              text_or_dash(guest), (char *)NULL);
}

static void print_namespaces(const ExmPmem *pmem)
{
	g_autoptr(GPtrArray) table = exm_table_new();

	if (pmem->namespaces->len == 0) {
		printf("no persistent memory on this host\n");
		return;
	}
	exm_table_add(table, "NAME", "UUID", "SIZE", "ALIGN", "NODE", "MODE", "MAP", "PERSISTENCE",
	              "HEALTH", "DEVICE", "LABEL", "GUEST", (char *)NULL);
	for (guint i = 0; i < pmem->namespaces->len; i++)
		add_namespace_row(table, pmem, pmem->namespaces->pdata[i]);
	exm_table_print(table);
}

static ExmJson *namespaces_to_json(const ExmPmem *pmem)
{
	ExmJson *json = json_object_new_object();
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < pmem->namespaces->len; i++) {
		const ExmNamespace *namespace = pmem->namespaces->pdata[i];
		const ExmPoolLabel *label = exm_pool_label_of(pmem->pool, pmem->namespaces,
		                                              namespace);
		const ExmClaim *claim = exm_pmem_claim_of(pmem, namespace);
		ExmJson *item = exm_namespace_to_json(namespace);

		if (label)
			exm_json_set_string(item, "label", label->label);
		if (claim && !exm_claim_is_clean(claim))
			json_object_object_add(item, "claim", exm_claim_to_json(claim));
		json_object_array_add(array, item);
	}
	exm_json_set_uint(json, "schema", 1);
	json_object_object_add(json, "namespaces", array);
	return json;
}

static void warn_of_pool(const ExmPmem *pmem)
{
	g_autoptr(GPtrArray) warnings = exm_pool_warnings(pmem->pool, pmem->namespaces);

	for (guint i = 0; i < warnings->len; i++)
		exm_output_warning(warnings->pdata[i]);
}

static ExmJson *gates_to_json(const GPtrArray *gates)
{
	ExmJson *json = json_object_new_object();
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < gates->len; i++) {
		const ExmPmemGate *gate = gates->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "name", gate->name);
		exm_json_set_bool(item, "ok", gate->ok);
		exm_json_set_string(item, "text", gate->text);
		json_object_array_add(array, item);
	}
	exm_json_set_uint(json, "schema", 1);
	json_object_object_add(json, "checks", array);
	return json;
}

static bool check(const ExmPmem *pmem, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	const ExmSources sources = {
		.qemu = opt.qemu ? opt.qemu : exm_default_qemu(),
		.cache_directory = cache,
	};
	g_autoptr(ExmPmemHost) host = exm_op_pmem_host(&sources);
	g_autoptr(GPtrArray) gates = exm_pmem_gates(host, pmem);
	g_autoptr(ExmJson) json = opt.json ? gates_to_json(gates) : NULL;
	guint bad = 0;

	warn_of_pool(pmem);
	if (json)
		exm_output_json(json);
	for (guint i = 0; i < gates->len; i++) {
		const ExmPmemGate *gate = gates->pdata[i];

		bad += !gate->ok;
		if (!json)
			printf("%-4s %-7s %s\n", gate->ok ? "ok" : "BAD", gate->name, gate->text);
	}
	return bad == 0 ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED, "%u of %u checks failed", bad, gates->len);
}

static bool list(const ExmPmem *pmem, const ExmPmemSource *source, const char *word, GError **error)
{
	g_autoptr(ExmJson) json = NULL;

	(void)source, (void)word;
	if (opt.check)
		return check(pmem, error);
	if (opt.json) {
		json = namespaces_to_json(pmem);
		exm_output_json(json);
	} else if (!opt.quiet) {
		print_namespaces(pmem);
	}
	for (guint i = 0; opt.quiet && i < pmem->namespaces->len; i++)
		printf("%s\n", exm_namespace_title(pmem->namespaces->pdata[i]));
	return true;
}

static void print_inventory(ExmJson *inventory)
{
	/* In the order of `openstack resource provider inventory list`. */
	static const char *const columns[] = {
		"allocation_ratio", "max_unit", "reserved", "step_size", "min_unit", "total", "used"
	};
	g_autoptr(GPtrArray) table = exm_table_new();

	exm_table_add(table, "resource_class", columns[0], columns[1], columns[2], columns[3],
	              columns[4], columns[5], columns[6], (char *)NULL);
	for (size_t i = 0; i < exm_json_length(inventory); i++) {
		ExmJson *item = json_object_array_get_idx(inventory, i);
		const char *cells[G_N_ELEMENTS(columns)];

		for (size_t j = 0; j < G_N_ELEMENTS(columns); j++)
			cells[j] = json_object_get_string(exm_json_member(item, columns[j]));
		exm_table_add(table, exm_json_get_string(item, "resource_class"), cells[0], cells[1],
		              cells[2], cells[3], cells[4], cells[5], cells[6], (char *)NULL);
	}
	exm_table_print(table);
}

static bool inventory(const ExmPmem *pmem, const ExmPmemSource *source, const char *word,
                      GError **error)
{
	g_autoptr(ExmJson) json = json_object_new_object();
	ExmJson *items;

	(void)source, (void)word;
	if (!exm_pool_check(pmem->pool, pmem->namespaces, error))
		return false;
	warn_of_pool(pmem);
	items = exm_pmem_inventory(pmem);
	exm_json_set_uint(json, "schema", 1);
	json_object_object_add(json, "inventory", items);
	if (opt.json)
		exm_output_json(json);
	else if (exm_json_length(items) == 0 && !opt.quiet)
		printf("pmem_namespaces is not set: see exomem.conf(5)\n");
	else if (!opt.quiet)
		print_inventory(items);
	for (size_t i = 0; opt.quiet && i < exm_json_length(items); i++)
		printf("%s\n",
		       exm_json_get_string(json_object_array_get_idx(items, i), "resource_class"));
	return true;
}

static gint compare_claims(gconstpointer a, gconstpointer b)
{
	const ExmClaim *one = *(ExmClaim *const *)a;
	const ExmClaim *two = *(ExmClaim *const *)b;
	const int order = g_strcmp0(one->guest, two->guest);

	if (order)
		return order;
	if (one->order != two->order)
		return one->order > two->order ? 1 : -1;
	return strcmp(one->namespace, two->namespace);
}

static const char *state_of(const ExmPmem *pmem, const ExmClaim *claim)
{
	const ExmNamespace *namespace = exm_namespaces_find_uuid(pmem->namespaces, claim->uuid);

	if (!namespace)
		return exm_pmem_is_gone(pmem, claim) ? "missing" : "disabled";
	if (claim->dirty)
		return "to be scrubbed";
	if (namespace->locked_by)
		return "in use";
	if (exm_pmem_is_unused(pmem, claim))
		return "not started";
	if (claim->template)
		return "saved";
	return claim->ephemeral ? "to be scrubbed" : "kept";
}

static void add_claim_row(GPtrArray *table, const ExmPmem *pmem, const ExmClaim *claim)
{
	const ExmNamespace *namespace = exm_namespaces_find_uuid(pmem->namespaces, claim->uuid);
	g_autofree char *size = exm_size_human(claim->size);
	g_autofree char *class = claim->label ? exm_pool_resource_class(claim->label) : NULL;

	exm_table_add(table, text_or_dash(claim->guest),
	              namespace ? exm_namespace_title(namespace) : claim->namespace,
	              text_or_dash(class), size, text_or_dash(namespace ? namespace->path : NULL),
	              state_of(pmem, claim), (char *)NULL);
}

static bool allocations(const ExmPmem *pmem, const ExmPmemSource *source, const char *word,
                        G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) table = exm_table_new();
	g_autoptr(ExmJson) json = json_object_new_object();
	ExmJson *array = json_object_new_array();

	(void)source, (void)word;
	exm_json_set_uint(json, "schema", 1);
	json_object_object_add(json, "allocations", array);
	exm_table_add(table, "GUEST", "NAMESPACE", "RESOURCE CLASS", "SIZE", "DEVICE", "STATE",
	              (char *)NULL);
	g_ptr_array_sort(pmem->claims, compare_claims);
	for (guint i = 0; i < pmem->claims->len; i++) {
		const ExmClaim *claim = pmem->claims->pdata[i];
		ExmJson *item;

		if (exm_claim_is_clean(claim))
			continue;
		item = exm_claim_to_json(claim);
		exm_json_set_string(item, "state", state_of(pmem, claim));
		json_object_array_add(array, item);
		add_claim_row(table, pmem, claim);
		if (opt.quiet && claim->guest)
			printf("%s\n", claim->guest);
	}
	if (opt.json)
		exm_output_json(json);
	else if (!opt.quiet && exm_json_length(array) > 0)
		exm_table_print(table);
	else if (!opt.quiet)
		printf("no guest has persistent memory\n");
	return true;
}

static bool print_scrubbed(const GPtrArray *done)
{
	g_autoptr(ExmJson) json = json_object_new_object();
	ExmJson *array = json_object_new_array();

	exm_json_set_uint(json, "schema", 1);
	json_object_object_add(json, "scrubbed", array);
	for (guint i = 0; i < done->len; i++) {
		const ExmScrubbed *scrubbed = done->pdata[i];
		g_autofree char *size = exm_size_human(scrubbed->bytes);
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "namespace", scrubbed->title);
		exm_json_set_uint(item, "bytes", scrubbed->bytes);
		exm_json_set_uint(item, "zero-us", scrubbed->zero_us);
		exm_json_set_uint(item, "verify-us", scrubbed->verify_us);
		json_object_array_add(array, item);
		if (opt.quiet)
			printf("%s\n", scrubbed->title);
		else if (!opt.json)
			printf("%s: %s zeroed and verified\n", scrubbed->title, size);
	}
	if (opt.json)
		exm_output_json(json);
	else if (done->len == 0 && !opt.quiet)
		printf("nothing waits to be scrubbed\n");
	return true;
}

/* What became of claims whose namespaces were not touched. */
static void print_claims(const GPtrArray *done, const char *member, const char *what)
{
	g_autoptr(ExmJson) json = json_object_new_object();
	ExmJson *array = json_object_new_array();

	exm_json_set_uint(json, "schema", 1);
	json_object_object_add(json, member, array);
	for (guint i = 0; i < done->len; i++) {
		const ExmClaim *claim = done->pdata[i];

		json_object_array_add(array, exm_claim_to_json(claim));
		if (opt.quiet)
			printf("%s\n", claim->namespace);
		else if (!opt.json)
			printf("%s: %s guest '%s'\n", claim->namespace, what,
			       text_or_dash(claim->guest));
	}
	if (opt.json)
		exm_output_json(json);
}

static bool release(const ExmPmem *pmem, const ExmPmemSource *source, const char *word, GError **error)
{
	g_autoptr(GPtrArray)
		done = opt.forget ? exm_op_pmem_forget(source, word, error)
	                          : exm_op_pmem_release(source, word, exm_output_progress, error);

	(void)pmem;
	if (!done)
		return false;
	if (!opt.forget)
		return print_scrubbed(done);
	print_claims(done, "forgotten", "no longer claimed by");
	return true;
}

static bool adopt(const ExmPmem *pmem, const ExmPmemSource *source, const char *word, GError **error)
{
	g_autofree char *directory = NULL;
	g_autoptr(GPtrArray) done = NULL;

	(void)pmem;
	if (!exm_state_directory(opt.state_directory, &directory, error))
		return false;
	done = exm_op_pmem_adopt(source, directory, word, error);
	if (!done)
		return false;
	print_claims(done, "adopted", "adopted for");
	return true;
}

static bool scrub(const ExmPmem *pmem, const ExmPmemSource *source, const char *word, GError **error)
{
	g_autoptr(GPtrArray) done = exm_op_pmem_scrub(source, word, exm_output_progress, error);

	(void)pmem;
	return done && print_scrubbed(done);
}

/* What can be done; those that change something read all anew, under locks. */
static const struct {
	const char *name;
	enum { NO_WORD, MAY_HAVE_WORD, NEEDS_WORD } word;
	bool changes;
	bool (*run)(const ExmPmem *pmem, const ExmPmemSource *source, const char *word,
	            GError **error);
} actions[] = {
	{ "list", NO_WORD, false, list },
	{ "inventory", NO_WORD, false, inventory },
	{ "allocations", NO_WORD, false, allocations },
	{ "release", NEEDS_WORD, true, release },
	{ "scrub", MAY_HAVE_WORD, true, scrub },
	{ "adopt", NEEDS_WORD, true, adopt },
};

static bool find_action(const char *word, size_t *ret_index, GError **error)
{
	const char *names[G_N_ELEMENTS(actions)];
	const ExmEnumTable table = { "thing to do", names, G_N_ELEMENTS(actions) };
	int index;

	if (!word)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name a thing to do: list, inventory, allocations, release, scrub or "
		                 "adopt");
	for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
		names[i] = actions[i].name;
	if (!exm_enum_parse(&table, word, &index, error))
		return false;
	*ret_index = (size_t)index;
	return true;
}

static bool check_words(const char *const *words, size_t index, GError **error)
{
	const char *extra = actions[index].word == NO_WORD ? words[1] : words[1] ? words[2] : NULL;

	if (opt.json && opt.quiet)
		return exm_throw(error, EXM_ERROR_USAGE, "'--json' and '--quiet' exclude each other");
	if (opt.check && strcmp(actions[index].name, "list") != 0)
		return exm_throw(error, EXM_ERROR_USAGE, "'--check' goes with 'list'");
	if (opt.forget && strcmp(actions[index].name, "release") != 0)
		return exm_throw(error, EXM_ERROR_USAGE, "'--forget' goes with 'release'");
	if (opt.state_directory && strcmp(actions[index].name, "adopt") != 0)
		return exm_throw(error, EXM_ERROR_USAGE, "'--state-dir' goes with 'adopt'");
	if (extra)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", extra);
	if (actions[index].word == NEEDS_WORD && !words[1])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name a guest or a namespace; 'exomem pmem "
		                 "allocations' shows them");
	if (actions[index].changes && opt.facts)
		return exm_throw(error, EXM_ERROR_USAGE, "'--facts' cannot be changed");
	return true;
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = exm_claims_directory(opt.claims);
	ExmPmemSource source = {
		.pool = opt.pool,
		.directory = directory,
		.recorded = (const char *const *)opt.facts,
	};
	g_autoptr(ExmConfig) config = NULL;
	g_autoptr(ExmPmem) pmem = NULL;
	size_t index = 0;

	if (!find_action(words[0], &index, error) || !check_words(words, index, error))
		return false;
	if (!opt.pool && !opt.facts) {
		config = exm_config_load(opt.config, NULL, error);
		if (!config)
			return false;
		source.pool = exm_config_get(config, "pmem", "pmem_namespaces");
	}
	if (!actions[index].changes) {
		g_autoptr(GError) problem = NULL;

		pmem = exm_op_pmem_read(&source, &problem);
		/* What --check is asked for is to say that, among all else. */
		if (!pmem && opt.check && g_error_matches(problem, EXM_ERROR, EXM_ERROR_UNSUPPORTED)) {
			pmem = exm_pmem_new();
			pmem->pool = exm_pool_parse(source.pool, error);
		} else if (!pmem) {
			g_propagate_error(error, g_steal_pointer(&problem));
		}
		if (!pmem || !pmem->pool)
			return false;
	}
	return actions[index].run(pmem, &source, words[1], error);
}

const ExmCommand exm_command_pmem = {
	.name = "pmem",
	.summary = "namespaces of persistent memory, and who has them",
	.usage = "[OPTION]... ACTION [NAME]",
	.options = options,
	.run = run,
};
