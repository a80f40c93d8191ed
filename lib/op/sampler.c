/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sampler.c - Look at the host and all its guests: one question at a time, to all guests at once */

#include "op/sampler.h"

#include <string.h>

#include "base/error.h"
#include "host/guest_memory.h"
#include "host/ksm.h"
#include "host/pressure.h"
#include "host/state.h"
#include "op/ask.h"
#include "op/reclaim.h"
#include "plan/balloon.h"

/* How long all QEMUs together may take for one question. */
#define ANSWER_MS 1000

/**
 * struct Known - What need not be asked again
 * @pid:     of its QEMU: another one is another guest
 * @balloon: path of its device, or NULL
 * @asked:   for the path
 * @out:     where its pages go
 * @private: its balloon must not be used
 */
typedef struct {
	uint64_t pid;
	char *balloon;
	bool asked;
	ExmOut out;
	bool private;
} Known;

/**
 * struct ExmSampler - What looks at guests
 * @state_directory: where they are
 * @group:           control group whose limit counts, or NULL
 * @interval:        seconds between which guests tell of their memory
 * @known:           of Known, by name
 * @vms:             guests of the last sample
 */
struct ExmSampler {
	char *state_directory;
	char *group;
	uint64_t interval;
	GHashTable *known;
	GPtrArray *vms;
};

static void known_free(gpointer data)
{
	Known *known = data;

	g_free(known->balloon);
	g_free(known);
}

/**
 * exm_sampler_new() - Begin to look
 * @state_directory: where guests are
 * @group:           directory of a control group whose limit counts, or NULL for the whole host
 * @interval:        seconds between two looks
 *
 * Return: what looks (transfer full).
 */
ExmSampler *exm_sampler_new(const char *state_directory, const char *group, uint64_t interval)
{
	ExmSampler *sampler = g_new0(ExmSampler, 1);

	sampler->state_directory = g_strdup(state_directory);
	sampler->group = g_strdup(group);
	sampler->interval = interval;
	sampler->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
	return sampler;
}

/**
 * exm_sampler_free() - Free what looks
 * @sampler: may be NULL
 */
void exm_sampler_free(ExmSampler *sampler)
{
	if (!sampler)
		return;
	if (sampler->vms)
		g_ptr_array_unref(sampler->vms);
	g_hash_table_unref(sampler->known);
	g_free(sampler->state_directory);
	g_free(sampler->group);
	g_free(sampler);
}

static Known *know(const ExmSampler *sampler, const ExmVm *vm)
{
	Known *known = g_hash_table_lookup(sampler->known, vm->name);

	if (known && known->pid == vm->pid)
		return known;
	known = g_new0(Known, 1);
	known->pid = vm->pid;
	known->out = exm_guest_memory_out(vm);
	known->private = exm_guest_memory_is_private(vm);
	g_hash_table_insert(sampler->known, g_strdup(vm->name), known);
	return known;
}

/* Guests with their samples, in the same order; one that vanishes meanwhile is left out. */
static void look_at_processes(ExmSampler *sampler, ExmSample *sample)
{
	for (guint i = 0; i < sampler->vms->len;) {
		const ExmVm *vm = sampler->vms->pdata[i];
		ExmGuestSample process = { 0 };
		ExmGuestSample *guest;

		if (!exm_process_read((pid_t)vm->pid, &process)) {
			g_ptr_array_remove_index(sampler->vms, i);
			continue;
		}
		guest = exm_sample_add(sample, vm->name);
		guest->memory = guest->actual = vm->ram_size;
		guest->resident = process.resident;
		guest->swapped = process.swapped;
		guest->faults = process.faults;
		guest->cpu = process.cpu;
		guest->out = know(sampler, vm)->out;
		guest->paused = exm_guest_is_asleep(vm);
		i++;
	}
}

/* Questions to those that have answered so far. */
static GPtrArray *questions_for(const ExmSampler *sampler, const ExmSample *sample,
                                const char *command)
{
	GPtrArray *questions = exm_questions_new(sampler->vms, command);

	for (guint i = 0; i < questions->len; i++) {
		const ExmGuestSample *guest = sample->guests->pdata[i];
		ExmQuestion *question = questions->pdata[i];

		if (!guest->answers)
			question->command = NULL;
	}
	return questions;
}

static void ask_status(const ExmSampler *sampler, const ExmSample *sample)
{
	g_autoptr(GPtrArray) questions = exm_questions_new(sampler->vms, "query-status");

	exm_questions_ask(questions, ANSWER_MS);
	for (guint i = 0; i < questions->len; i++) {
		const ExmQuestion *question = questions->pdata[i];
		ExmGuestSample *guest = sample->guests->pdata[i];

		guest->answers = question->answer != NULL;
		guest->running = question->answer && exm_json_get_bool(question->answer, "running");
	}
}

static void ask_balloons(const ExmSampler *sampler, const ExmSample *sample)
{
	g_autoptr(GPtrArray) questions = questions_for(sampler, sample, "query-balloon");

	exm_questions_ask(questions, ANSWER_MS);
	for (guint i = 0; i < questions->len; i++) {
		const ExmQuestion *question = questions->pdata[i];
		ExmGuestSample *guest = sample->guests->pdata[i];
		const uint64_t actual = exm_json_get_uint(question->answer, "actual");

		if (actual == 0)
			continue;
		guest->actual = actual;
		guest->memory = MAX(guest->memory, actual);
		guest->balloon = !know(sampler, question->vm)->private;
	}
}

