/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/namespace.h"

/**
 * struct ExmPoolLabel - A label, and which namespaces a guest can get for it
 * @label:          as it was written
 * @resource_class: as Nova reports it to placement: "CUSTOM_PMEM_NAMESPACE_6GB"
 * @names:          of char *, namespaces
 */
typedef struct {
	char *label;
	char *resource_class;
	GPtrArray *names;
} ExmPoolLabel;

/**
 * struct ExmPool - What pmem_namespaces says
 * @labels: of ExmPoolLabel, in the order they were written
 */
typedef struct {
	GPtrArray *labels;
} ExmPool;

ExmPool *exm_pool_parse(const char *text, GError **error);
void exm_pool_free(ExmPool *pool);
char *exm_pool_resource_class(const char *label);
const ExmPoolLabel *exm_pool_find(const ExmPool *pool, const char *label);
GPtrArray *exm_pool_problems(const ExmPool *pool, const GPtrArray *namespaces);
bool exm_pool_check(const ExmPool *pool, const GPtrArray *namespaces, GError **error);
GPtrArray *exm_pool_label_namespaces(const ExmPoolLabel *label, const GPtrArray *namespaces);
const ExmPoolLabel *exm_pool_label_of(const ExmPool *pool, const GPtrArray *namespaces,
                                      const ExmNamespace *namespace);
GPtrArray *exm_pool_warnings(const ExmPool *pool, const GPtrArray *namespaces);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPool, exm_pool_free)
