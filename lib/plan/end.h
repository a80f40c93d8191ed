/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/**
 * enum ExmEndReason - How a guest ended
 * @EXM_END_UNKNOWN:       no process recorded the end
 * @EXM_END_EXITED:        QEMU ended with exit status 0 and gave no reason, as at C-a x on its console
 * @EXM_END_POWERED_OFF:   the guest powered itself off
 * @EXM_END_RESET:         the guest reset itself under -no-reboot
 * @EXM_END_PANICKED:      the guest panicked
 * @EXM_END_QUIT:          QEMU was told to quit, through a monitor or its window
 * @EXM_END_MIGRATED:      it runs on another host now
 * @EXM_END_TERMINATED:    QEMU caught SIGTERM, SIGINT or SIGHUP and ended in order
 * @EXM_END_FAILED:        QEMU ended with another exit status than 0
 * @EXM_END_KILLED:        a signal killed QEMU
 * @EXM_END_OUT_OF_MEMORY: the kernel killed QEMU because memory ran out
 * @EXM_END_MEMORY_ERROR:  QEMU was killed by SIGBUS: a page of a memory file was not available
 */
typedef enum {
	EXM_END_UNKNOWN,
	EXM_END_EXITED,
	EXM_END_POWERED_OFF,
	EXM_END_RESET,
	EXM_END_PANICKED,
	EXM_END_QUIT,
	EXM_END_MIGRATED,
	EXM_END_TERMINATED,
	EXM_END_FAILED,
	EXM_END_KILLED,
	EXM_END_OUT_OF_MEMORY,
	EXM_END_MEMORY_ERROR,
} ExmEndReason;

/* What exomem announces before it kills the QEMU of a guest that another host has taken over. */
#define EXM_END_ANNOUNCED_MIGRATED "migrated"

/**
 * struct ExmEnd - What ended.json says; described in exomem-state(5)
 * @schema:  of the JSON that was read; exm_end_to_json() writes its own
 * @time:    of the end, in seconds since 1970
 * @reason:  how it ended
 * @status:  QEMU's exit status; 0 where a signal killed it
 * @signal:  that killed QEMU, or 0
 * @details: what more is known, one line, or NULL
 */
typedef struct {
	uint64_t schema;
	uint64_t time;
	ExmEndReason reason;
	uint64_t status;
	uint64_t signal;
	char *details;
} ExmEnd;

/**
 * struct ExmEndFacts - What was seen of the end of a QEMU
 * @time:          in seconds since 1970
 * @status:        exit status
 * @signal:        that killed it, or 0
 * @shutdown:      "reason" of QMP's last event SHUTDOWN (qapi/run-state.json, ShutdownCause), or NULL
 * @announced:     why exomem killed it, EXM_END_ANNOUNCED_MIGRATED or for people; or NULL
 * @line:          QEMU's last line on standard error, or NULL
 * @out_of_memory: which control group counts a process killed for want of memory, or NULL
 * @memory:        what is wrong with which memory file, or NULL
 */
typedef struct {
	uint64_t time;
	int status;
	int signal;
	const char *shutdown;
	const char *announced;
	const char *line;
	const char *out_of_memory;
	const char *memory;
} ExmEndFacts;

ExmEnd *exm_end_new(const ExmEndFacts *facts);
ExmEnd *exm_end_new_unknown(uint64_t time, const char *details);
void exm_end_free(ExmEnd *end);
ExmJson *exm_end_to_json(const ExmEnd *end);
ExmEnd *exm_end_from_json(ExmJson *json, GError **error);
const char *exm_end_reason(const ExmEnd *end);
char *exm_end_text(const ExmEnd *end);
int exm_end_exit_status(const ExmEnd *end);
char *exm_end_find_line(const char *log);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmEnd, exm_end_free)
