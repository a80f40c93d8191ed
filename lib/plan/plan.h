/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "plan/claim.h"
#include "plan/commitment.h"
#include "plan/memory_config.h"
#include "plan/namespace.h"

#include "plan/step.h"
#include "plan/template.h"

/**
 * struct ExmPlanMemory - Where one block of the guest's memory will be
 * @id:        of the backend
 * @offset:    bytes from the start of the guest's memory
 * @size:      bytes
 * @path:      file or device; the directory of a file without name; NULL for anonymous memory
 * @unnamed:   the file has no name
 * @shared:    it is mapped shared
 * @fd:        descriptor by which it is open when QEMU starts, or -1
 * @backend:   the backend's properties, as object-add takes them
 * @namespace: uuid of the namespace that it is, or NULL
 * @claims:    where it is remembered who has that (borrowed), or NULL
 */
typedef struct {
	char *id;
	uint64_t offset;
	uint64_t size;
	char *path;
	bool unnamed;
	bool shared;
	int fd;
	ExmJson *backend;
	char *namespace;
	const char *claims;
} ExmPlanMemory;

/**
 * struct ExmPlanDisk - An overlay of a child over a disk of its template
 * @word:      place in the user's words for QEMU
 * @fd:        descriptor by which QEMU opens one without a name, else -1
 * @path:      of one with a name, else NULL
 * @directory: where the blocks of one without a name are, else NULL
 * @backing:   the image below it
 */
typedef struct {
	guint word;
	int fd;
	char *path;
	char *directory;
	char *backing;
} ExmPlanDisk;

/**
 * struct ExmPlanPmem - One device of persistent memory
 * @id:         of the device; @backend has the backend's
 * @title:      name of the namespace, or path of the file
 * @path:       device or file
 * @size:       bytes of the backend
 * @label_size: bytes at its end that hold labels
 * @visible:    bytes that the guest sees
 * @node:       NUMA node of the guest
 * @is_virtio:  a virtio-pmem device; else an NVDIMM
 * @why:        why this namespace
 * @backend:    the backend's properties, as object-add takes them
 * @device:     argument of -device
 */
typedef struct {
	char *id;
	char *title;
	char *path;
	uint64_t size;
	uint64_t label_size;
	uint64_t visible;
	uint64_t node;
	bool is_virtio;
	char *why;
	ExmJson *backend;
	char *device;
} ExmPlanPmem;

/**
 * struct ExmPlanClaim - A namespace that will be claimed
 * @namespace: which (borrowed from the facts)
 * @seen:      what was remembered of it when this was planned (borrowed from the facts), or NULL
 * @claim:     what will be
 * @own:       the guest has it already
 * @scrub:     it is scrubbed first
 */
typedef struct {
	const ExmNamespace *namespace;
	const ExmClaim *seen;
	ExmClaim *claim;
	bool own;
	bool scrub;
} ExmPlanClaim;

/**
 * struct ExmPlan - All that will be done, with every default resolved
 * @name:      of the guest; NULL where QEMU is only asked a question
 * @directory: the guest's state directory, or NULL
 * @uuid:      of the guest's identity, or NULL
 * @generation_id: GUID of its vmgenid device, or NULL
 * @detach:    the guest lives on its own
 * @qemu:      path of the program
 * @qemu_version: of it
 * @command:   the user's words for QEMU, placeholders not replaced
 * @configuration: path of the configuration file that gives exomem its monitors, or NULL
 * @monitors:  its text, or NULL
 * @ram_size:  bytes of the guest's main memory; 0 where only QEMU knows
 * @memory:    of ExmPlanMemory
  * @disks:     of ExmPlanDisk
 * @pmem:      of ExmPlanPmem
 * @claims:    of ExmPlanClaim
 * @claims_directory: where they are remembered (borrowed from the request)

 * @template:  that the guest is a child of (borrowed), or NULL
 * @index:     which child of its template
 * @paused:    a child does not run until it is told to
 * @waiting:   a child is not given its device state when it is started
 * @shape:     what a child that waits for whoever takes it is like (borrowed), or NULL
 * @kept:      the template has a name, by which others find it
 * @argv:      of char *, QEMU's command line; the last one is NULL
 * @steps:     of ExmStep, in order
 * @warnings:  of char *
 * @store:      what is configured of memory in files (borrowed), or NULL where nobody counts
 * @commitment: what the guest takes of the host, before its files are there; or NULL
 * @overcommit: it is started even where that does not fit
 * @cow_budget: bytes of memory that its control group leaves it; 0 for no limit
 * @run_as:     name of the user that QEMU becomes, or NULL
 * @sandbox:    of ExmAllowed: the paths that QEMU may open; NULL where it may open any
 */
typedef struct {
	char *name;
	char *directory;
	char *uuid;
	char *generation_id;
	bool detach;
	char *qemu;
	char *qemu_version;
	char **command;
	char *configuration;
	char *monitors;
	uint64_t ram_size;
	GPtrArray *memory;
	GPtrArray *disks;
	GPtrArray *pmem;
	GPtrArray *claims;
	const char *claims_directory;
	const ExmTemplate *template;
	uint32_t index;
	bool paused;
	bool waiting;
	const char *shape;
	bool kept;
	GPtrArray *argv;
	GPtrArray *steps;
	GPtrArray *warnings;
	const ExmMemoryConfig *store;
	ExmCommitment *commitment;
	bool overcommit;
	uint64_t cow_budget;
	char *run_as;
	GPtrArray *sandbox;
} ExmPlan;

ExmPlan *exm_plan_new(void);
void exm_plan_free(ExmPlan *plan);
ExmPlanMemory *exm_plan_add_memory(ExmPlan *plan);
ExmPlanDisk *exm_plan_add_disk(ExmPlan *plan);
ExmPlanPmem *exm_plan_add_pmem(ExmPlan *plan);
ExmPlanClaim *exm_plan_add_claim(ExmPlan *plan);
const ExmPlanClaim *exm_plan_find_claim(const ExmPlan *plan, const char *path);
ExmJson *exm_plan_pmem_to_json(const ExmPlan *plan);
ExmJson *exm_plan_disks_to_json(const ExmPlan *plan);
ExmJson *exm_plan_memory_to_json(const ExmPlan *plan);
char *exm_plan_to_text(const ExmPlan *plan);
ExmJson *exm_plan_to_json(const ExmPlan *plan);
char *exm_plan_shell_loss(const ExmPlan *plan);
char *exm_plan_to_shell(const ExmPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPlan, exm_plan_free)
