/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/qmp.h"
#include "host/write_back.h"
#include "op/save.h"
#include "plan/operation.h"
#include "plan/save.h"

/* How long QEMU may take for one answer. */
#define EXM_FREEZE_ANSWER_MS 10000

typedef struct ExmFreeze ExmFreeze;

/**
 * struct ExmDeed - What a kind of step does, and how it is undone; private to save and fork
 * @act:   does it
 * @undo:  undoes it, perhaps in the process that watches, or NULL; it may have got half way, and be
 *         undone already. Returns whether nothing of it is left, or nothing that can be undone
 * @whole: where it fails it has left nothing, and it is not undone: a name that it could not make
 *         because that was there is another's
 */
typedef struct {
	bool (*act)(ExmFreeze *freeze, const ExmStep *step, GError **error);
	bool (*undo)(const ExmFreeze *freeze, const ExmStep *step);
	bool whole;
} ExmDeed;

/**
 * struct ExmFreezeKind - How a save differs from a fork
 * @operation: what its record calls it
 * @deed:    what a step does
 * @is_done: whether it is too late to go back, with so many steps begun
 * @finish:  does what is left where it is; returns whether nothing is left
 * @stepped: hears of each step that is done and how many microseconds it took, or NULL
 */
typedef struct {
	ExmOperationKind operation;
	const ExmDeed *(*deed)(ExmStepKind kind);
	bool (*is_done)(const ExmFreeze *freeze, guint begun);
	bool (*finish)(const ExmFreeze *freeze, guint begun);
	void (*stepped)(const ExmFreeze *freeze, const ExmStep *step, uint64_t time_us);
} ExmFreezeKind;

/**
 * enum ExmFreezeEnd - What has become of an operation
 * @EXM_FREEZE_COMPLETED:  it was committed, and nothing is left to do
 * @EXM_FREEZE_UNDONE:     the guest is as if nothing had been tried, and nothing is left
 * @EXM_FREEZE_UNRESOLVED: something is left, or the guest does not run as it did
 */
typedef enum {
	EXM_FREEZE_COMPLETED,
	EXM_FREEZE_UNDONE,
	EXM_FREEZE_UNRESOLVED,
} ExmFreezeEnd;

typedef struct ExmForking ExmForking;
typedef struct ExmMoving ExmMoving;

/**
 * struct ExmFreeze - A guest that is being frozen
 * @kind:            save or fork
 * @plan:            what is done
 * @state_directory: where guests' directories are
 * @qmp:             the conversation with the guest's QEMU
 * @files:           of ExmWriteBack: the guest's own memory files
 * @progress:        is told how far it is
 * @saved:           what it has cost so far
 * @devices:         the file of the device state, or -1
 * @state:           the device state, where it is kept in memory; else NULL
 * @checksum:        of it
 * @writers:         of ExmMemoryWriter, one for each block where memory is written out
 * @put:             bytes of memory that came
 * @stopped:         when the guest stopped, in microseconds since 1970; 0 where it did not run
 * @left:            something could not be removed: the next verb tries again
 * @folder:          the guest's directory, while there is a record
 * @record:          the record of the operation (op/operation.h), or -1
 * @fork:            of a fork, else NULL
 * @move:            of a migration, else NULL
 */
struct ExmFreeze {
	const ExmFreezeKind *kind;
	const ExmSavePlan *plan;
	const char *state_directory;
	ExmQmp *qmp;
	GPtrArray *files;
	ExmProgress progress;
	ExmSaved *saved;
	int devices;
	GByteArray *state;
	GChecksum *checksum;
	GPtrArray *writers;
	uint64_t put;
	uint64_t stopped;
	bool left;
	int folder;
	int record;
	ExmForking *fork;
	ExmMoving *move;
};

extern const ExmFreezeKind exm_save_kind;
extern const ExmFreezeKind exm_fork_kind;
extern const ExmFreezeKind exm_migrate_kind;

const ExmDeed *exm_save_deed(ExmStepKind kind);
ExmQmp *exm_freeze_connect(const ExmSavePlan *plan);
char *exm_freeze_opened_by_guest(const ExmSavePlan *plan, const ExmSaveFile *file);
const ExmSaveFile *exm_freeze_file_at(const GPtrArray *files, const char *path);
bool exm_freeze_remove_file(const ExmFreeze *freeze, const ExmStep *step);
bool exm_freeze_save_state(ExmFreeze *freeze, GError **error);
bool exm_freeze_go_on(ExmQmp *qmp, GError **error);
void exm_freeze_forget_sharing(ExmQmp *qmp);
void exm_freeze_protect_memory(const ExmSavePlan *plan);
bool exm_freeze_write_back(const ExmFreeze *freeze,
                           bool (*act)(const ExmWriteBack *file, GError **error), GError **error);
bool exm_freeze_end_guest(const ExmVm *vm, GError **error);
ExmFreezeEnd exm_freeze_resolve(const ExmFreeze *freeze, guint begun, char **ret_status);
bool exm_freeze_run(ExmFreeze *freeze, GError **error);
