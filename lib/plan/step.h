/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/enumtab.h"
#include "base/json.h"

/**
 * enum ExmStepKind - What a step does
 * @EXM_STEP_CLAIM_NAME:     make the guest's state directory and lock its name
 * @EXM_STEP_ADMIT:          make sure that the guest fits beside all others, and count it
 * @EXM_STEP_CREATE_UNNAMED: make a file without a name in a directory
 * @EXM_STEP_CREATE_FILE:    make a file that must not be there
 * @EXM_STEP_OPEN_FILE:      open a file or device that must be there
 * @EXM_STEP_LOCK_FILE:      take the file's lock
 * @EXM_STEP_SIZE_FILE:      give an empty file its size
 * @EXM_STEP_RESERVE_BLOCKS: reserve the file's blocks
 * @EXM_STEP_NAME_FILE:      give an unnamed file its name
 * @EXM_STEP_REMOVE_NAME:    take a file's name away; it goes with its last user
 * @EXM_STEP_CLONE_FILE:    let an empty file share the blocks of another one (FICLONE)
 * @EXM_STEP_COPY_OVERLAY:  copy an empty overlay
 * @EXM_STEP_SCRUB: make a device of persistent memory zero
 * @EXM_STEP_CLAIM_NAMESPACE: remember whose a namespace of persistent memory is
 * @EXM_STEP_CONFIRM_CLAIMS: remember once the guest runs that it has run
 * @EXM_STEP_LISTEN:         make a socket in the guest's directory
 * @EXM_STEP_CONFIGURE:      write the configuration file that gives exomem its monitors
 * @EXM_STEP_RECORD_GUEST:   write down what the guest is
 * @EXM_STEP_KEEP_LOG:       start what keeps the log of a detached guest
 * @EXM_STEP_LEAVE_TERMINAL: begin a session without a terminal
 * @EXM_STEP_GUARD_MEMORY:  keep QEMU from punching holes into a file that it maps private
 * @EXM_STEP_SANDBOX:       let QEMU open nothing but the plan's paths
 * @EXM_STEP_READ_EXACTLY: keep the kernel from reading 2 MiB of a file for each page of it
 * @EXM_STEP_LIMIT_MEMORY:  enter a control group that limits memory
 * @EXM_STEP_MERGE_PAGES:   let KSM merge pages of the whole process
 * @EXM_STEP_ENTER_DIRECTORY: make QEMU's working directory the parent's
 * @EXM_STEP_LOAD_DEVICES:  have the device state loaded as soon as QEMU is there
 * @EXM_STEP_PREFETCH:       have memory read before the child
 * @EXM_STEP_EXEC:           become QEMU
 * @EXM_STEP_MAKE_TEMPLATE: make the directory in which a template is put together
 * @EXM_STEP_MAKE_OVERLAY: make an empty overlay over a disk, for children to copy
 * @EXM_STEP_LINK_FILE: give a file without a name, which QEMU has open, its name
 * @EXM_STEP_KEEP_MEMORY: switch off that QEMU discards memory when it ends
 * @EXM_STEP_WRITE_MEMORY: make the file that private memory is written to
 * @EXM_STEP_SAVE_DEVICES: pause the guest and write its device state
 * @EXM_STEP_CHECKSUM_FILE: compute the checksum of a memory file
 * @EXM_STEP_MARK_FILE: say beside a memory file that it belongs to a template
 * @EXM_STEP_WRITE_MANIFEST: write down what the template is
 * @EXM_STEP_LINK_HEIR: tell the template below that another one stands on its disks
 * @EXM_STEP_COMMIT: give the template its place: from here on it is one
 * @EXM_STEP_END_GUEST: end the guest's QEMU
 * @EXM_STEP_INHERIT: pass on a file that the process which starts the child has open
 * @EXM_STEP_OFFER_CHILD: say that a child waits for whoever takes it
 * @EXM_STEP_HOLD_DEVICES: make the file of the device state, and hold its lock for all children
 * @EXM_STEP_MAKE_MEMORY: make the memory file that children will map
 * @EXM_STEP_LEND_MEMORY: open the guest's own memory file for children
 * @EXM_STEP_START_CHILDREN: start the children, which wait for their device state
 * @EXM_STEP_RECORD_PAGES: write down which pages the guest has touched
 * @EXM_STEP_SYNC_MEMORY: write dirty memory back while the guest runs, until little is left
 * @EXM_STEP_MOVE_DISK: pause the guest and let it go on writing to an overlay
 * @EXM_STEP_CLONE_MEMORY: let the children's memory file share the blocks of the guest's
 * @EXM_STEP_RESUME_GUEST: let the guest go on
 * @EXM_STEP_TAKE_PLACE: a child that was waiting becomes the guest
 * @EXM_STEP_LOAD_CHILDREN: load the device state into the children
 * @EXM_STEP_DROP_TEMPLATE: remove what only the start of the children needed
 * @EXM_STEP_WRITE_TOKEN: write what the destination has to find
 * @EXM_STEP_CHECK: ask the destination whether it can take the guest
 * @EXM_STEP_REHEARSE: have a copy of the guest's state loaded there, while the guest goes on
 * @EXM_STEP_PREPARE: have a QEMU started there, which waits for the device state
 * @EXM_STEP_FREEZE_GUEST: stop every thread of the guest's QEMU
 * @EXM_STEP_FLUSH_MEMORY: sync memory and disks, which nothing changes any more
 * @EXM_STEP_SEND_STATE: hand the device state to the destination
 * @EXM_STEP_RELEASE_GUEST: kill the guest's QEMU and give its locks back
 * @EXM_STEP_TAKE_OVER: have the guest run at the destination
 * @EXM_STEP_CLEAN_UP: wait until the guest has run for a moment and its state is removed
 * @EXM_STEP_REMOVE_HANDOVER: remove the state that an earlier migration of the guest has left
 */
