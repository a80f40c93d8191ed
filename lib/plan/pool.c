/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.c - Labels for namespaces of persistent memory, in Nova's syntax */

#include "plan/pool.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "plan/pmem_option.h"

#define CLASS_PREFIX "CUSTOM_"
#define CLASS_MIDDLE "PMEM_NAMESPACE_"

/* A name has so many bytes at most (Linux, drivers/nvdimm/nd.h: NSLABEL_NAME_LEN, with a NUL). */
#define NAME_MAX_LENGTH 63

static void label_free(gpointer data)
{
	ExmPoolLabel *label = data;

	g_free(label->label);
	g_free(label->resource_class);
	g_ptr_array_unref(label->names);
	g_free(label);
}

/**
 * exm_pool_free() - Free a pool
 * @pool: may be NULL
 */
void exm_pool_free(ExmPool *pool)
{
	if (!pool)
		return;
	g_ptr_array_unref(pool->labels);
	g_free(pool);
}

/**
 * exm_pool_resource_class() - What placement calls a label
 * @label: valid UTF-8
 *
 * As os_resource_classes.normalize_name() does it: upper case, and one underscore for each run of
 * characters that are no letters of ASCII or digits.
 *
 * Return: "CUSTOM_PMEM_NAMESPACE_6GB" (transfer full).
 */
char *exm_pool_resource_class(const char *label)
{
	g_autofree char *whole = g_strconcat(CLASS_MIDDLE, label, NULL);
	g_autofree char *upper = g_utf8_strup(whole, -1);
	g_autoptr(GString) class = g_string_new(CLASS_PREFIX);
	bool in_run = false;

	for (const char *at = upper; *at; at++) {
		const bool keeps = g_ascii_isupper(*at) || g_ascii_isdigit(*at);

		if (keeps)
			g_string_append_c(class, *at);
		else if (!in_run)
			g_string_append_c(class, '_');
		in_run = !keeps;
	}
	return g_string_free(g_steal_pointer(&class), FALSE);
}

static ExmPoolLabel *find_label(const ExmPool *pool, const char *label)
{
	for (guint i = 0; i < pool->labels->len; i++) {
		ExmPoolLabel *one = pool->labels->pdata[i];

		if (strcmp(one->label, label) == 0)
			return one;
	}
	return NULL;
}

/**
 * exm_pool_find() - The label of a text
 * @pool:  the pool
 * @label: exactly as it was written
 *
 * Return: the label (borrowed), or NULL.
 */
const ExmPoolLabel *exm_pool_find(const ExmPool *pool, const char *label)
{
	return find_label(pool, label);
}

static bool has_name(const ExmPool *pool, const char *name)
{
	for (guint i = 0; i < pool->labels->len; i++) {
		const ExmPoolLabel *label = pool->labels->pdata[i];

		if (g_ptr_array_find_with_equal_func(label->names, name, g_str_equal, NULL))
			return true;
	}
	return false;
}

/* A label that no guest could ask for, which Nova lets pass. */
static bool check_label(const char *label, GError **error)
{
	g_autofree char *stripped = g_strstrip(g_strdup(label));

	if (!*stripped)
		return exm_throw(error, EXM_ERROR_USAGE, "a label is empty");
	if (!g_utf8_validate(label, -1, NULL))
		return exm_throw(error, EXM_ERROR_USAGE, "a label is not UTF-8");
	if (strcmp(stripped, label) != 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "label '%s' begins or ends with a space: no guest could ask for it",
		                 label);
	if (strpbrk(label, "=/") || exm_pmem_option_is_flag(label))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "label '%s' means something else to 'run --pmem': call it otherwise",
		                 label);
	return true;
}

/* Guests ask by label, placement counts by class: two labels of one class would be mixed up. */
static bool check_class(const ExmPool *pool, const ExmPoolLabel *label, GError **error)
{
	for (guint i = 0; i < pool->labels->len; i++) {
		const ExmPoolLabel *other = pool->labels->pdata[i];

		if (strcmp(other->resource_class, label->resource_class) == 0)
			return exm_throw(error, EXM_ERROR_USAGE,
			                 "labels '%s' and '%s' are one resource class, '%s': call one "
			                 "otherwise",
			                 other->label, label->label, label->resource_class);
	}
	return true;
}

