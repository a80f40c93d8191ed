/* SPDX-License-Identifier: GPL-2.0-or-later */
/* planner.c - how long the planner of `exomem balance` takes for a round of so many guests */

#include <stdio.h>
#include <stdlib.h>

#include "base/size.h"
#include "plan/balance.h"

#define ROUNDS 101

static void draw(ExmSample *sample, GRand *chance)
{
	sample->available = (uint64_t)(g_rand_double(chance) * 0.3 * (double)sample->total);
	for (guint i = 0; i < sample->guests->len; i++) {
		ExmGuestSample *guest = sample->guests->pdata[i];

		guest->available = (uint64_t)(g_rand_double(chance) * (double)guest->actual);
		guest->cpu += (uint64_t)g_rand_int_range(chance, 0, 10000);
	}
	sample->time += 10000;
}

static ExmSample *make(unsigned guests)
{
	ExmSample *sample = exm_sample_new();

	sample->total = (uint64_t)guests * EXM_GIB;
	for (unsigned i = 0; i < guests; i++) {
		g_autofree char *name = g_strdup_printf("guest-%u", i);
		ExmGuestSample *guest = exm_sample_add(sample, name);

		guest->memory = guest->actual = guest->resident = EXM_GIB;
		guest->answers = guest->running = guest->balloon = guest->statistics = true;
		guest->out = EXM_OUT_FILE;
	}
	return sample;
}

static int compare(const void *left, const void *right)
{
	const gint64 one = *(const gint64 *)left;
	const gint64 other = *(const gint64 *)right;

	return one < other ? -1 : one > other;
}

int main(int argc, char **argv)
{
	const unsigned guests = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	g_autoptr(ExmPolicy) policy = exm_policy_parse(exm_policy_shipped("default"), NULL);
	g_autoptr(ExmBalance) balance = exm_balance_new(policy);
	g_autoptr(ExmSample) sample = make(guests);
	GRand *chance = g_rand_new_with_seed(1);
	gint64 times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		gint64 begun;

		draw(sample, chance);
		begun = g_get_monotonic_time();
		g_ptr_array_unref(exm_balance_decide(balance, sample));
		times[i] = g_get_monotonic_time() - begun;
	}
	qsort(times, ROUNDS, sizeof(*times), compare);
	printf("%.2f ms median, %.2f ms at most\n", (double)times[ROUNDS / 2] / 1000,
	       (double)times[ROUNDS - 1] / 1000);
	g_rand_free(chance);
	return 0;
}
