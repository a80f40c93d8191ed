/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_config.c - What [memory] of the configuration says, checked as Nova checks it, and more */

#include "plan/memory_config.h"

#include <math.h>

#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/size.h"
#include "plan/finding.h"

#define GROUP "memory"

/* More MiB than this are no number of bytes that a file can have. */
#define MIB_MAX ((uint64_t)G_MAXINT64 / EXM_MIB)

#define DEFAULT_HOST_DIRECTORY "/run/exomem"

static bool read_mib(const ExmConfig *config, const char *name, uint64_t *ret_bytes, GError **error)
{
	const char *text = exm_config_get(config, GROUP, name);
	uint64_t mib = 0;

	if (!text)
		return true;
	if (!g_ascii_string_to_unsigned(text, 10, 0, MIB_MAX, &mib, NULL))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "%s: '%s' is not a whole number of MiB from 0 to %" G_GUINT64_FORMAT,
		                 name, text, MIB_MAX);
	*ret_bytes = mib * EXM_MIB;
	return true;
}

static bool read_ratio(const ExmConfig *config, ExmMemoryConfig *memory, GError **error)
{
	const char *text = exm_config_get(config, GROUP, "ram_allocation_ratio");
	char *end = NULL;

	memory->ratio = 1;
	memory->ratio_said = text;
	if (!text)
		return true;
	memory->ratio = g_ascii_strtod(text, &end);
	if (end != text && !*end && isfinite(memory->ratio) && memory->ratio >= 0)
		return true;
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "ram_allocation_ratio: '%s' is not a number from 0 on", text);
}

/* As Nova spells them (oslo.config, types.Boolean). */
static const char *const truth_names[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
static const ExmEnumTable truths = { "yes or no", truth_names, G_N_ELEMENTS(truth_names) };

static bool read_truth(const ExmConfig *config, const char *name, bool *ret_value, GError **error)
{
	const char *text = exm_config_get(config, GROUP, name);
	g_autofree char *lower = text ? g_ascii_strdown(text, -1) : NULL;
	int value = 0;

	if (lower && !exm_enum_parse(&truths, lower, &value, error)) {
		g_prefix_error(error, "%s: ", name);
		return false;
	}
	*ret_value = value % 2 == 1;
	return true;
}

static bool read_directory(const ExmConfig *config, const char *name, const char *otherwise,
                           char **ret_path, GError **error)
{
	const char *text = exm_config_get(config, GROUP, name);

	if (text && *text != '/')
		return exm_throw(error, EXM_ERROR_USAGE, "%s: '%s' does not begin with '/'", name,
		                 text);
	*ret_path = g_strdup(text ? text : otherwise);
	return true;
}

/**
 * exm_memory_config_new() - What the configuration says of guests' memory
 * @config:    the configuration
 * @directory: where memory files go if it does not say
 * @error:     USAGE where a value cannot be
 *
 * Return: what it says (transfer full), or NULL.
 */
ExmMemoryConfig *exm_memory_config_new(const ExmConfig *config, const char *directory, GError **error)
{
	g_autoptr(ExmMemoryConfig) memory = g_new0(ExmMemoryConfig, 1);

	memory->virt_type = g_strdup(exm_config_get(config, GROUP, "virt_type"));
	if (!read_mib(config, "file_backed_memory", &memory->capacity, error) ||
	    !read_mib(config, "reserved_host_memory_mb", &memory->reserved, error) ||
	    !read_ratio(config, memory, error) ||
	    !read_truth(config, "allow_other_backing", &memory->other_backing, error) ||
	    !read_directory(config, "memory_backing_dir", directory, &memory->directory, error) ||
	    !read_directory(config, "host_state_dir", DEFAULT_HOST_DIRECTORY,
	                    &memory->host_directory, error))
		return NULL;
	return g_steal_pointer(&memory);
}

/**
 * exm_memory_config_free() - Free what the configuration says
 * @config: may be NULL
 */
void exm_memory_config_free(ExmMemoryConfig *config)
{
	if (!config)
		return;
	g_free(config->directory);
	g_free(config->virt_type);
	g_free(config->host_directory);
	g_free(config);
}

static void check_ratio(const ExmMemoryConfig *config, GPtrArray *findings)
{
	if (config->ratio < 1 || config->ratio > 1)
		exm_findings_add(findings, EXM_SEVERITY_FATAL, EXM_ERROR_USAGE, "ratio",
		                 "file_backed_memory needs ram_allocation_ratio = 1.0, not %g",
		                 config->ratio);
	else
		exm_findings_add(findings, EXM_SEVERITY_OK, 0, "ratio",
		                 "ram_allocation_ratio is 1.0%s",
		                 config->ratio_said ? "" : ", as it is where nobody says it");
}

static void check_reserve(const ExmMemoryConfig *config, GPtrArray *findings)
{
	const uint64_t reserved = config->reserved / EXM_MIB;
	const uint64_t capacity = config->capacity / EXM_MIB;

	if (config->reserved >= config->capacity)
		exm_findings_add(findings, EXM_SEVERITY_FATAL, EXM_ERROR_USAGE, "reserve",
		                 "reserved_host_memory_mb = %" G_GUINT64_FORMAT
		                 " leaves nothing of file_backed_memory = %" G_GUINT64_FORMAT,
		                 reserved, capacity);
	else if (reserved)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "reserve",
		                 "reserving memory of the host (reserved_host_memory_mb = "
		                 "%" G_GUINT64_FORMAT
		                 ") takes it from the store, and is an error in later Novas: set it "
		                 "to 0",
		                 reserved);
	else
		exm_findings_add(findings, EXM_SEVERITY_OK, 0, "reserve", "nothing is reserved");
}

static void check_virt_type(const ExmMemoryConfig *config, GPtrArray *findings)
{
	static const char *const types[] = { "kvm", "qemu", NULL };

	if (config->virt_type && !g_strv_contains(types, config->virt_type))
		exm_findings_add(findings, EXM_SEVERITY_FATAL, EXM_ERROR_USAGE, "virt-type",
		                 "file_backed_memory needs virt_type = kvm or qemu, not '%s'",
		                 config->virt_type);
}

/**
 * exm_memory_config_check() - What Nova checks when it starts
 * @config:   with file backing on
 * @findings: of ExmFinding; grows
 *
 * As nova/virt/libvirt/host.py, _check_file_backed_memory_support(), has them. There, a ratio that
 * nobody says is not 1.0, and the reserve is 512 MiB where nobody says it.
 */
void exm_memory_config_check(const ExmMemoryConfig *config, GPtrArray *findings)
{
	check_virt_type(config, findings);
	check_ratio(config, findings);
	check_reserve(config, findings);
}
