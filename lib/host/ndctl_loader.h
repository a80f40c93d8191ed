/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <daxctl/libdaxctl.h>
#include <glib.h>
#include <limits.h>
#include <ndctl/libndctl.h>
#include <uuid/uuid.h>

/* Every function of libndctl and libdaxctl that namespaces.c calls. */
#define EXM_NDCTL_FUNCTIONS(FUNCTION)                 \
	FUNCTION(ndctl_new)                           \
	FUNCTION(ndctl_unref)                         \
	FUNCTION(ndctl_set_log_fn)                    \
	FUNCTION(ndctl_get_daxctl_ctx)                \
	FUNCTION(ndctl_bus_get_first)                 \
	FUNCTION(ndctl_bus_get_next)                  \
	FUNCTION(ndctl_region_get_first)              \
	FUNCTION(ndctl_region_get_next)               \
	FUNCTION(ndctl_region_get_persistence_domain) \
	FUNCTION(ndctl_mapping_get_first)             \
	FUNCTION(ndctl_mapping_get_next)              \
	FUNCTION(ndctl_mapping_get_dimm)              \
	FUNCTION(ndctl_dimm_get_health)               \
	FUNCTION(ndctl_namespace_get_first)           \
	FUNCTION(ndctl_namespace_get_next)            \
	FUNCTION(ndctl_namespace_get_devname)         \
	FUNCTION(ndctl_namespace_get_alt_name)        \
	FUNCTION(ndctl_namespace_get_uuid)            \
	FUNCTION(ndctl_namespace_get_mode)            \
	FUNCTION(ndctl_namespace_get_size)            \
	FUNCTION(ndctl_namespace_get_numa_node)       \
	FUNCTION(ndctl_namespace_get_block_device)    \
	FUNCTION(ndctl_namespace_get_pfn)             \
	FUNCTION(ndctl_namespace_get_dax)             \
	FUNCTION(ndctl_namespace_is_active)           \
	FUNCTION(ndctl_pfn_get_block_device)          \
	FUNCTION(ndctl_dax_get_size)                  \
	FUNCTION(ndctl_dax_get_align)                 \
	FUNCTION(ndctl_dax_get_uuid)                  \
	FUNCTION(ndctl_dax_get_location)              \
	FUNCTION(ndctl_dax_get_daxctl_region)

#define EXM_DAXCTL_FUNCTIONS(FUNCTION)   \
	FUNCTION(daxctl_set_log_fn)      \
	FUNCTION(daxctl_dev_get_first)   \
	FUNCTION(daxctl_dev_get_devname) \
	FUNCTION(daxctl_dev_get_size)    \
	FUNCTION(daxctl_dev_get_memory)

/**
 * struct ExmNdctl - The functions, by their own names and with the types of their headers
 */
typedef struct {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name, not a value */
#define EXM_NDCTL_MEMBER(name) __typeof__(&name) name;
	EXM_NDCTL_FUNCTIONS(EXM_NDCTL_MEMBER)
	EXM_DAXCTL_FUNCTIONS(EXM_NDCTL_MEMBER)
#undef EXM_NDCTL_MEMBER
} ExmNdctl;

const ExmNdctl *exm_ndctl_load(GError **error);
