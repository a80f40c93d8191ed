/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmem_option.c - The grammar of --pmem */

#include "plan/pmem_option.h"

#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/keyval.h"
#include "base/size.h"

#define FILE_PREFIX "file:"

/* QEMU, include/hw/mem/nvdimm.h: MIN_NAMESPACE_LABEL_SIZE */
#define LABEL_SIZE_MIN (128 * EXM_KIB)

/* QEMU, include/sysemu/numa.h: MAX_NODES */
#define NODE_MAX 127

/* Words that stand alone. */
static const struct {
	const char *name;
	size_t offset;
} flags[] = {
	{ "ephemeral", G_STRUCT_OFFSET(ExmPmemOption, ephemeral) },
	{ "readonly", G_STRUCT_OFFSET(ExmPmemOption, readonly) },
	{ "unarmed", G_STRUCT_OFFSET(ExmPmemOption, unarmed) },
	{ "virtio", G_STRUCT_OFFSET(ExmPmemOption, virtio) },
};

static bool *find_flag(ExmPmemOption *option, const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
		if (strcmp(flags[i].name, word) == 0)
			return &G_STRUCT_MEMBER(bool, option, flags[i].offset);
	return NULL;
}

/**
 * exm_pmem_option_is_flag() - Whether a word means something that is no source of memory
 * @word: the word
 */
bool exm_pmem_option_is_flag(const char *word)
{
	ExmPmemOption option;

	return find_flag(&option, word);
}

static bool read_size(ExmPmemOption *option, const char *value, GError **error)
{
	return exm_size_parse(value, 1, &option->size, error);
}

/* QEMU, hw/mem/nvdimm.c, nvdimm_set_label_size() */
static bool read_label_size(ExmPmemOption *option, const char *value, GError **error)
{
	option->label_size_said = true;
	option->label_size = 0;
	if (strcmp(value, "0") == 0)
		return true;
	if (!exm_size_parse(value, 1, &option->label_size, error))
		return false;
	return option->label_size >= LABEL_SIZE_MIN ||
	       exm_throw(error, EXM_ERROR_USAGE,
	                 "'%s' is too small for labels: 128K at least, or 0 for none", value);
}

static bool read_uuid(ExmPmemOption *option, const char *value, GError **error)
{
	g_free(option->uuid);
	option->uuid = g_strdup(value);
	return g_uuid_string_is_valid(value) ||
	       exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a uuid", value);
}

static bool read_node(ExmPmemOption *option, const char *value, GError **error)
{
	option->node_said = true;
	return g_ascii_string_to_unsigned(value, 10, 0, NODE_MAX, &option->node, NULL) ||
	       exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a node number", value);
}

/* Keys with a value. */
static const struct {
	const char *name;
	bool (*read)(ExmPmemOption *option, const char *value, GError **error);
} keys[] = {
	{ "label-size", read_label_size },
	{ "node", read_node },
	{ "size", read_size },
	{ "uuid", read_uuid },
};

static bool throw_key(const char *key, GError **error)
{
	const char *names[G_N_ELEMENTS(keys) + G_N_ELEMENTS(flags)];
	const char *near;
	size_t count = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		names[count++] = keys[i].name;
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
		names[count++] = flags[i].name;
	near = exm_nearest(key, names, count);
	if (near)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a key (did you mean '%s'?)",
		                 key, near);
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a key", key);
}

static bool read_key(ExmPmemOption *option, const ExmPair *pair, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		if (strcmp(keys[i].name, pair->key) != 0)
			continue;
		if (keys[i].read(option, pair->value, error))
			return true;
		g_prefix_error(error, "%s: ", pair->key);
		return false;
	}
	if (find_flag(option, pair->key))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' stands alone, without a value",
		                 pair->key);
	return throw_key(pair->key, error);
}

