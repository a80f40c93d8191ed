/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/caps.h"
#include "plan/host.h"
#include "plan/run.h"
#include "plan/template.h"
#include "plan/vm.h"

/* As many children as one command starts; a kernel has 32768 processes by default. */
#define EXM_CLONE_MAX 4096

/**
 * struct ExmCloneRequest - What the user of `exomem clone` said, checked for form
 * @count:           how many children
 * @name:            of the one child, or what the names of several begin with; NULL for the
 *                   template's
 * @detach:          they live on their own
 * @paused:          they do not run until they are told to
 * @reflink:         each has a memory file of its own that shares blocks with the template's
 * @no_kernel:       they get no kernel image of their own, which only a reboot would need
 * @merge:           the kernel may merge pages of the whole process with those of others (KSM)
 * @identical:       they may be alike to the last random number
 * @same_mac:        their network cards may have the same address
 * @waiting:         they are not given their device state when they are started
 * @offered:         they wait for whoever takes them
 * @store:           what is configured of memory in files (borrowed), or NULL where that is off
 * @overcommit:      start them even where they do not fit
 * @cow_budget:      bytes of memory that each may have; 0 for no limit
 * @prefetch:        recording of what shall be read before them (borrowed), or NULL
 * @exact_reads:     of memory that is not in the page cache they read only those pages they want
 * @sandbox:         restrict QEMU to its files, whatever the parent had
 * @no_sandbox:      do not, though the parent had it
 * @run_as:          name of the user that their QEMUs become, whatever the parent's; or NULL
 * @heir:            one more takes the place of the guest that is forked
 * @state_directory: where guests' directories are
 */
typedef struct {
	uint32_t count;
	char *name;
	bool detach;
	bool paused;
	bool reflink;
	bool no_kernel;
	bool merge;
	bool identical;
	bool same_mac;
	bool waiting;
	bool offered;
	const ExmMemoryConfig *store;
	bool overcommit;
	uint64_t cow_budget;
	const char *prefetch;
	bool exact_reads;
	bool sandbox;
	bool no_sandbox;
	const char *run_as;
	bool heir;
	char *state_directory;
} ExmCloneRequest;

/**
 * struct ExmCloneFacts - What the plan of a clone has to know
 * @template: the template, looked through by exm_template_check()
 * @caps:     of the QEMU that will run its children
 * @host:     of this host
 * @place:    where its memory is
 * @guests:   of ExmVm, those that live
 * @parent:   the guest that is forked, and lives on beside its children; else NULL
 * @inheritance: what children have from the process that forks it, or NULL
 */
typedef struct {
	const ExmTemplate *template;
	const ExmCaps *caps;
	const ExmHost *host;
	const ExmPlace *place;
	const GPtrArray *guests;
	const ExmVm *parent;
	const ExmInheritance *inheritance;
} ExmCloneFacts;

char *exm_clone_shape(const ExmCloneRequest *request);
GPtrArray *exm_clone_children(const ExmCloneRequest *request, const ExmCloneFacts *facts,
                              GError **error);
