/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_probe_cache.c - A recorded answer of QEMU that is loaded is stored and loaded as the same */

#include "host/probe_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

/* The binary that the records of the corpus are about. */
static char binary[] = "/q";
static const ExmProbeKey key = { .path = binary, .device = 1, .inode = 2, .size = 3 };

static char *directory;
static char *file;

static void remove_directory(void)
{
	g_assert_cmpint(unlink(file), ==, 0);
	g_assert_cmpint(rmdir(directory), ==, 0);
	g_free(file);
	g_free(directory);
}

/* The cache's only file, whatever it is called. */
static char *only_file(void)
{
	g_autoptr(GDir) names = g_dir_open(directory, 0, NULL);

	g_assert_nonnull(names);
	return g_build_filename(directory, g_dir_read_name(names), NULL);
}

static void store(const ExmCaps *caps)
{
	g_autoptr(GError) error = NULL;

	exm_probe_cache_store(directory, &key, caps, &error);
	g_assert_no_error(error);
}

static void make_directory(void)
{
	g_autoptr(ExmCaps) nothing = exm_caps_new();
	g_autoptr(GError) error = NULL;

	directory = g_dir_make_tmp("exomem-fuzz-XXXXXX", &error);
	g_assert_no_error(error);
	store(nothing);
	file = only_file();
	atexit(remove_directory);
}

static void check_same_list(char *const *one, char *const *other)
{
	g_assert_true(g_strv_equal((const char *const *)one, (const char *const *)other));
}

static void check_same_machines(const GPtrArray *one, const GPtrArray *other)
{
	g_assert_cmpuint(one->len, ==, other->len);
	for (guint i = 0; i < one->len; i++) {
		const ExmMachine *a = one->pdata[i];
		const ExmMachine *b = other->pdata[i];

		g_assert_cmpstr(a->name, ==, b->name);
		g_assert_cmpstr(a->alias, ==, b->alias);
		g_assert_cmpstr(a->ram_id, ==, b->ram_id);
		g_assert_cmpint(a->is_default, ==, b->is_default);
	}
}

static void check_same(const ExmCaps *one, const ExmCaps *other)
{
	g_assert_cmpstr(one->path, ==, other->path);
	g_assert_cmpstr(one->version, ==, other->version);
	g_assert_cmpint(one->major, ==, other->major);
	g_assert_cmpint(one->minor, ==, other->minor);
	g_assert_cmpint(one->micro, ==, other->micro);
	g_assert_cmpstr(one->package, ==, other->package);
	g_assert_cmpstr(one->target, ==, other->target);
	check_same_machines(one->machines, other->machines);
	check_same_list(one->accelerators, other->accelerators);
	check_same_list(one->file_properties, other->file_properties);
	check_same_list(one->ram_properties, other->ram_properties);
	check_same_list(one->migration_capabilities, other->migration_capabilities);
	check_same_list(one->transports, other->transports);
	check_same_list(one->devices, other->devices);
	check_same_list(one->objects, other->objects);
}

static void write_file(const uint8_t *data, size_t size)
{
	FILE *stream = fopen(file, "we");

	g_assert_nonnull(stream);
	g_assert_cmpuint(fwrite(data, 1, size, stream), ==, size);
	g_assert_cmpint(fclose(stream), ==, 0);
}

/**
 * LLVMFuzzerTestOneInput() - Load a record from the cache
 * @data: text of the cache's file
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(ExmCaps) caps = NULL;
	g_autoptr(ExmCaps) again = NULL;

	if (!directory)
		make_directory();
	write_file(data, size);
	caps = exm_probe_cache_load(directory, &key);
	if (!caps)
		return 0;
	store(caps);
	again = exm_probe_cache_load(directory, &key);
	g_assert_nonnull(again);
	check_same(caps, again);
	return 0;
}
