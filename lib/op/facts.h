/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#include "plan/run.h"

/**
 * struct ExmSources - Where facts are to be had; nothing in it is owned
 * @qemu:            the QEMU binary, as the user named it
 * @cache_directory: where probes are kept
 * @pool:            pmem_namespaces of the configuration, or NULL
 * @recorded:        files of recorded facts that stand in for this machine, or NULL
 */
typedef struct {
	const char *qemu;
	const char *cache_directory;
	const char *pool;
	const char *const *recorded;
} ExmSources;

void exm_facts_renew(ExmRunFacts *facts);
void exm_facts_read_claimant(ExmRunFacts *facts, const char *state_directory);
ExmJson *exm_facts_recorded(const char *const *paths, GError **error);
ExmRunFacts *exm_facts_for_run(const ExmRunRequest *request, const ExmSources *sources,
                               GError **error);
