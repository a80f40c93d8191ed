/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "op/template.h"
#include "plan/pmem.h"
#include "plan/pmem_check.h"

/**
 * struct ExmPmemSource - Where facts of persistent memory are to be had; nothing in it is owned
 * @pool:      pmem_namespaces, or NULL where it is not set
 * @directory: of claims
 * @recorded:  files of recorded facts that stand in for this machine, or NULL
 */
typedef struct {
	const char *pool;
	const char *directory;
	const char *const *recorded;
} ExmPmemSource;

/**
 * struct ExmScrubbed - What a scrub did
 * @title:     of the namespace
 * @bytes:     that were zeroed; fewer than it has where an interrupted scrub was finished
 * @zero_us:   microseconds that took
 * @verify_us: microseconds of looking again
 */
typedef struct {
	char *title;
	uint64_t bytes;
	uint64_t zero_us;
	uint64_t verify_us;
} ExmScrubbed;

ExmPmem *exm_op_pmem_read(const ExmPmemSource *source, GError **error);
ExmPmemHost *exm_op_pmem_host(const ExmSources *sources);
GPtrArray *exm_op_pmem_release(const ExmPmemSource *source, const char *word, ExmProgress progress,
                               GError **error);
GPtrArray *exm_op_pmem_scrub(const ExmPmemSource *source, const char *word, ExmProgress progress,
                             GError **error);
GPtrArray *exm_op_pmem_forget(const ExmPmemSource *source, const char *word, GError **error);
GPtrArray *exm_op_pmem_adopt(const ExmPmemSource *source, const char *state_directory,
                             const char *word, GError **error);
bool exm_op_pmem_set_clean(const ExmNamespace *namespace, const char *directory, GError **error);
bool exm_op_pmem_drop_unused(int fd, const ExmNamespace *namespace, ExmClaim *claim,
                             const char *directory, GError **error);
bool exm_op_pmem_clean(int fd, const ExmNamespace *namespace, const ExmClaim *seen,
                       const char *directory, ExmProgress progress, GError **error);
