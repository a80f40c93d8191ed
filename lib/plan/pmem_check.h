/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/pmem.h"

/**
 * struct ExmPmemGate - One thing that persistent memory for guests needs
 * @name: "kernel"
 * @ok:   it is there
 * @text: what there is and what is needed
 */
typedef struct {
	const char *name;
	bool ok;
	char *text;
} ExmPmemGate;

/**
 * struct ExmPmemHost - What the gates are held against
 * @kernel:       its release: "6.1.0-18-amd64"
 * @modules:      those of exm_pmem_modules that are loaded or built in; NULL-terminated
 * @ndctl:        why libndctl cannot be used, or NULL
 * @qemu_version: "7.2.22", or NULL without one
 */
typedef struct {
	char *kernel;
	char **modules;
	char *ndctl;
	char *qemu_version;
} ExmPmemHost;

/* The modules that hosts and guests need, NULL-terminated. */
extern const char *const exm_pmem_modules[];

GPtrArray *exm_pmem_gates(const ExmPmemHost *host, const ExmPmem *pmem);
void exm_pmem_host_free(ExmPmemHost *host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPmemHost, exm_pmem_host_free)