static bool find_or_add_label(ExmPool *pool, const char *text, ExmPoolLabel **ret_label,
                              GError **error)
{
	ExmPoolLabel *label = find_label(pool, text);

	if (!label) {
		if (!check_label(text, error))
			return false;
		label = g_new0(ExmPoolLabel, 1);
		label->label = g_strdup(text);
		label->resource_class = exm_pool_resource_class(text);
		label->names = g_ptr_array_new_with_free_func(g_free);
		if (!check_class(pool, label, error)) {
			label_free(label);
			return false;
		}
		g_ptr_array_add(pool->labels, label);
	}
	*ret_label = label;
	return true;
}

static bool add_name(const ExmPool *pool, const ExmPoolLabel *label, const char *name, GError **error)
{
	if (!*name)
		return exm_throw(error, EXM_ERROR_USAGE, "a namespace of label '%s' has no name",
		                 label->label);
	if (strlen(name) > NAME_MAX_LENGTH)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is longer than a namespace's name",
		                 name);
	if (has_name(pool, name))
		return exm_throw(error, EXM_ERROR_USAGE, "namespace '%s' is there twice", name);
	g_ptr_array_add(label->names, g_strdup(name));
	return true;
}

static bool add_item(ExmPool *pool, const char *item, GError **error)
{
	const char *colon = strchr(item, ':');
	g_autofree char *text = colon ? g_strndup(item, (gsize)(colon - item)) : NULL;
	g_auto(GStrv) names = colon ? g_strsplit(colon + 1, "|", -1) : NULL;
	ExmPoolLabel *label;

	if (!colon)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not LABEL:NAMESPACE[|NAMESPACE]...", item);
	if (!find_or_add_label(pool, text, &label, error))
		return false;
	/* g_strsplit() makes no word of nothing. */
	if (!names[0])
		return add_name(pool, label, "", error);
	for (char **name = names; *name; name++)
		if (!add_name(pool, label, *name, error))
			return false;
	return true;
}

/**
 * exm_pool_parse() - Read pmem_namespaces
 * @text:  "6GB:ns0|ns1|ns2,LARGE:ns3"; nothing is a pool without labels; may be NULL
 * @error: USAGE
 *
 * Nova's grammar (nova/virt/libvirt/driver.py, _discover_vpmems() and _get_vpmems_by_name()): a
 * list of oslo.config, which takes spaces away around its items and nowhere else; the first colon
 * ends the label. What Nova lets pass and what would go wrong later is refused: see check_label(),
 * check_class() and add_name().
 *
 * Return: the pool (transfer full), or NULL.
 */
ExmPool *exm_pool_parse(const char *text, GError **error)
{
	g_autofree char *stripped = g_strstrip(g_strdup(text ? text : ""));
	g_auto(GStrv) items = g_strsplit(stripped, ",", -1);
	g_autoptr(ExmPool) pool = g_new0(ExmPool, 1);

	pool->labels = g_ptr_array_new_with_free_func(label_free);
	for (char **item = items; *item; item++) {
		if (!add_item(pool, g_strstrip(*item), error)) {
			g_prefix_error(error, "pmem_namespaces: ");
			return NULL;
		}
	}
	return g_steal_pointer(&pool);
}

/* What is wrong with one name of a label; NULL where nothing is. */
static GError *name_problem(const char *name, const GPtrArray *namespaces, GPtrArray *seen)
{
	ExmNamespace *namespace;
	GError *problem = NULL;

	if (!exm_namespaces_find(namespaces, name, &namespace, &problem))
		return problem;
	if (g_ptr_array_find(seen, namespace, NULL))
		exm_throw(&problem, EXM_ERROR_USAGE, "namespace '%s' is there twice, once as '%s'",
		          exm_namespace_title(namespace), name);
	else
		exm_namespace_check(namespace, &problem);
	g_ptr_array_add(seen, namespace);
	return problem;
}

