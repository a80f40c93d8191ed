/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_config.c - A configuration file is read whole or refused; what its keys say is there or an error */

#include "host/config_file.h"
#include "plan/config.h"
#include "plan/finding.h"
#include "plan/memory_config.h"
#include "plan/pool.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"

/* A path that leads to the input. */
static char *input_path(const uint8_t *data, size_t size, int *ret_fd)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(fchmod(fd, 0600), ==, 0);
	g_assert_cmpint(write(fd, data, size), ==, (ssize_t)size);
	g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
	*ret_fd = fd;
	return g_strdup_printf("/proc/self/fd/%d", fd);
}

static void entry_free(gpointer entry)
{
	exm_config_entry_free(entry);
}

static void check_entries(const GPtrArray *entries)
{
	for (guint i = 0; i < entries->len; i++) {
		const ExmConfigEntry *entry = entries->pdata[i];

		g_assert_true(entry->group && entry->name && entry->value && entry->file);
		g_assert_true(*entry->name && !strchr(entry->value, '\n'));
	}
}

static void check_memory(const ExmConfig *config)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmMemoryConfig) memory = exm_memory_config_new(config, "/store", &error);
	g_autoptr(GPtrArray) findings = exm_findings_new();

	if (!memory && error)
		assert_rejected(error);
	if (memory)
		exm_memory_config_check(memory, findings);
}

static void check_pool(const ExmConfig *config)
{
	const char *text = exm_config_get(config, "pmem", "pmem_namespaces");
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPool) pool = text ? exm_pool_parse(text, &error) : NULL;

	if (text && !pool)
		assert_rejected(error);
}

/**
 * LLVMFuzzerTestOneInput() - Read a configuration file
 * @data: its text
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	exm_autofd int fd = -1;
	g_autofree char *path = input_path(data, size, &fd);
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmConfig) config = NULL;
	g_autofree char *text = NULL;

	if (!exm_config_file_read(path, entries, &error)) {
		assert_rejected(error);
		return 0;
	}
	g_assert_no_error(error);
	check_entries(entries);
	config = exm_config_new(g_steal_pointer(&entries));
	text = json_text_and_put(exm_config_to_json(config));
	exm_json_put(json_of(text));
	check_memory(config);
	check_pool(config);
	return 0;
}
