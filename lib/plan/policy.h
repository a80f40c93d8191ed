/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/enumtab.h"

/* Fractions are counted in hundredths of a percent: 12.8 % is 1280. */
#define EXM_WHOLE 10000

/* The state in which no state of a policy is: memory is given back. */
#define EXM_STATE_PLENTY "plenty"

/**
 * enum ExmLever - What `exomem balance` may do about a lack of memory; exomem-policy(5)
 * @EXM_LEVER_DROP_CACHE:   drop what is cached of memory files and mapped by nobody
 * @EXM_LEVER_KSM:          let the kernel look for equal pages, faster each round
 * @EXM_LEVER_BALLOON_IDLE: balloons of idle guests
 * @EXM_LEVER_BALLOON:      balloons of all guests
 * @EXM_LEVER_RECLAIM_IDLE: pages of idle guests, out to their files or to swap
 * @EXM_LEVER_RECLAIM:      of all guests
 * @EXM_LEVER_PAUSE:        idle guests with a memory file, to disk
 * @EXM_LEVER_REFUSE:       no new guests
 * @EXM_LEVER_MIGRATE:      another host
 */
typedef enum {
	EXM_LEVER_DROP_CACHE,
	EXM_LEVER_KSM,
	EXM_LEVER_BALLOON_IDLE,
	EXM_LEVER_BALLOON,
	EXM_LEVER_RECLAIM_IDLE,
	EXM_LEVER_RECLAIM,
	EXM_LEVER_PAUSE,
	EXM_LEVER_REFUSE,
	EXM_LEVER_MIGRATE,
	EXM_LEVER_COUNT,
} ExmLever;

extern const ExmEnumTable exm_lever_table;

/**
 * struct ExmPolicyState - One state of lack, and what may be done in it
 * @name:     of the state
 * @free:     it begins below so much free memory, as a fraction; 0 for never
 * @pressure: it begins at so much time stalled, as a fraction; 0 for never
 * @levers:   in the order they are pulled
 * @count:    of them
 */
typedef struct {
	char *name;
	uint64_t free;
	uint64_t pressure;
	ExmLever levers[EXM_LEVER_COUNT];
	size_t count;
} ExmPolicyState;

/**
 * struct ExmAllowance - So much of a guest's memory
 * @fraction: of it; 0 where @bytes counts
 * @bytes:    whatever it has
 */
typedef struct {
	uint64_t fraction;
	uint64_t bytes;
} ExmAllowance;

/**
 * struct ExmGuestRule - What a policy says of some guests
 * @shares:  what the guest's memory is worth beside that of others
 * @floor:   it is never left less
 * @ceiling: it is never given more
 * @pause:   it may be paused
 */
typedef struct {
	uint64_t shares;
	ExmAllowance floor;
	ExmAllowance ceiling;
	bool pause;
} ExmGuestRule;

/**
 * struct ExmPolicy - When to do what about a lack of memory; exomem-policy(5)
 * @interval:       seconds between rounds
 * @step:           the most that a guest loses or gets in a round, of its memory
 * @hysteresis:     a state is left when so much more is free than it begins with, of the host's
 *                  memory
 * @window:         rounds that a state lasts at least before a milder one, and that lie between a
 *                  guest's turns
 * @idle:           a guest is idle that has so much idle memory
 * @idle_tax:       idle memory costs 1 / (1 - tax) times the shares of memory in use
 * @guest_free:     what balloons leave free in a guest, of what it has
 * @statistics_age: seconds after which a guest's statistics are not believed
 * @pages_min:      fewest pages that KSM looks at before it rests
 * @pages_max:      most
 * @states:         of ExmPolicyState, the mildest first
 * @guests:         rules by pattern, in the file's order; private to policy.c
 */
typedef struct {
	uint64_t interval;
	uint64_t step;
	uint64_t hysteresis;
	uint64_t window;
	uint64_t idle;
	uint64_t idle_tax;
	uint64_t guest_free;
	uint64_t statistics_age;
	uint64_t pages_min;
	uint64_t pages_max;
	GPtrArray *states;
	GPtrArray *guests;
} ExmPolicy;

ExmPolicy *exm_policy_parse(const char *text, GError **error);
void exm_policy_free(ExmPolicy *policy);
const ExmPolicyState *exm_policy_state(const ExmPolicy *policy, size_t number);
const char *exm_policy_state_name(const ExmPolicy *policy, size_t number);
bool exm_policy_state_has(const ExmPolicyState *state, ExmLever lever);
bool exm_policy_rule(const ExmPolicy *policy, const char *guest, uint64_t memory,
                     ExmGuestRule *ret_rule, GError **error);
uint64_t exm_allowance_of(ExmAllowance allowance, uint64_t memory);
uint64_t exm_fraction_of(uint64_t bytes, uint64_t fraction);
char *exm_fraction_print(uint64_t fraction);
const char *exm_policy_shipped(const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPolicy, exm_policy_free)
