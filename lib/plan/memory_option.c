/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_option.c - The grammar of -mem-path: PATH[,mode=][,mmap=][,key=value]... */

#include "plan/memory_option.h"

#include <string.h>

#include "base/error.h"
#include "base/keyval.h"
#include "base/size.h"

static const char *const mode_names[] = { "temp", "open", "create" };
static const char *const mapping_names[] = { "private", "shared" };
static const char *const policy_names[] = { "default", "preferred", "bind", "interleave" };
static const char *const switch_names[] = { "off", "on" };

const ExmEnumTable exm_memory_modes = { "mode", mode_names, G_N_ELEMENTS(mode_names) };
const ExmEnumTable exm_mappings = { "mapping", mapping_names, G_N_ELEMENTS(mapping_names) };
static const ExmEnumTable policies = { "policy", policy_names, G_N_ELEMENTS(policy_names) };
static const ExmEnumTable switches = { "switch", switch_names, G_N_ELEMENTS(switch_names) };

/* A host with more NUMA nodes than this is no host of ours (Linux: NODES_SHIFT is at most 10). */
#define NODE_MAX 1023

/* Each reader puts one value at its place in the option. */
typedef bool (*Reader)(const char *value, void *ret_field, GError **error);

static bool read_mode(const char *value, void *ret_field, GError **error)
{
	int mode;

	if (!exm_enum_parse(&exm_memory_modes, value, &mode, error))
		return false;
	*(ExmMemoryMode *)ret_field = (ExmMemoryMode)mode;
	return true;
}

static bool read_mapping(const char *value, void *ret_field, GError **error)
{
	int mapping;

	if (!exm_enum_parse(&exm_mappings, value, &mapping, error))
		return false;
	*(ExmMapping *)ret_field = (ExmMapping)mapping;
	return true;
}

static bool read_switch(const char *value, void *ret_field, GError **error)
{
	int on;

	if (!exm_enum_parse(&switches, value, &on, error))
		return false;
	*(ExmSwitch *)ret_field = on ? EXM_SWITCH_ON : EXM_SWITCH_OFF;
	return true;
}

static bool read_size(const char *value, void *ret_field, GError **error)
{
	return exm_size_parse(value, 1, ret_field, error);
}

static bool read_align(const char *value, void *ret_field, GError **error)
{
	uint64_t align;

	if (!exm_size_parse(value, 1, &align, error))
		return false;
	if ((align & (align - 1)) != 0)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a power of two", value);
	*(uint64_t *)ret_field = align;
	return true;
}

static bool read_count(const char *value, void *ret_field, GError **error)
{
	guint64 count;

	if (!g_ascii_string_to_unsigned(value, 10, 1, G_MAXUINT16, &count, NULL))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a number from 1 to %u", value,
		                 G_MAXUINT16);
	*(uint64_t *)ret_field = count;
	return true;
}

static bool read_nodes(const char *value, void *ret_field, GError **error)
{
	return exm_node_list_parse(value, ret_field, error);
}

static bool read_policy(const char *value, void *ret_field, GError **error)
{
	int policy;

	if (!exm_enum_parse(&policies, value, &policy, error))
		return false;
	*(char **)ret_field = g_strdup(value);
	return true;
}

static bool read_flag(const char *value, void *ret_field, G_GNUC_UNUSED GError **error)
{
	g_assert(!value);
	*(bool *)ret_field = true;
	return true;
}

/* Each writer returns one value as its reader takes it (transfer full), or NULL for one not said. */
typedef char *(*Writer)(const void *field);

static char *write_mode(const void *field)
{
	return g_strdup(exm_enum_name(&exm_memory_modes, (int)*(const ExmMemoryMode *)field));
}

static char *write_mapping(const void *field)
{
	return g_strdup(exm_enum_name(&exm_mappings, (int)*(const ExmMapping *)field));
}

static char *write_switch(const void *field)
{
	const ExmSwitch on = *(const ExmSwitch *)field;

	return on == EXM_SWITCH_UNSET ? NULL
	                              : g_strdup(exm_enum_name(&switches, on == EXM_SWITCH_ON));
}

static char *write_size(const void *field)
{
	const uint64_t size = *(const uint64_t *)field;

	return size ? exm_size_print(size) : NULL;
}

static char *write_count(const void *field)
{
	const uint64_t count = *(const uint64_t *)field;

	return count ? g_strdup_printf("%" G_GUINT64_FORMAT, count) : NULL;
}

