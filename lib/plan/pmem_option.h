/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Nova's: <label><size unit='KiB'>2048</size></label> (nova/virt/libvirt/config.py) */
#define EXM_PMEM_LABEL_SIZE (UINT64_C(2) << 20)

/**
 * struct ExmPmemOption - The argument of one --pmem, checked for form
 * @sources:         of char *: labels, names or uuids of namespaces, devices; none for a file
 * @file:            path of the file, or NULL
 * @size:            bytes of the file; 0 where not said
 * @label_size:      bytes at the end that hold labels
 * @label_size_said: it was given by the user
 * @readonly:        the guest cannot write it
 * @unarmed:         the guest is told that it does not last
 * @virtio:          a virtio-pmem device instead of an NVDIMM
 * @ephemeral:       wiped when the guest is gone
 * @uuid:            of the device, or NULL
 * @node_said:       @node was given
 * @node:            NUMA node of the guest
 */
typedef struct {
	GPtrArray *sources;
	char *file;
	uint64_t size;
	uint64_t label_size;
	bool label_size_said;
	bool readonly;
	bool unarmed;
	bool virtio;
	bool ephemeral;
	char *uuid;
	bool node_said;
	uint64_t node;
} ExmPmemOption;

ExmPmemOption *exm_pmem_option_parse(const char *text, GError **error);
void exm_pmem_option_free(ExmPmemOption *option);
bool exm_pmem_option_is_flag(const char *word);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPmemOption, exm_pmem_option_free)
