/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/fork.h"
#include "plan/plan.h"
#include "plan/save.h"
#include "plan/step.h"
#include "plan/vm.h"

/**
 * enum ExmOperationKind - An operation on a running guest that can be undone until it is committed
 * @EXM_OPERATION_SAVE:    exomem save
 * @EXM_OPERATION_FORK:    exomem fork
 * @EXM_OPERATION_MIGRATE: exomem migrate
 */
typedef enum {
	EXM_OPERATION_SAVE,
	EXM_OPERATION_FORK,
	EXM_OPERATION_MIGRATE,
} ExmOperationKind;

/**
 * struct ExmOperationFile - What undoing has to know of a memory file or disk of the guest
 * @how:       see ExmSaveFile; also @fd (0 for none), @node, @path, @inner, @outer and @backend
 * @word:      of a disk, its place among the arguments
 * @namespace: UUID of the namespace of persistent memory whose device it is, or NULL
 * @claims:    directory of the claims on it, or NULL
 */
typedef struct {
	ExmSaveHow how;
	uint64_t fd;
	char *node;
	char *path;
	char *inner;
	char *outer;
	char *backend;
	uint64_t word;
	char *namespace;
	char *claims;
} ExmOperationFile;

/**
 * struct ExmOperationStep - A step, without what only doing it needs
 * @kind: of the step
 * @path: to what
 */
typedef struct {
	ExmStepKind kind;
	char *path;
} ExmOperationStep;

/**
 * struct ExmOperationChild - A child that a fork starts
 * @name:      name of the guest
 * @directory: its directory
 * @uuid:      its UUID
 */
typedef struct {
	char *name;
	char *directory;
	char *uuid;
} ExmOperationChild;

/**
 * struct ExmOperation - What it takes to undo or complete an operation that was killed
 * @kind:      save, fork or migrate
 * @pid:       the process that began it
 * @guest:     an ExmVm, as exm_vm_to_json() writes it
 * @guest_directory: its directory
 * @directory: see ExmSavePlan; also @temporary, @running and @protect
 * @way:       see ExmForkPlan; also @paused and @overlays. Not used but for a fork
 * @memory:    of ExmOperationFile, in the order of the template's blocks
 * @disks:     of ExmOperationFile, in the order of the template's disks
 * @steps:     of ExmOperationStep
 * @children:  of ExmOperationChild
 */
typedef struct {
	ExmOperationKind kind;
	uint64_t pid;
	ExmJson *guest;
	char *guest_directory;
	char *directory;
	char *temporary;
	bool running;
	bool protect;
	ExmForkWay way;
	bool paused;
	char **overlays;
	GPtrArray *memory;
	GPtrArray *disks;
	GPtrArray *steps;
	GPtrArray *children;
} ExmOperation;

const char *exm_operation_name(ExmOperationKind kind);
ExmOperation *exm_operation_new(ExmOperationKind kind, const ExmSavePlan *plan);
void exm_operation_add_fork(ExmOperation *operation, const ExmForkPlan *plan,
                            const GPtrArray *children);
void exm_operation_free(ExmOperation *operation);
ExmJson *exm_operation_to_json(const ExmOperation *operation);
ExmOperation *exm_operation_from_json(ExmJson *json, GError **error);
ExmSavePlan *exm_operation_plan(const ExmOperation *operation, const ExmVm *vm);
GPtrArray *exm_operation_children(const ExmOperation *operation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmOperation, exm_operation_free)