static bool read_file(ExmPmemOption *option, const ExmPair *pair, GError **error)
{
	/* A path may have an equals sign in it, and then the list has taken it apart. */
	g_autofree char *whole = pair->key ? g_strdup_printf("%s=%s", pair->key, pair->value)
	                                   : g_strdup(pair->value);

	if (option->file)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is a second file: give it a --pmem of "
		                 "its own",
		                 whole);
	option->file = g_strdup(whole + strlen(FILE_PREFIX));
	return *option->file || exm_throw(error, EXM_ERROR_USAGE, "'%s' names no file", whole);
}

static bool read_pair(ExmPmemOption *option, const ExmPair *pair, GError **error)
{
	const char *start = pair->key ? pair->key : pair->value;
	bool *flag = pair->key ? NULL : find_flag(option, pair->value);

	if (g_str_has_prefix(start, FILE_PREFIX))
		return read_file(option, pair, error);
	if (pair->key)
		return read_key(option, pair, error);
	if (flag)
		*flag = true;
	/* As in Nova's hw:pmem, where spaces and empty items do not count. */
	else if (*g_strstrip(pair->value))
		g_ptr_array_add(option->sources, g_strdup(pair->value));
	return true;
}

static bool check_virtio(const ExmPmemOption *option, GError **error)
{
	const char *wrong = option->label_size_said && option->label_size ? "label-size"
	                    : option->node_said                           ? "node"
	                    : option->unarmed                             ? "unarmed"
	                    : option->readonly                            ? "readonly"
	                    : option->uuid                                ? "uuid"
	                                                                  : NULL;

	return !wrong ||
	       exm_throw(error, EXM_ERROR_USAGE,
	                 "'virtio' and '%s' exclude each other: only an NVDIMM has that", wrong);
}

static bool check(const ExmPmemOption *option, GError **error)
{
	const guint count = option->sources->len + (option->file != NULL);

	if (count == 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "say which: a label, a namespace, a device or file:PATH");
	if (option->file && option->sources->len)
		return exm_throw(error, EXM_ERROR_USAGE, "give the file a --pmem of its own");
	if (option->size && !option->file)
		return exm_throw(error, EXM_ERROR_USAGE, "'size' goes with 'file:PATH'");
	if (option->ephemeral && option->file)
		return exm_throw(error, EXM_ERROR_USAGE, "'ephemeral' goes with a namespace");
	if (option->ephemeral && option->readonly)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'ephemeral' and 'readonly' exclude each other");
	if (option->uuid && count > 1)
		return exm_throw(error, EXM_ERROR_USAGE, "'uuid' is for one device, not for %u",
		                 count);
	return !option->virtio || check_virtio(option, error);
}

/**
 * exm_pmem_option_parse() - Read the argument of --pmem
 * @text:  "6GB,LARGE,label-size=128K", "/dev/dax0.0,readonly", "file:/mem/nv,size=4G"
 * @error: USAGE
 *
 * Return: the option (transfer full), or NULL.
 */
ExmPmemOption *exm_pmem_option_parse(const char *text, GError **error)
{
	g_autoptr(ExmPmemOption) option = g_new0(ExmPmemOption, 1);
	g_autoptr(GPtrArray) pairs = exm_keyval_split(text);

	option->sources = g_ptr_array_new_with_free_func(g_free);
	option->label_size = EXM_PMEM_LABEL_SIZE;
	for (guint i = 0; i < pairs->len; i++)
		if (!read_pair(option, pairs->pdata[i], error))
			return NULL;
	if (option->virtio && !option->label_size_said)
		option->label_size = 0;
	if (!check(option, error))
		return NULL;
	return g_steal_pointer(&option);
}

/**
 * exm_pmem_option_free() - Free an option
 * @option: may be NULL
 */
void exm_pmem_option_free(ExmPmemOption *option)
{
	if (!option)
		return;
	g_ptr_array_unref(option->sources);
	g_free(option->file);
	g_free(option->uuid);
	g_free(option);
}
