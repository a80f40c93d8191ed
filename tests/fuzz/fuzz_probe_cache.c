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
	g_autofree char *text = NULL;
	g_autofree char *text_again = NULL;
	FILE *stream;

	if (!directory)
		make_directory();
	stream = fopen(file, "we");
	g_assert_nonnull(stream);
	g_assert_cmpuint(fwrite(data, 1, size, stream), ==, size);
	g_assert_cmpint(fclose(stream), ==, 0);
	caps = exm_probe_cache_load(directory, &key);
	if (!caps)
		return 0;
	text = json_text_and_put(exm_caps_to_json(caps));
	store(caps);
	again = exm_probe_cache_load(directory, &key);
	g_assert_nonnull(again);
	text_again = json_text_and_put(exm_caps_to_json(again));
	g_assert_cmpstr(text, ==, text_again);
	return 0;
}
