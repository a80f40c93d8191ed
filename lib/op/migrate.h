/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "op/act.h"
#include "op/facts.h"
#include "op/template.h"
#include "plan/migrate.h"

/**
 * typedef ExmStepped - Tell the user that a step is done
 * @name:    of the step
 * @time_us: microseconds that it took
 */
typedef void (*ExmStepped)(const char *name, uint64_t time_us);

/**
 * struct ExmMigrateOrder - How a guest is moved; nothing in it is owned
 * @peer:     command that reaches the destination's `exomem receive -`, NULL-terminated; NULL where
 *            the state is only left on disk
 * @timeout_ms: how long the destination may take for an answer; while the guest rests, less
 * @version:  of this exomem
 * @keep:     the state stays when the guest runs
 * @trust_mount: warn of a file system that would be refused
 * @warn:     called for each warning
 * @stepped:  called for each step
 * @progress: called while memory is written or read
 */
typedef struct {
	char *const *peer;
	int timeout_ms;
	const char *version;
	bool keep;
	bool trust_mount;
	ExmWarn warn;
	ExmStepped stepped;
	ExmProgress progress;
} ExmMigrateOrder;

/**
 * struct ExmMoved - What a migration has cost
 * @rehearsal_us:  microseconds that the guest rested while it was tried
 * @pause_us:      from its last instruction until it was heard that it runs; until its QEMU was
 *                 killed where there is no destination
 * @round_trip_us: of a question to the destination
 * @devices_size:  bytes of device state
 */
typedef struct {
	uint64_t rehearsal_us;
	uint64_t pause_us;
	uint64_t round_trip_us;
	uint64_t devices_size;
} ExmMoved;

ExmSaveFacts *exm_migrate_facts_read(ExmMigrateRequest *request, const char *guest,
                                     const char *state_directory, const ExmSources *sources,
                                     GError **error);
bool exm_op_migrate(const ExmSavePlan *plan, const char *state_directory,
                    const ExmMigrateOrder *order, ExmMoved *ret_moved, GError **error);