static char *write_nodes(const void *field)
{
	const GArray *nodes = *(const GArray *const *)field;
	GString *list;

	if (!nodes)
		return NULL;
	list = g_string_new(NULL);
	for (guint i = 0; i < nodes->len; i++)
		g_string_append_printf(list, "%s%u", i ? "," : "", g_array_index(nodes, guint, i));
	return g_string_free(list, FALSE);
}

static char *write_policy(const void *field)
{
	return g_strdup(*(const char *const *)field);
}

static char *write_flag(const void *field)
{
	return *(const bool *)field ? g_strdup("") : NULL;
}

#define FIELD(name) G_STRUCT_OFFSET(ExmMemoryOption, name)

/* A flag is a key that takes no value; its reader is read_flag(). */
static const struct {
	const char *name;
	Reader read;
	Writer write;
	size_t offset;
} keys[] = {
	{ "mode", read_mode, write_mode, FIELD(mode) },
	{ "mmap", read_mapping, write_mapping, FIELD(mapping) },
	{ "nofallback", read_flag, write_flag, FIELD(no_fallback) },
	{ "anyfs", read_flag, write_flag, FIELD(any_fs) },
	{ "discard", read_switch, write_switch, FIELD(discard) },
	{ "prealloc", read_switch, write_switch, FIELD(prealloc) },
	{ "prealloc-threads", read_count, write_count, FIELD(prealloc_threads) },
	{ "align", read_align, write_size, FIELD(align) },
	{ "offset", read_size, write_size, FIELD(offset) },
	{ "host-nodes", read_nodes, write_nodes, FIELD(host_nodes) },
	{ "policy", read_policy, write_policy, FIELD(policy) },
	{ "merge", read_switch, write_switch, FIELD(merge) },
	{ "dump", read_switch, write_switch, FIELD(dump) },
	{ "pmem", read_switch, write_switch, FIELD(pmem) },
	{ "reserve", read_switch, write_switch, FIELD(reserve) },
};

/* Which keys were said, one bit for each row of keys[]. */
typedef uint32_t Seen;

static bool find_key(const char *name, size_t *ret_index, GError **error)
{
	const char *names[G_N_ELEMENTS(keys)];
	const char *nearest;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		names[i] = keys[i].name;
		if (strcmp(names[i], name) == 0) {
			*ret_index = i;
			return true;
		}
	}
	nearest = exm_nearest(name, names, G_N_ELEMENTS(names));
	if (nearest)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a key (did you mean '%s'?)",
		                 name, nearest);
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a key; see exomem-memory(5)", name);
}

static bool read_key(const ExmPair *pair, ExmMemoryOption *option, Seen *seen, GError **error)
{
	const char *name = pair->key ? pair->key : pair->value;
	const char *value = pair->key ? pair->value : NULL;
	size_t i;

	if (!find_key(name, &i, error))
		return false;
	if (*seen & (Seen)1 << i)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is given twice", name);
	if (value && keys[i].read == read_flag)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' takes no value", name);
	if (!value && keys[i].read != read_flag)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' needs a value: '%s=...'", name, name);
	if (!keys[i].read(value, G_STRUCT_MEMBER_P(option, keys[i].offset), error)) {
		g_prefix_error(error, "%s: ", name);
		return false;
	}
	*seen |= (Seen)1 << i;
	return true;
}

static bool was_said(Seen seen, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return seen & (Seen)1 << i;
	g_assert_not_reached();
}

/* A path may hold a '=': whatever stands first is the path, unless a key of ours was meant. */
static bool read_path(const ExmPair *first, char **ret_path, GError **error)
{
	size_t i;

	if (first->key && find_key(first->key, &i, NULL))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s=%s' stands where the path must be: PATH[,key=value]...",
		                 first->key, first->value);
	if (!first->key && !*first->value)
		return exm_throw(error, EXM_ERROR_USAGE, "the path is empty");
	*ret_path = first->key ? g_strdup_printf("%s=%s", first->key, first->value)
	                       : g_strdup(first->value);
	return true;
}

