/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - What a QEMU binary can do, from the cache or by asking it */

#include "op/probe.h"

#include "base/trace.h"
#include "host/probe.h"
#include "host/probe_cache.h"

/* Some 40 ms on an idle machine; a starved one gets a lot more. */
#define DEADLINE_MS 10000

static ExmCaps *ask(const ExmProbeKey *key, const char *cache_dir, GError **error)
{
	g_autoptr(ExmCaps) caps = exm_probe_ask(key->path, DEADLINE_MS, error);
	g_autoptr(GError) problem = NULL;

	if (!caps)
		return NULL;
	if (cache_dir && !exm_probe_cache_store(cache_dir, key, caps, &problem))
		exm_trace("probe", "not recorded: %s", problem->message);
	return g_steal_pointer(&caps);
}

/**
 * exm_op_probe() - What a QEMU binary can do
 * @binary:     path, or a name that is looked up on PATH
 * @cache_dir:  where answers are kept; NULL for nowhere
 * @refresh:    ask even where an answer is recorded
 * @ret_cached: whether the answer was recorded before; may be NULL
 * @error:      UNSUPPORTED where there is no such binary, or it is no QEMU that starts
 *
 * Return: the capabilities (transfer full), or NULL.
 */
ExmCaps *exm_op_probe(const char *binary, const char *cache_dir, bool refresh, bool *ret_cached,
                      GError **error)
{
	g_autofree char *path = exm_probe_resolve(binary, error);
	g_autoptr(ExmProbeKey) key = path ? exm_probe_key_read(path, error) : NULL;
	ExmCaps *caps = NULL;
	bool cached;

	if (!key)
		return NULL;
	if (cache_dir && !refresh)
		caps = exm_probe_cache_load(cache_dir, key);
	cached = caps != NULL;
	if (!caps)
		caps = ask(key, cache_dir, error);
	if (caps && ret_cached)
		*ret_cached = cached;
	return caps;
}
