/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/**
 * enum ExmOut - Where a guest's pages go when they are pushed out
 * @EXM_OUT_NOWHERE: they cannot be: huge pages, a device, or no swap
 * @EXM_OUT_FILE:    to the guest's memory file
 * @EXM_OUT_SWAP:    to swap
 */
typedef enum {
	EXM_OUT_NOWHERE,
	EXM_OUT_FILE,
	EXM_OUT_SWAP,
} ExmOut;

/**
 * struct ExmGuestSample - A guest at one moment
 * @name:           its name
 * @memory:         bytes of main memory
 * @answers:        its QEMU answered
 * @running:        it runs
 * @paused:         `exomem balance` paused it
 * @balloon:        it has a balloon that may be used
 * @actual:         bytes its balloon leaves it; @memory without one
 * @statistics:     the guest has told about its memory
 * @statistics_age: seconds since
 * @available:      bytes that the guest could have without swapping, by its own account
 * @resident:       bytes of QEMU in memory
 * @swapped:        bytes of it in swap
 * @faults:         pages read back from disk since its start (major faults)
 * @cpu:            milliseconds of processor time since its start
 * @out:            where its pages can go
 */
typedef struct {
	char *name;
	uint64_t memory;
	bool answers;
	bool running;
	bool paused;
	bool balloon;
	uint64_t actual;
	bool statistics;
	uint64_t statistics_age;
	uint64_t available;
	uint64_t resident;
	uint64_t swapped;
	uint64_t faults;
	uint64_t cpu;
	ExmOut out;
} ExmGuestSample;

/**
 * struct ExmSample - What is known at the beginning of a round
 * @schema:       of the JSON that was read
 * @time:         milliseconds, from any moment on
 * @total:        bytes of memory that are shared out
 * @available:    bytes of it that can be had without pushing out what is in use
 * @swap_free:    bytes of swap
 * @has_pressure: the kernel tells of it
 * @pressure:     share of the last ten seconds in which something waited for memory, in hundredths
 *                of a percent
 * @ksm:          the kernel can merge pages, and we may set how
 * @guests:       of ExmGuestSample
 */
typedef struct {
	uint64_t schema;
	uint64_t time;
	uint64_t total;
	uint64_t available;
	uint64_t swap_free;
	bool has_pressure;
	uint64_t pressure;
	bool ksm;
	GPtrArray *guests;
} ExmSample;

ExmSample *exm_sample_new(void);
void exm_sample_free(ExmSample *sample);
ExmGuestSample *exm_sample_add(ExmSample *sample, const char *name);
ExmJson *exm_sample_to_json(const ExmSample *sample);
ExmSample *exm_sample_from_json(ExmJson *json, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmSample, exm_sample_free)
