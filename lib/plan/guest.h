/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/qemu_line.h"

/**
 * struct ExmGuestNode - One -numa node of the command line
 * @word:   its place in the line's words
 * @id:     node number
 * @size:   bytes (mem=); 0 where not said
 * @memdev: id of the user's own backend, or NULL
 */
typedef struct {
	guint word;
	uint64_t id;
	uint64_t size;
	char *memdev;
} ExmGuestNode;

/**
 * struct ExmOwnBackend - A memory backend that the user wrote himself
 * @id:   its id
 * @text: the argument of -object, for messages
 * @size: bytes; 0 where it is not said
 */
typedef struct {
	char *id;
	char *text;
	uint64_t size;

} ExmOwnBackend;

/**
 * struct ExmGuest - What a QEMU command line says of the guest, as far as memory is concerned
 * @is_question:    QEMU is only asked for help or its version and will not run a guest
 * @machine:        machine type as it was written, or NULL
 * @memory_backend: the machine's memory-backend=, or NULL
 * @ram_size:       bytes of main memory, rounded as QEMU rounds them
  * @ram_size_said:  it was given by -m
 * @slots:          slots= of -m, for memory devices; 0 where not said
 * @max_size:       maxmem= of -m, bytes with memory devices; 0 where not said
 * @dimms:          memory devices of the user's own that take a slot
 * @plugged:        of char *, ids of backends of memory devices
 * @nvdimm:         nvdimm= of -machine, or NULL
 * @nvdimm_persistence: nvdimm-persistence= of -machine, or NULL

 * @nodes:          of ExmGuestNode, in the order of their ids
 * @own_backends:   of ExmOwnBackend
 * @device_memdevs: of char *, ids of backends that devices use
 * @memory:         the argument of -mem-path, or NULL
 * @prealloc:       -mem-prealloc was given
 * @lock_memory:    -overcommit mem-lock=on was given
 * @daemonize:      -daemonize was given
 * @name:           guest= of -name, or NULL
 * @incoming:       the argument of -incoming, or NULL
 * @has_vmgenid:    the user has a vmgenid device of his own
 * @has_identity:   the user has a fw_cfg file of the identity's name
 */
typedef struct {
	bool is_question;
	char *machine;
	char *memory_backend;
	uint64_t ram_size;
	bool ram_size_said;
	uint64_t slots;
	uint64_t max_size;
	uint64_t dimms;
	GPtrArray *plugged;
	char *nvdimm;
	char *nvdimm_persistence;

	GPtrArray *nodes;
	GPtrArray *own_backends;
	GPtrArray *device_memdevs;
	char *memory;
	bool prealloc;
	bool lock_memory;
	bool daemonize;
	char *name;
	char *incoming;
	bool has_vmgenid;
	bool has_identity;
} ExmGuest;

ExmGuest *exm_guest_read(const ExmQemuLine *line, GError **error);
void exm_guest_free(ExmGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmGuest, exm_guest_free)