/* What contradicts itself, whatever QEMU and host it is for. */
static bool check_sense(const ExmMemoryOption *option, Seen seen, GError **error)
{
	const bool private = option->mapping == EXM_MAPPING_PRIVATE;
	const struct {
		bool wrong;
		const char *message;
	} rules[] = {
		{ option->mode == EXM_MODE_OPEN && !was_said(seen, "mmap"),
		  "'mode=open' needs 'mmap=private' (the files stay as they are) or 'mmap=shared' (the "
		  "guest writes them)" },
		{ private && option->prealloc == EXM_SWITCH_ON,
		  "'prealloc=on' would copy a private mapping whole: leave it out or map with "
		  "'mmap=shared'" },
		{ private && option->discard == EXM_SWITCH_ON,
		  "'discard=on' cannot act on a private mapping: leave it out or map with "
		  "'mmap=shared'" },
		/* QEMU, backends/hostmem.c: "'prealloc=on' and 'reserve=off' are incompatible" */
		{ option->prealloc == EXM_SWITCH_ON && option->reserve == EXM_SWITCH_OFF,
		  "'prealloc=on' and 'reserve=off' exclude each other" },
		{ option->prealloc != EXM_SWITCH_ON && option->prealloc_threads,
		  "'prealloc-threads' needs 'prealloc=on'" },
		/* QEMU, backends/hostmem.c: "host-nodes empty for policy ..., or you should ..." */
		{ option->policy && strcmp(option->policy, "default") != 0 && !option->host_nodes,
		  "'policy' needs 'host-nodes'" },
		{ option->host_nodes && g_strcmp0(option->policy, "default") == 0,
		  "'policy=default' takes no 'host-nodes'" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
		if (rules[i].wrong)
			return exm_throw(error, EXM_ERROR_USAGE, "%s", rules[i].message);
	return true;
}

/**
 * exm_memory_option_parse() - Read the argument of -mem-path
 * @text:  "PATH[,key=value]..."; a comma in PATH is written twice, as QEMU has it
 * @error: USAGE, naming the key or value
 *
 * Return: the option (transfer full), or NULL.
 */
ExmMemoryOption *exm_memory_option_parse(const char *text, GError **error)
{
	g_autoptr(ExmMemoryOption) option = g_new0(ExmMemoryOption, 1);
	g_autoptr(GPtrArray) pairs = exm_keyval_split(text);
	const ExmPair *first = pairs->pdata[0];
	Seen seen = 0;

	option->mapping = EXM_MAPPING_SHARED;
	if (!read_path(first, &option->path, error))
		return NULL;
	for (guint i = 1; i < pairs->len; i++)
		if (!read_key(pairs->pdata[i], option, &seen, error))
			return NULL;
	if (!check_sense(option, seen, error))
		return NULL;
	return g_steal_pointer(&option);
}

static void append_value(GString *text, const char *value)
{
	g_autofree char *escaped = exm_keyval_escape(value);

	g_string_append(text, escaped);
}

/**
 * exm_memory_option_print() - Write a memory option as exm_memory_option_parse() reads it
 * @option: the option
 *
 * Mode and mapping are always said, other keys where they were; always in the same order.
 *
 * Return: the text (transfer full).
 */
char *exm_memory_option_print(const ExmMemoryOption *option)
{
	GString *text = g_string_new(NULL);

	append_value(text, option->path);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *value = keys[i].write((const char *)option + keys[i].offset);

		if (!value)
			continue;
		g_string_append_printf(text, ",%s", keys[i].name);
		if (keys[i].read == read_flag)
			continue;
		g_string_append_c(text, '=');
		append_value(text, value);
	}
	return g_string_free(text, FALSE);
}

/**
 * exm_memory_option_free() - Free a memory option
 * @option: may be NULL
 */
void exm_memory_option_free(ExmMemoryOption *option)
{
	if (!option)
		return;
	g_free(option->path);
	if (option->host_nodes)
		g_array_unref(option->host_nodes);
	g_free(option->policy);
	g_free(option);
}

static bool read_node(const char *text, guint64 *ret_node)
{
	return g_ascii_string_to_unsigned(text, 10, 0, NODE_MAX, ret_node, NULL);
}

/**
 * exm_node_list_parse() - Read a list of NUMA nodes
 * @text:      the kernel's list format: "0-1,3"
 * @ret_nodes: of guint, in the order written (transfer full)
 * @error:     USAGE
 */
bool exm_node_list_parse(const char *text, GArray **ret_nodes, GError **error)
{
	g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(guint));
	g_auto(GStrv) ranges = g_strsplit(text, ",", -1);

	for (char **range = ranges; *range; range++) {
		g_auto(GStrv) ends = g_strsplit(*range, "-", 2);
		guint64 first;
		guint64 last;

		if (!ends[0] || !read_node(ends[0], &first) ||
		    !read_node(ends[1] ? ends[1] : ends[0], &last) || last < first)
			return exm_throw(error, EXM_ERROR_USAGE,
			                 "'%s' is not a list of NUMA nodes such as 0 or 0-1,,3",
			                 text);
		for (guint node = (guint)first; node <= last; node++)
			g_array_append_val(nodes, node);
	}
	if (nodes->len == 0)
		return exm_throw(error, EXM_ERROR_USAGE, "the list of NUMA nodes is empty");
	*ret_nodes = g_steal_pointer(&nodes);
	return true;
}
