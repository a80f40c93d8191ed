/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* Files in a guest's directory. */
#define EXM_VM_LOCK    "lock"         /* held by QEMU as long as it lives */
#define EXM_VM_RECORD  "vm.json"      /* an ExmVm */
#define EXM_VM_CONTROL "control.sock" /* QMP for exomem itself: connect, ask, leave */
#define EXM_VM_EVENTS  "events.sock"  /* QMP for one that listens for long */
#define EXM_VM_CONSOLE "console.sock" /* the serial line of a detached guest, where it has one */
#define EXM_VM_MONITOR "monitor.sock" /* what was -monitor stdio of a detached guest */
#define EXM_VM_QMP     "qmp.sock"     /* what was -qmp stdio of a detached guest */
#define EXM_VM_WAITING "waiting" /* of a child that waits: of which shape; its taker locks it */
#define EXM_VM_INCOMING \
	"incoming" /* of a guest that waits for its state: the process that loads it */
#define EXM_VM_OPERATION "operation" /* a save, fork or migration under way: an ExmOperation */
#define EXM_VM_CGROUP    "cgroup"    /* path of the control group that limits its memory */
#define EXM_VM_COMMITMENT \
	"commitment"              /* an ExmCommitment, where the host counts what guests have */
#define EXM_VM_LOG          "log" /* output of a detached guest's QEMU and of its console */
#define EXM_VM_CONSOLE_LOCK "console.lock" /* held by who is at the console */
#define EXM_VM_CONF         "control.conf" /* QEMU's configuration with its monitors for exomem */
#define EXM_VM_ASLEEP       "asleep"       /* it was paused to disk */
#define EXM_VM_RECLAIM      "reclaim"      /* where in its memory the next reclaim goes on */
#define EXM_VM_ENDING       "ending"       /* why exomem kills it: one line */
#define EXM_VM_ENDED        "ended.json"   /* an ExmEnd, when a detached guest has ended */

/**
 * struct ExmVm - What vm.json says of a guest; described in exomem-state(5)
 * @schema:            of the JSON that was read; exm_vm_to_json() writes its own
 * @name:              its name
 * @directory:         its directory, which is where the record was found
 * @pid:               of QEMU
 * @start_time:        of that process, in clock ticks since boot (field 22 of /proc/PID/stat)
 * @boot_id:           of the boot that @start_time counts from
 * @ram_size:          bytes of main memory; 0 where only QEMU knows
 * @created:           when it was started, in seconds since 1970
 * @detached:          it was started by --detach
 * @qemu:              path of the binary
 * @qemu_version:      "7.2.22"
 * @uuid:              of its identity
 * @generation_id:     GUID of its vmgenid device, which a migration keeps and a clone does not
 * @working_directory: of QEMU
 * @command:           the user's words for QEMU, placeholders not replaced
 * @argv:              QEMU's command line
 * @memory:            an array, as exm_plan_memory_to_json() writes it
 * @pmem:              an array, as exm_plan_pmem_to_json() writes it, or NULL
 * @template_path:     directory of the template that it is a child of, or NULL
 * @parent:            name of the guest that the template was, or NULL
 * @index:             which child of its template; 0 for a guest without one
 * @disks:             an array of its overlays, as exm_plan_disks_to_json() writes it, or NULL
 * @sandbox:           its QEMU is restricted to its files
 * @run_as:            name of the user that its QEMU became, or NULL
 * @memory_error:      why some of its memory could not be written to its file, or NULL
 * @lost:              its directory was removed while it runs; not in the JSON
 */
typedef struct {
	uint64_t schema;
	char *name;
	char *directory;
	uint64_t pid;
	uint64_t start_time;
	char *boot_id;
	uint64_t ram_size;
	uint64_t created;
	bool detached;
	char *qemu;
	char *qemu_version;
	char *uuid;
	char *generation_id;
	char *working_directory;
	char **command;
	char **argv;
	ExmJson *memory;
	ExmJson *pmem;

	char *template_path;
	char *parent;
	uint64_t index;
	ExmJson *disks;
	bool sandbox;
	char *run_as;
	char *memory_error;
	bool lost;
} ExmVm;

bool exm_vm_makes_file(const char *name);
bool exm_vm_keeps_file(const char *name);
void exm_vm_free(ExmVm *vm);
ExmJson *exm_vm_disk(const ExmVm *vm, uint64_t word);
GPtrArray *exm_vms_new(void);
ExmJson *exm_vm_to_json(const ExmVm *vm);
ExmVm *exm_vm_from_json(ExmJson *json, const char *directory, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmVm, exm_vm_free)
