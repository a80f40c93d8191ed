/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe_cache.c - Answers of QEMU binaries, kept as long as the binary stays the same */

#include "host/probe_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/size.h"
#include "host/safe_open.h"

/* To be raised whenever a probe finds out more than before, or writes it in another way. */
#define SCHEMA 2

/* An answer has some 30 KiB. */
#define ANSWER_MAX (16 * EXM_MIB)

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

/**
 * exm_probe_key_read() - Read what tells a binary from another, or from what it was before
 * @binary: its resolved path
 * @error:  SYSTEM where it cannot be looked at
 *
 * Return: the key (transfer full), or NULL.
 */
ExmProbeKey *exm_probe_key_read(const char *binary, GError **error)
{
	ExmProbeKey *key;
	struct stat info;

	if (stat(binary, &info) < 0) {
		exm_throw_errno(error, errno, "QEMU binary '%s'", binary);
		return NULL;
	}
	key = g_new0(ExmProbeKey, 1);
	key->path = g_strdup(binary);
	key->device = info.st_dev;
	key->inode = info.st_ino;
	key->size = (uint64_t)info.st_size;
	key->mtime_ns = nanoseconds(&info.st_mtim);
	key->ctime_ns = nanoseconds(&info.st_ctim);
	return key;
}

/**
 * exm_probe_key_free() - Free a key
 * @key: may be NULL
 */
void exm_probe_key_free(ExmProbeKey *key)
{
	if (!key)
		return;
	g_free(key->path);
	g_free(key);
}

static ExmJson *key_to_json(const ExmProbeKey *key)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "schema", SCHEMA);
	exm_json_set_string(json, "path", key->path);
	exm_json_set_uint(json, "device", key->device);
	exm_json_set_uint(json, "inode", key->inode);
	exm_json_set_uint(json, "size", key->size);
	exm_json_set_uint(json, "mtime-ns", key->mtime_ns);
	exm_json_set_uint(json, "ctime-ns", key->ctime_ns);
	return json;
}

static char *cache_path(const char *directory, const char *binary)
{
	g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, binary, -1);

	return g_strdup_printf("%s/probe-%.16s.json", directory, hash);
}

/* Text of a cache file, or NULL where it is not there, or could be of another user. */
static GString *read_own_file(const char *path)
{
	g_autofree char *distrust = NULL;
	exm_autofd int fd = exm_safe_open_parent(path, &distrust, NULL);
	g_autoptr(GString) text = fd < 0 ? NULL
	                                 : exm_safe_read(fd, path, ANSWER_MAX, &distrust, NULL);

	return distrust ? NULL : g_steal_pointer(&text);
}

/* What is not there yet counts as little as what is ours. */
static bool check_directory(const char *directory, GError **error)
{
	g_autofree char *distrust = NULL;
	G_GNUC_UNUSED exm_autofd int fd = exm_safe_open_directory(directory, &distrust, NULL);

	return !distrust ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "cannot use '%s': %s", directory, distrust);
}

/**
 * exm_probe_cache_load() - Take a recorded answer
 * @directory: where answers are kept
 * @key:       of the binary, as it is now
 *
 * Return: the capabilities (transfer full), or NULL where there are none, where they are damaged or
 * another user's, or where the binary was another then.
 */
ExmCaps *exm_probe_cache_load(const char *directory, const ExmProbeKey *key)
{
	g_autofree char *path = cache_path(directory, key->path);
	g_autoptr(ExmJson) wanted = key_to_json(key);
	g_autoptr(ExmJson) json = NULL;
	g_autoptr(GString) text = read_own_file(path);

	if (!text)
		return NULL;
	json = exm_json_parse(text->str, text->len, NULL);
	if (!json || !json_object_equal(exm_json_member(json, "key"), wanted))
		return NULL;
	return exm_caps_from_json(exm_json_member(json, "caps"), NULL);
}

/**
 * exm_probe_cache_store() - Record an answer
 * @directory: where answers are kept; made if it is missing
 * @key:       of the binary, read before it was asked
 * @caps:      what it answered
 * @error:     SYSTEM where it cannot be written, which the next start only makes slower
 *
 * Return: whether it is recorded.
 */
bool exm_probe_cache_store(const char *directory, const ExmProbeKey *key, const ExmCaps *caps,
                           GError **error)
{
	g_autofree char *path = cache_path(directory, key->path);
	g_autoptr(ExmJson) json = json_object_new_object();
	g_autofree char *text = NULL;

	json_object_object_add(json, "key", key_to_json(key));
	json_object_object_add(json, "caps", exm_caps_to_json(caps));
	text = exm_json_print(json, false);
	if (!check_directory(directory, error))
		return false;
	if (g_mkdir_with_parents(directory, 0700) < 0)
		return exm_throw_errno(error, errno, "cannot make '%s'", directory);
	return exm_file_write_atomic(path, text, strlen(text), 0600, error);
}
