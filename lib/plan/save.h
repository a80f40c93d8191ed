/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/caps.h"
#include "plan/host.h"
#include "plan/step.h"
#include "plan/template.h"
#include "plan/vm.h"

/**
 * struct ExmSaveRequest - What the user of `exomem save` said, checked for form
 * @name:      of the template
 * @directory: where it shall be, absolute
 * @in_place:  it is put together there, and not beside it
 * @moves:     the guest goes on elsewhere, with the files it has
 * @checksum:  of its memory too
 */
typedef struct {
	char *name;
	char *directory;
	bool in_place;
	bool moves;
	bool checksum;
} ExmSaveRequest;

/**
 * struct ExmSaveFacts - What the plan of a save has to know
 * @vm:         the guest
 * @caps:       of its QEMU
 * @qemu_memory: bytes of anonymous memory of its QEMU; 0 where the guest's memory may be part of it
 * @template:   of which it is a child, or NULL; also where that is gone or cannot be read
 * @status:     QEMU's answer to query-status
 * @migration:  to query-migrate
 * @backends:   to query-memdev
 * @disks:      to query-block
 * @kvm:        to query-kvm
 * @target:     what stands in the template's place
 * @handover:   the guest whose state is there, left by a migration, or NULL
 * @place:      the directory that it shall be in, or the nearest one that is there
 * @device:     number of that one's file system
 * @memory:     of ExmFileFacts, one for each block of the guest's memory; a block without a file
 *              does not exist
 * @images:     of ExmFileFacts, one for each writable disk
 * @host_cpu:   flags of this host's processor
 * @now:        seconds since 1970
 * @random:     four random hexadecimal digits
 */
typedef struct {
	ExmVm *vm;
	ExmCaps *caps;
	uint64_t qemu_memory;
	ExmTemplate *template;
	ExmJson *status;
	ExmJson *migration;
	ExmJson *backends;
	ExmJson *disks;
	ExmJson *kvm;
	ExmFileFacts *target;
	ExmTemplate *handover;
	ExmPlace *place;
	uint64_t device;
	GPtrArray *memory;
	GPtrArray *images;
	char **host_cpu;
	uint64_t now;
	char *random;
} ExmSaveFacts;

/**
 * enum ExmSaveHow - How a file of the guest becomes one of the template
 * @EXM_SAVE_KEEP:  it stays where it is
 * @EXM_SAVE_LINK:  it has no name yet and is given one
 * @EXM_SAVE_WRITE: the memory is private, and its content is written into a new file
 * @EXM_SAVE_CLONE: a new file shares its blocks; it stays the guest's
 */
typedef enum {
	EXM_SAVE_KEEP,
	EXM_SAVE_LINK,
	EXM_SAVE_WRITE,
	EXM_SAVE_CLONE,
} ExmSaveHow;

/**
 * struct ExmSaveFile - One file of the guest
 * @how:   what becomes of it
 * @fd:    QEMU's descriptor of one without a name
 * @source: the guest's own file, where another is made of it, or children open it; else NULL
 * @node:  of a disk, QEMU's name of what the guest writes to; else NULL
 * @directory: of an overlay without a name: where its blocks are; else NULL
 * @path:  where it is while the template is put together
 * @inner: its name in the template's directory where it goes there, or NULL
 * @outer: its path where it does not, else NULL
 * @backend: id of the backend whose discard-data has to be switched off, or NULL
 */
typedef struct {
	ExmSaveHow how;
	int fd;
	char *source;
	char *node;
	char *directory;
	char *path;
	char *inner;
	char *outer;
	char *backend;
} ExmSaveFile;

/**
 * struct ExmSavePlan - All that a save will do
 * @vm:        the guest (borrowed from the facts)
 * @template:  what the manifest will say, as far as it is known before
 * @temporary: directory in which the template is put together
 * @running:   the guest runs, and goes on where the save fails
 * @stop:      it is stopped before its state is written
 * @whole:     its memory is written out
 * @checksum:  of the memory too
 * @protect:   memory files become read-only, because the QEMU can open such
 * @memory:    of ExmSaveFile, one for each block of @template
 * @disks:     of ExmSaveFile, one for each disk of @template
 * @steps:     of ExmStep, in order
 * @warnings:  of char *
 */
typedef struct {
	const ExmVm *vm;
	ExmTemplate *template;
	char *temporary;
	bool running;
	bool stop;
	bool whole;
	bool checksum;
	bool protect;
	GPtrArray *memory;
	GPtrArray *disks;
	GPtrArray *steps;
	GPtrArray *warnings;
} ExmSavePlan;

/**
 * struct ExmSaveImage - A writable disk of the guest's command line
 * @word:   its place in the words
 * @path:   as QEMU opened it
 * @fd:     QEMU's descriptor of an overlay without a name; -1 for an image with one
 * @directory: where the blocks of such an overlay are, or NULL
 */
typedef struct {
	guint word;
	char *path;
	int fd;
	char *directory;
} ExmSaveImage;

void exm_save_request_free(ExmSaveRequest *request);
ExmSaveFacts *exm_save_facts_new(void);
void exm_save_facts_free(ExmSaveFacts *facts);
GPtrArray *exm_save_images(const ExmVm *vm, GError **error);
bool exm_save_replaces(const ExmTemplate *handover, const ExmVm *vm, const GPtrArray *files);
void exm_save_place_file(const ExmSavePlan *plan, const ExmSaveFacts *facts, ExmSaveFile *file,
                         uint64_t device, const char *directory, const char *name);
ExmSavePlan *exm_save_plan_new(const ExmVm *vm, const char *directory, const char *temporary);
ExmSaveFile *exm_save_add_file(GPtrArray *files);
ExmStep *exm_save_add_step(const ExmSavePlan *plan, ExmStepKind kind, const char *path);
void exm_save_add_file_steps(const ExmSavePlan *plan, const GPtrArray *files, ExmStepKind kind,
                             ExmSaveHow how);
void exm_save_add_overlay_steps(const ExmSavePlan *plan);
void exm_save_add_manifest_steps(const ExmSavePlan *plan, const char *random);
ExmSavePlan *exm_save_plan_begin(const ExmSaveRequest *request, const ExmSaveFacts *facts,
                                 GError **error);
ExmSavePlan *exm_save_plan(const ExmSaveRequest *request, const ExmSaveFacts *facts, GError **error);
void exm_save_plan_free(ExmSavePlan *plan);
ExmJson *exm_save_plan_to_json(const ExmSavePlan *plan);
char *exm_save_plan_to_text(const ExmSavePlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmSaveRequest, exm_save_request_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmSaveFacts, exm_save_facts_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmSavePlan, exm_save_plan_free)
