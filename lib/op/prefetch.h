/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "op/template.h"
#include "plan/plan.h"
#include "plan/prefetch.h"
#include "plan/vm.h"

/**
 * struct ExmPrefetchTarget - Whose memory it is about
 * @state_directory: where guests' directories are
 * @word:            as the user named it: a guest, or else a template
 * @template:        directory of the template, if it is one
 */
typedef struct {
	const char *state_directory;
	const char *word;
	const char *template;
} ExmPrefetchTarget;

/**
 * struct ExmPrefetchOrder - How a recording is replayed
 * @limit:    bytes at most; 0 for half of the memory that the host can spare
 * @rate:     bytes a second, or 0
 * @progress: called while it is read, or NULL
 */
typedef struct {
	uint64_t limit;
	uint64_t rate;
	ExmProgress progress;
} ExmPrefetchOrder;

/**
 * struct ExmReplayed - What a replay did
 * @recorded: bytes of the recording
 * @cached:   of these, bytes that were in the page cache before
 * @read:     bytes that were read; with small gaps, so perhaps more than were missing
 * @time_us:  microseconds that it took
 * @gone:     it stopped because the guest had ended
 */
typedef struct {
	uint64_t recorded;
	uint64_t cached;
	uint64_t read;
	uint64_t time_us;
	bool gone;
} ExmReplayed;

/**
 * struct ExmPrefetchShown - What there is to say of a recording
 * @path:      of its file
 * @recording: it
 * @cached:    bytes of it that are in the page cache
 * @guest:     name of the guest that it was held against, or NULL
 * @score:     how well it fits that one
 */
typedef struct {
	char *path;
	ExmPrefetch *recording;
	uint64_t cached;
	char *guest;
	ExmPrefetchScore score;
} ExmPrefetchShown;

void exm_prefetch_shown_free(ExmPrefetchShown *shown);
ExmPrefetchShown *exm_op_prefetch_record(const ExmPrefetchTarget *target, int wait_ms, bool anew,
                                         GError **error);
ExmPrefetchShown *exm_op_prefetch_show(const ExmPrefetchTarget *target, GError **error);
bool exm_op_prefetch_replay(const ExmPrefetchTarget *target, const ExmPrefetchOrder *order,
                            ExmReplayed *ret_replayed, GError **error);
ExmPrefetch *exm_prefetch_read_beside(const ExmTemplate *template, GError **error);
bool exm_prefetch_hand_over(const ExmVm *vm, const char *path, GError **error);
void exm_prefetch_follow_guest(const ExmPrefetch *recording, const ExmTemplate *handover,
                               const char *state_directory);
void exm_prefetch_follow_start(const ExmPlan *plan);
void exm_prefetch_follow_children(const ExmTemplate *template, const char *state_directory);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPrefetchShown, exm_prefetch_shown_free)