typedef enum {
	EXM_STEP_CLAIM_NAME,
	EXM_STEP_ADMIT,
	EXM_STEP_CREATE_UNNAMED,
	EXM_STEP_CREATE_FILE,
	EXM_STEP_OPEN_FILE,
	EXM_STEP_LOCK_FILE,
	EXM_STEP_SIZE_FILE,
	EXM_STEP_RESERVE_BLOCKS,
	EXM_STEP_NAME_FILE,
	EXM_STEP_REMOVE_NAME,
	EXM_STEP_CLONE_FILE,
	EXM_STEP_COPY_OVERLAY,
	EXM_STEP_SCRUB,
	EXM_STEP_CLAIM_NAMESPACE,
	EXM_STEP_CONFIRM_CLAIMS,

	EXM_STEP_LISTEN,
	EXM_STEP_CONFIGURE,
	EXM_STEP_RECORD_GUEST,
	EXM_STEP_KEEP_LOG,
	EXM_STEP_LEAVE_TERMINAL,
	EXM_STEP_GUARD_MEMORY,
	EXM_STEP_SANDBOX,
	EXM_STEP_READ_EXACTLY,
	EXM_STEP_LIMIT_MEMORY,
	EXM_STEP_MERGE_PAGES,
	EXM_STEP_ENTER_DIRECTORY,
	EXM_STEP_LOAD_DEVICES,
	EXM_STEP_PREFETCH,
	EXM_STEP_EXEC,
	EXM_STEP_MAKE_TEMPLATE,
	EXM_STEP_MAKE_OVERLAY,
	EXM_STEP_LINK_FILE,
	EXM_STEP_KEEP_MEMORY,
	EXM_STEP_WRITE_MEMORY,
	EXM_STEP_SAVE_DEVICES,
	EXM_STEP_CHECKSUM_FILE,
	EXM_STEP_MARK_FILE,
	EXM_STEP_WRITE_MANIFEST,
	EXM_STEP_LINK_HEIR,
	EXM_STEP_COMMIT,
	EXM_STEP_END_GUEST,
	EXM_STEP_INHERIT,
	EXM_STEP_OFFER_CHILD,
	EXM_STEP_HOLD_DEVICES,
	EXM_STEP_MAKE_MEMORY,
	EXM_STEP_LEND_MEMORY,
	EXM_STEP_START_CHILDREN,
	EXM_STEP_RECORD_PAGES,
	EXM_STEP_SYNC_MEMORY,
	EXM_STEP_MOVE_DISK,
	EXM_STEP_CLONE_MEMORY,
	EXM_STEP_RESUME_GUEST,
	EXM_STEP_TAKE_PLACE,
	EXM_STEP_LOAD_CHILDREN,
	EXM_STEP_DROP_TEMPLATE,
	EXM_STEP_WRITE_TOKEN,
	EXM_STEP_CHECK,
	EXM_STEP_REHEARSE,
	EXM_STEP_PREPARE,
	EXM_STEP_FREEZE_GUEST,
	EXM_STEP_FLUSH_MEMORY,
	EXM_STEP_SEND_STATE,
	EXM_STEP_RELEASE_GUEST,
	EXM_STEP_TAKE_OVER,
	EXM_STEP_CLEAN_UP,
	EXM_STEP_REMOVE_HANDOVER,
} ExmStepKind;

/**
 * struct ExmStep - One thing to do, as data
 * @kind:     what
 * @path:     to what: file, directory or program
 * @fd:       descriptor number that QEMU inherits; -1 where the step has none
 * @bytes:    size, or size that an opened file must have
 * @shared:   a lock that others may hold too (readers); else it is the only one
 * @writable: the file is opened for writing
 */
typedef struct {
	ExmStepKind kind;
	char *path;
	int fd;
	uint64_t bytes;
	bool shared;
	bool writable;
} ExmStep;

extern const ExmEnumTable exm_step_kinds;

ExmStep *exm_step_new(ExmStepKind kind, const char *path, int fd);
void exm_step_free(ExmStep *step);
const char *exm_step_name(const ExmStep *step);
char *exm_step_describe(const ExmStep *step);
char *exm_steps_to_text(const GPtrArray *steps);
ExmJson *exm_steps_to_json(const GPtrArray *steps);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmStep, exm_step_free)
