/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sample.c - What memory the host and its guests have at one moment, as a value and as JSON */

#include "plan/sample.h"

#include "base/error.h"
#include "base/record.h"

/* Counts up when a member changes its meaning. */
#define SCHEMA 1

static const char *const out_names[] = {
	[EXM_OUT_NOWHERE] = "nowhere",
	[EXM_OUT_FILE] = "file",
	[EXM_OUT_SWAP] = "swap",
};

static const ExmEnumTable out_table = { "way out", out_names, G_N_ELEMENTS(out_names) };

static const ExmField guest_fields[] = {
	EXM_FIELD(ExmGuestSample, "name", STRING, name, true),
	EXM_FIELD(ExmGuestSample, "memory", UINT, memory, true),
	EXM_FIELD(ExmGuestSample, "answers", BOOL, answers, false),
	EXM_FIELD(ExmGuestSample, "running", BOOL, running, false),
	EXM_FIELD(ExmGuestSample, "paused", BOOL, paused, false),
	EXM_FIELD(ExmGuestSample, "balloon", BOOL, balloon, false),
	EXM_FIELD(ExmGuestSample, "actual", UINT, actual, true),
	EXM_FIELD(ExmGuestSample, "statistics", BOOL, statistics, false),
	EXM_FIELD(ExmGuestSample, "statistics-age", UINT, statistics_age, false),
	EXM_FIELD(ExmGuestSample, "available", UINT, available, false),
	EXM_FIELD(ExmGuestSample, "resident", UINT, resident, false),
	EXM_FIELD(ExmGuestSample, "swapped", UINT, swapped, false),
	EXM_FIELD(ExmGuestSample, "faults", UINT, faults, false),
	EXM_FIELD(ExmGuestSample, "cpu", UINT, cpu, false),
	{ .name = "out",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmGuestSample, out),
	  .names = &out_table },
};

static const ExmLayout guest_layout = {
	"guest of a sample", sizeof(ExmGuestSample), guest_fields, G_N_ELEMENTS(guest_fields), true,
};

static const ExmField fields[] = {
	EXM_FIELD(ExmSample, "schema", UINT, schema, true),
	EXM_FIELD(ExmSample, "time", UINT, time, true),
	EXM_FIELD(ExmSample, "total", UINT, total, true),
	EXM_FIELD(ExmSample, "available", UINT, available, true),
	EXM_FIELD(ExmSample, "swap-free", UINT, swap_free, false),
	EXM_FIELD(ExmSample, "has-pressure", BOOL, has_pressure, false),
	EXM_FIELD(ExmSample, "pressure", UINT, pressure, false),
	EXM_FIELD(ExmSample, "ksm", BOOL, ksm, false),
	{ .name = "guests",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmSample, guests),
	  .required = true,
	  .items = &guest_layout },
};

static const ExmLayout layout = { "sample", sizeof(ExmSample), fields, G_N_ELEMENTS(fields), true };

/**
 * exm_sample_new() - A sample of nothing
 *
 * Return: the sample (transfer full).
 */
ExmSample *exm_sample_new(void)
{
	return exm_record_new(&layout);
}

/**
 * exm_sample_free() - Free a sample and its guests
 * @sample: may be NULL
 */
void exm_sample_free(ExmSample *sample)
{
	exm_record_free(&layout, sample);
}

/**
 * exm_sample_add() - Add a guest
 * @sample: the sample, which will own it
 * @name:   of the guest
 *
 * Return: all zeroes but for its name (borrowed).
 */
ExmGuestSample *exm_sample_add(ExmSample *sample, const char *name)
{
	ExmGuestSample *guest = exm_record_new(&guest_layout);

	guest->name = g_strdup(name);
	g_ptr_array_add(sample->guests, guest);
	return guest;
}

/**
 * exm_sample_to_json() - Write a sample as JSON
 * @sample: the sample
 *
 * Return: an object (transfer full), described in exomem-balance(1).
 */
ExmJson *exm_sample_to_json(const ExmSample *sample)
{
	ExmJson *json = exm_record_to_json(&layout, sample);

	exm_json_set_uint(json, "schema", SCHEMA);
	return json;
}

/**
 * exm_sample_from_json() - Read a sample
 * @json:  as exm_sample_to_json() wrote it
 * @error: USAGE where it is none; UNSUPPORTED where a later exomem wrote it
 *
 * Return: the sample (transfer full), or NULL.
 */
ExmSample *exm_sample_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmSample) sample = exm_record_from_json(&layout, json, error);

	if (!sample)
		return NULL;
	if (sample->schema > SCHEMA) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "the sample is of a later exomem");
		return NULL;
	}
	if (sample->total == 0) {
		exm_throw(error, EXM_ERROR_USAGE, "the sample is of a host without memory");
		return NULL;
	}
	return g_steal_pointer(&sample);
}
