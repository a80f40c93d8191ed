/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/capacity.h"
#include "plan/caps.h"
#include "plan/guest.h"
#include "plan/host.h"
#include "plan/incoming.h"
#include "plan/memory_option.h"
#include "plan/plan.h"
#include "plan/pmem.h"
#include "plan/pmem_option.h"

#include "plan/qemu_line.h"
#include "plan/stream_head.h"
#include "plan/template.h"

/**
 * struct ExmInheritance - What children of a running guest have from the process that starts them
 * @devices_fd: descriptor of the file of the device state; its lock is held through it
 * @memory_fd:  descriptor of the first memory file; those of further blocks follow it
 * @kept:       the template stays: its directory has a name and a manifest
 */
typedef struct {
	int devices_fd;
	int memory_fd;
	bool kept;
} ExmInheritance;

/**
 * struct ExmRunRequest - What the user of `exomem run` said, checked for form
 * @name:            --name, or NULL
 * @detach:          the guest lives on its own (--detach, or QEMU's -daemonize)
 * @identity:        add a vmgenid device and the identity blob
 * @state_directory: where guests' directories are
 * @line:            QEMU's command line
 * @guest:           what it says of the guest
 * @memory:          the argument of -mem-path, or NULL where the user leaves memory to QEMU
 * @template:        of which the guest is a child (borrowed), or NULL
 * @index:           which child
 * @paused:          a child does not run until it is told to
 * @no_kernel:       a child gets no kernel image of its own
 * @merge:           pages of a child's whole process may be merged
 * @state_format:    --state-format: what -incoming loads
 * @waiting:         a child is not given its device state when it is started
 * @shape:           what a child that waits for whoever takes it is like; NULL for one that does not
 * @inheritance:     files that a child inherits (borrowed), or NULL where it opens its template's
 * @place:           name of its directory among those of guests, or NULL for its own name
 * @overlays:        files that a child writes in place of its template's disks, in their order
 *                   (borrowed), or NULL for files without names
 * @pmem:            of ExmPmemOption, in the user's order, or NULL: exm_run_request_pmem()
 * @claims_directory: where it is remembered who has which persistent memory, or NULL
 * @store:           what is configured of memory in files (borrowed), or NULL where that is off
 * @backing:         whether the guest's memory is to be in the store (--memory-backing)
 * @overcommit:      start it even where it does not fit
 * @trust_mount:     take a file system whose locks or mappings are not known to be good enough
 * @prefetch:        recording of what shall be read before a child (borrowed), or NULL
 * @exact_reads:     of a file that is not in the page cache only those pages are read that it wants
 * @cow_budget:      bytes of memory that a child may have, held to by a control group; 0 for no limit
 * @sandbox:         restrict QEMU to its files (--sandbox)
 * @run_as:          name of the user that QEMU becomes (--run-as), or NULL
 */
typedef struct {
	char *name;
	bool detach;
	bool identity;
	char *state_directory;
	ExmQemuLine *line;
	ExmGuest *guest;
	ExmMemoryOption *memory;
	const ExmTemplate *template;
	uint32_t index;
	bool paused;
	bool no_kernel;
	bool merge;
	ExmStateFormat state_format;
	bool waiting;
	char *shape;
	const ExmInheritance *inheritance;
	char *place;
	const char *const *overlays;
	GPtrArray *pmem;
	char *claims_directory;
	const ExmMemoryConfig *store;
	ExmSwitch backing;
	bool overcommit;
	bool trust_mount;
	const char *prefetch;
	bool exact_reads;
	uint64_t cow_budget;
	bool sandbox;
	char *run_as;
} ExmRunRequest;

/**
 * struct ExmRunFacts - What the plan of a run has to know
 * @caps:          of the QEMU that will run the guest
 * @host:          of this host
 * @place:         of the path of -mem-path; NULL without one
 * @files:         of ExmFileFacts, one for each block; empty without -mem-path or for a device
 * @disk_place:    where a child's overlays go; NULL where it needs none
  * @incoming:      what -incoming will load
 * @capacity:      what guests have of the host; NULL where nobody counts
 * @refusal:       why 'exomem balance' lets no new guest in, or NULL
 * @pmem:          persistent memory of the host; NULL where none is asked for
 * @state_id:      id of the state directory's marker, NULL where it is not made yet or with @pmem NULL
 * @boot_id:       of this boot of the host; NULL as @state_id
 * @pmem_files:    of ExmFileFacts, one for each item of the request's pmem; NULL for no file
 * @pmem_places:   of ExmPlace, of the directories of these

 * @uuid:          a random UUID
 * @generation_id: another one
 * @random:        four random hexadecimal digits
 */
typedef struct {
	ExmCaps *caps;
	ExmHost *host;
	ExmPlace *place;
	GPtrArray *files;
	ExmPlace *disk_place;
	ExmStreamHead incoming;
	ExmCapacityFacts *capacity;
	char *refusal;
	ExmPmem *pmem;
	char *state_id;
	char *boot_id;
	GPtrArray *pmem_files;
	GPtrArray *pmem_places;

	char *uuid;
	char *generation_id;
	char *random;
} ExmRunFacts;

ExmRunRequest *exm_run_request_new(const char *const *qemu_argv, GError **error);
bool exm_run_request_use_store(ExmRunRequest *request, GError **error);
bool exm_run_request_add_pmem(ExmRunRequest *request, const char *text, GError **error);
const GPtrArray *exm_run_request_pmem(const ExmRunRequest *request);
void exm_run_request_free(ExmRunRequest *request);
ExmRunFacts *exm_run_facts_new(void);
void exm_run_facts_free(ExmRunFacts *facts);
char *exm_run_memory_path(const ExmRunRequest *request, const ExmRunFacts *facts, GError **error);
bool exm_run_incoming_file(const ExmRunRequest *request, const ExmRunFacts *facts,
                           ExmIncomingFile **ret_file, GError **error);
GPtrArray *exm_run_blocks(const ExmRunRequest *request, const ExmCaps *caps, const ExmPlace *place,
                          GError **error);
ExmPlan *exm_run_plan(const ExmRunRequest *request, const ExmRunFacts *facts, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmRunRequest, exm_run_request_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmRunFacts, exm_run_facts_free)