static ExmJson *property_of(const char *path, const char *property)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_string(json, "path", path);
	if (property)
		exm_json_set_string(json, "property", property);
	return json;
}

/* Where the balloons are that are not known yet: in one container of devices. */
static bool find_devices(const ExmSampler *sampler, const ExmSample *sample, const char *container)
{
	g_autoptr(GPtrArray) questions = questions_for(sampler, sample, "qom-list");
	bool any = false;

	for (guint i = 0; i < questions->len; i++) {
		ExmQuestion *question = questions->pdata[i];
		const Known *known = know(sampler, question->vm);

		if (known->asked || known->balloon)
			question->command = NULL;
		if (question->command) {
			question->arguments = property_of(container, NULL);
			any = true;
		}
	}
	if (any)
		exm_questions_ask(questions, ANSWER_MS);
	for (guint i = 0; i < questions->len; i++) {
		const ExmQuestion *question = questions->pdata[i];

		if (question->answer)
			know(sampler, question->vm)->balloon = exm_balloon_find(question->answer,
			                                                        container);
	}
	return any;
}

/* A question about the balloons of all guests that have one; those of @fresh guests only, if told. */
static GPtrArray *ask_devices(const ExmSampler *sampler, const ExmSample *sample,
                              const char *command, const char *property, int64_t value, bool fresh)
{
	GPtrArray *questions = questions_for(sampler, sample, command);

	for (guint i = 0; i < questions->len; i++) {
		ExmQuestion *question = questions->pdata[i];
		const Known *known = know(sampler, question->vm);

		if (!known->balloon || (fresh && known->asked)) {
			question->command = NULL;
			continue;
		}
		question->arguments = property_of(known->balloon, property);
		if (value >= 0)
			exm_json_set_uint(question->arguments, "value", (uint64_t)value);
	}
	exm_questions_ask(questions, ANSWER_MS);
	return questions;
}

/* A guest tells of its memory only when it is asked to, every so many seconds. */
static void begin_polling(const ExmSampler *sampler, const ExmSample *sample)
{
	const bool named = find_devices(sampler, sample, "/machine/peripheral");
	const bool unnamed = find_devices(sampler, sample, "/machine/peripheral-anon");

	if (named || unnamed)
		g_ptr_array_unref(ask_devices(sampler, sample, "qom-set",
		                              "guest-stats-polling-interval",
		                              (int64_t)MAX(sampler->interval / 2, 1), true));
	for (guint i = 0; i < sampler->vms->len; i++)
		if (((const ExmGuestSample *)sample->guests->pdata[i])->answers)
			know(sampler, sampler->vms->pdata[i])->asked = true;
}

static void ask_statistics(const ExmSampler *sampler, const ExmSample *sample)
{
	const uint64_t now = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
	g_autoptr(GPtrArray)
		questions = ask_devices(sampler, sample, "qom-get", "guest-stats", -1, false);

	for (guint i = 0; i < questions->len; i++) {
		const ExmQuestion *question = questions->pdata[i];

		if (question->answer)
			exm_balloon_read_statistics(question->answer, now, sample->guests->pdata[i]);
	}
}

/**
 * exm_sampler_take() - Look at the host and its guests
 * @sampler: what looks
 * @error:   SYSTEM
 *
 * A guest that does not answer costs a second, whatever their number.
 *
 * Return: what is so (transfer full), or NULL.
 */
ExmSample *exm_sampler_take(ExmSampler *sampler, GError **error)
{
	g_autoptr(ExmSample) sample = exm_sample_new();
	ExmKsm ksm;

	if (sampler->vms)
		g_ptr_array_unref(sampler->vms);
	sampler->vms = NULL;
	if (!exm_state_list(sampler->state_directory, &sampler->vms, error) ||
	    !exm_pressure_read(sampler->group, sample, error))
		return NULL;
	sample->time = (uint64_t)(g_get_monotonic_time() / 1000);
	sample->ksm = exm_ksm_read(&ksm);
	look_at_processes(sampler, sample);
	ask_status(sampler, sample);
	ask_balloons(sampler, sample);
	begin_polling(sampler, sample);
	ask_statistics(sampler, sample);
	return g_steal_pointer(&sample);
}

/**
 * exm_sampler_guests() - The guests of the last sample
 * @sampler: what looks
 *
 * Return: of ExmVm (borrowed), until the next one.
 */
const GPtrArray *exm_sampler_guests(const ExmSampler *sampler)
{
	return sampler->vms;
}

/**
 * exm_sampler_find() - A guest of the last sample
 * @sampler: what looks
 * @name:    the guest's
 *
 * Return: its record (borrowed), or NULL.
 */
const ExmVm *exm_sampler_find(const ExmSampler *sampler, const char *name)
{
	for (guint i = 0; sampler->vms && i < sampler->vms->len; i++) {
		const ExmVm *vm = sampler->vms->pdata[i];

		if (strcmp(vm->name, name) == 0)
			return vm;
	}
	return NULL;
}

/**
 * exm_sampler_stop_polling() - Ask guests no more to tell of their memory
 * @sampler: what looks
 */
void exm_sampler_stop_polling(ExmSampler *sampler)
{
	g_autoptr(ExmSample) sample = exm_sample_new();

	for (guint i = 0; sampler->vms && i < sampler->vms->len; i++) {
		const ExmVm *vm = sampler->vms->pdata[i];

		exm_sample_add(sample, vm->name)->answers = true;
	}
	if (sampler->vms)
		g_ptr_array_unref(ask_devices(sampler, sample, "qom-set",
		                              "guest-stats-polling-interval", 0, false));
}