static void error_free(gpointer error)
{
	g_error_free(error);
}

/**
 * exm_pool_problems() - All that is wrong with a pool on this host
 * @pool:       the pool
 * @namespaces: of ExmNamespace
 *
 * Return: of GError (transfer full), in the order of the pool; empty where nothing is wrong.
 */
GPtrArray *exm_pool_problems(const ExmPool *pool, const GPtrArray *namespaces)
{
	GPtrArray *problems = g_ptr_array_new_with_free_func(error_free);
	g_autoptr(GPtrArray) seen = g_ptr_array_new();

	for (guint i = 0; i < pool->labels->len; i++) {
		const ExmPoolLabel *label = pool->labels->pdata[i];

		for (guint j = 0; j < label->names->len; j++) {
			GError *problem = name_problem(label->names->pdata[j], namespaces, seen);

			if (!problem)
				continue;
			g_prefix_error(&problem, "pmem_namespaces: label '%s': ", label->label);
			g_ptr_array_add(problems, problem);
		}
	}
	return problems;
}

/**
 * exm_pool_check() - Refuse a pool that does not fit this host
 * @pool:       the pool
 * @namespaces: of ExmNamespace
 * @error:      the first of exm_pool_problems()
 */
bool exm_pool_check(const ExmPool *pool, const GPtrArray *namespaces, GError **error)
{
	g_autoptr(GPtrArray) problems = exm_pool_problems(pool, namespaces);

	if (problems->len == 0)
		return true;
	g_propagate_error(error, g_error_copy(problems->pdata[0]));
	return false;
}

/**
 * exm_pool_label_namespaces() - The namespaces of a label
 * @label:      the label
 * @namespaces: of ExmNamespace
 *
 * Return: of ExmNamespace (transfer container), in the label's order; names that mean none, or
 * more than one, are left out.
 */
GPtrArray *exm_pool_label_namespaces(const ExmPoolLabel *label, const GPtrArray *namespaces)
{
	GPtrArray *found = g_ptr_array_new();

	for (guint i = 0; i < label->names->len; i++) {
		ExmNamespace *namespace;

		if (exm_namespaces_find(namespaces, label->names->pdata[i], &namespace, NULL))
			g_ptr_array_add(found, namespace);
	}
	return found;
}

/**
 * exm_pool_label_of() - The label that a namespace is under
 * @pool:       the pool
 * @namespaces: of ExmNamespace
 * @namespace:  one of them
 *
 * Return: the label (borrowed), or NULL.
 */
const ExmPoolLabel *exm_pool_label_of(const ExmPool *pool, const GPtrArray *namespaces,
                                      const ExmNamespace *namespace)
{
	for (guint i = 0; i < pool->labels->len; i++) {
		const ExmPoolLabel *label = pool->labels->pdata[i];
		g_autoptr(GPtrArray) own = exm_pool_label_namespaces(label, namespaces);

		if (g_ptr_array_find(own, namespace, NULL))
			return label;
	}
	return NULL;
}

/**
 * exm_pool_warnings() - What Nova's manual recommends and a pool does not do
 * @pool:       the pool
 * @namespaces: of ExmNamespace
 *
 * Return: of char * (transfer full).
 */
GPtrArray *exm_pool_warnings(const ExmPool *pool, const GPtrArray *namespaces)
{
	GPtrArray *warnings = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < pool->labels->len; i++) {
		const ExmPoolLabel *label = pool->labels->pdata[i];
		g_autoptr(GPtrArray) own = exm_pool_label_namespaces(label, namespaces);

		for (guint j = 1; j < own->len; j++) {
			const ExmNamespace *first = own->pdata[0], *other = own->pdata[j];
			g_autofree char *one = exm_size_human(first->size);
			g_autofree char *two = exm_size_human(other->size);

			if (first->size == other->size)
				continue;
			g_ptr_array_add(warnings,
			                g_strdup_printf("label '%s' has namespaces of different size: "
			                                "'%s' has %s, '%s' has %s",
			                                label->label, exm_namespace_title(first),
			                                one, exm_namespace_title(other), two));
			break;
		}
	}
	return warnings;
}
