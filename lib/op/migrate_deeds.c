/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate_deeds.c - What each step of a migration does, and how it is undone */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/frozen.h"
#include "host/guest_end.h"
#include "host/memory_file.h"
#include "host/pidfd.h"
#include "host/place.h"
#include "host/qmp_migration.h"
#include "host/state.h"
#include "host/template_store.h"
#include "op/moving.h"
#include "op/prefetch.h"

/* The guest rests for as long as that, at the most, when the other host falls silent. */
#define PAUSE_ANSWER_MS 10000

/* A QEMU that is killed gives back its memory first. */
#define END_MS 30000

/* Clocks that differ by so much are worth a word: times of files would look strange. */
#define CLOCK_SKEW_US 2000000

/* More warnings than a destination has, and longer ones. */
#define WARNINGS_MAX       32
#define WARNING_MAX_LENGTH 1000

static ExmJson *question(const char *verb)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_string(json, "ask", verb);
	return json;
}

/* The guest as it is known by now: what is asked for is done with that one. */
static ExmJson *question_of_guest(const ExmFreeze *freeze, const char *verb, const char *directory)
{
	ExmJson *json = question(verb);

	json_object_object_add(json, "guest", exm_template_to_json(freeze->plan->template));
	exm_json_set_string(json, "directory", directory);
	return json;
}

/* With the device state as it is now. */
static bool ask_with_state(const ExmFreeze *freeze, const char *verb, int timeout_ms, GError **error)
{
	g_autoptr(GBytes) state = g_bytes_new_static(freeze->state->data, freeze->state->len);

	return exm_conversation_ask(freeze->move->peer, timeout_ms, question(verb), state, NULL,
	                            error);
}

static int pause_patience(const ExmFreeze *freeze)
{
	return MIN(freeze->move->order->timeout_ms, PAUSE_ANSWER_MS);
}

static void file_free(gpointer file)
{
	exm_file_facts_free(file);
}

/* Checked once more: somebody else may have put another state there since. */
static bool remove_handover(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmSavePlan *plan = freeze->plan;
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(file_free);
	g_autoptr(ExmTemplate) handover = exm_template_store_read_own(step->path, error);

	if (!handover)
		return false;
	for (guint i = 0; i < plan->memory->len; i++)
		g_ptr_array_add(files,
		                exm_file_look(((const ExmSaveFile *)plan->memory->pdata[i])->path));
	if (!exm_save_replaces(handover, plan->vm, files))
		return exm_throw(error, EXM_ERROR_STATE, "'%s' has just been made by somebody else",
		                 step->path);
	exm_template_store_abandon(step->path);
	return access(step->path, F_OK) < 0 ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "'%s' holds files that exomem did not make: move it away", step->path);
}

static bool write_token(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const char *token = freeze->move->token;

	return exm_file_write_durable(step->path, token, strlen(token), 0600, error);
}

static void warn_all(const ExmFreeze *freeze, char **warnings)
{
	for (int i = 0; i < WARNINGS_MAX && warnings[i]; i++) {
		g_autofree char *warning = g_strndup(warnings[i], WARNING_MAX_LENGTH);

		freeze->move->order->warn(warning);
	}
}

static bool take_answer(const ExmFreeze *freeze, ExmJson *answer, gint64 asked_us, GError **error)
{
	const uint64_t now = (uint64_t)g_get_real_time();
	const uint64_t there = exm_json_get_uint(answer, "now");
	g_auto(GStrv) warnings = exm_json_get_strv(answer, "warnings");

	if (!warnings || !json_object_is_type(exm_json_member(answer, "now"), json_type_int))
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 "the other host does not say what time it is, or what it warns of");
	freeze->move->moved->round_trip_us = (uint64_t)(g_get_monotonic_time() - asked_us);
	warn_all(freeze, warnings);
	if (MAX(there, now) - MIN(there, now) > CLOCK_SKEW_US)
		freeze->move->order->warn("the clocks of the two hosts differ by seconds");
	return true;
}

static bool check(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	ExmMoving *move = freeze->move;
	g_autofree char *boot_id = exm_state_boot_id();
	g_autoptr(ExmJson) answer = NULL;
	ExmJson *message;
	gint64 asked_us;

	(void)step;
	move->peer = exm_conversation_start(move->order->peer, error);
	if (!move->peer)
		return false;
	message = question_of_guest(freeze, "check", freeze->plan->temporary);
	exm_conversation_introduce(message, move->order->version);
	exm_json_set_string(message, "token", move->token);
	exm_json_set_string(message, "boot-id", boot_id);
	asked_us = g_get_monotonic_time();
	if (!exm_conversation_ask(move->peer, move->order->timeout_ms, message, NULL, &answer, error) ||
	    !exm_conversation_check_destination(answer, move->order->version, error))
		return false;
	return take_answer(freeze, answer, asked_us, error);
}

static bool take_state(ExmFreeze *freeze, GError **error)
{
	g_byte_array_set_size(freeze->state, 0);
	freeze->stopped = 0;
	return exm_freeze_save_state(freeze, error);
}

static bool go_on(ExmFreeze *freeze, GError **error)
{
	uint64_t time = 0;

	if (!freeze->plan->running)
		return true;
	if (!exm_freeze_go_on(freeze->qmp, error) ||
	    !exm_qmp_wait_event(freeze->qmp, "RESUME", &time, error))
		return false;
	freeze->move->moved->rehearsal_us = time - freeze->stopped;
	exm_freeze_forget_sharing(freeze->qmp);
	return true;
}

static bool settle(const ExmFreeze *freeze, GError **error)
{
	return exm_freeze_write_back(freeze, exm_write_back_settle, error);
}

/* What the guest has written and this host has not; also the times, which the manifest has too. */
static bool sync_files(const ExmFreeze *freeze, GError **error)
{
	return exm_freeze_write_back(freeze, exm_write_back_sync, error);
}

static bool ask(const ExmFreeze *freeze, const char *verb, GError **error)
{
	return exm_conversation_ask(freeze->move->peer, freeze->move->order->timeout_ms,
	                            question(verb), NULL, NULL, error);
}

/*
 * The other host sees of the memory what was synced, which QEMU may look at while it loads a state
 * (hw/i386/vapic.c, vapic_prepare(); hw/virtio/virtio.c, virtio_load()). It is of a moment ago, and
 * may not fit to what the guest has changed since: so a try that fails is made once more while the
 * guest rests, for which the other QEMU waits before it does.
 */
static bool rehearse(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	if (!settle(freeze, error) || !ask(freeze, "set-up-rehearsal", error) ||
	    !take_state(freeze, error) || !go_on(freeze, error))
		return false;
	if (ask_with_state(freeze, "rehearse", freeze->move->order->timeout_ms, NULL))
		return true;
	return ask(freeze, "set-up-rehearsal", error) && settle(freeze, error) &&
	       take_state(freeze, error) && sync_files(freeze, error) &&
	       ask_with_state(freeze, "rehearse", pause_patience(freeze), error) &&
	       go_on(freeze, error);
}

static bool resume_guest(const ExmFreeze *freeze, const ExmStep *step)
{
	return exm_save_deed(EXM_STEP_SAVE_DEVICES)->undo(freeze, step);
}

static bool record_pages(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	return exm_prefetch_hand_over(freeze->plan->vm, step->path, error);
}

static bool prepare(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	return ask(freeze, "prepare", error);
}

static bool save_devices(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	ExmTemplate *template = freeze->plan->template;
	const char *bytes;

	if (!take_state(freeze, error))
		return false;
	bytes = (const char *)freeze->state->data;
	template->devices_size = freeze->state->len;
	g_free(template->devices_sha256);
	template->devices_sha256 = g_compute_checksum_for_data(
		G_CHECKSUM_SHA256, freeze->state->data, freeze->state->len);
	/* It is synced together with the memory, when nothing changes that any more. */
	return exm_file_write_atomic(step->path, bytes, freeze->state->len, 0600, error);
}

static bool freeze_guest(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	return exm_frozen_stop((pid_t)freeze->plan->vm->pid, freeze->move->process, error);
}

static bool thaw_guest(const ExmFreeze *freeze, const ExmStep *step)
{
	(void)step;
	exm_frozen_go_on(freeze->move->process);
	return true;
}

static bool flush_memory(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmSavePlan *plan = freeze->plan;
	g_autofree char *devices = g_build_filename(plan->temporary, EXM_TEMPLATE_DEVICES, NULL);

	(void)step;
	return sync_files(freeze, error) && exm_file_sync(devices, error);
}

static bool send_state(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	return ask_with_state(freeze, "state", pause_patience(freeze), error);
}

/* Once the state has its final name the guest never continues here, even if the name is not synced. */
static bool commit(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const bool done = exm_save_deed(step->kind)->act(freeze, step, error);

	freeze->move->has_left = done || !exm_template_store_has(freeze->plan->temporary);
	return done;
}

/*
 * A QEMU that is killed gives back its memory before it gives back its locks, which takes longer
 * the more it has. It runs no instruction any more, so that the locks can go at once.
 */
static bool release(const ExmFreeze *freeze, GError **error)
{
	const ExmSavePlan *plan = freeze->plan;
	const int process = freeze->move->process;
	g_autoptr(GPtrArray)
		locks = g_ptr_array_new_with_free_func((GDestroyNotify)(void (*)(void))g_array_unref);

	for (guint i = 0; i < plan->memory->len; i++) {
		const ExmSaveFile *file = plan->memory->pdata[i];

		GArray *some = exm_frozen_locks((pid_t)plan->vm->pid, process, file->path, NULL);

		/* Without them it takes longer. */
		if (some)
			g_ptr_array_add(locks, some);
	}
	exm_guest_end_announce(plan->vm->directory, EXM_END_ANNOUNCED_MIGRATED);
	if (!exm_pidfd_kill(process, error))
		return false;
	for (guint i = 0; i < locks->len; i++)
		exm_frozen_unlock(locks->pdata[i]);
	return true;
}

static void reap(const ExmFreeze *freeze)
{
	int process = fcntl(freeze->move->process, F_DUPFD_CLOEXEC, 0);

	exm_pidfds_wait(&process, 1, END_MS);
	exm_fd_clear(&process);
	exm_state_sweep(freeze->state_directory);
}

static bool release_guest(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	freeze->move->has_left = true;
	if (!release(freeze, error))
		return false;
	freeze->move->moved->pause_us = (uint64_t)g_get_real_time() - freeze->stopped;
	if (!freeze->move->peer)
		reap(freeze);
	return true;
}

static bool take_over(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmMoving *move = freeze->move;

	(void)step;
	if (!exm_conversation_ask(
		    move->peer, move->order->timeout_ms,
		    question_of_guest(freeze, "take-over", freeze->plan->template->directory), NULL,
		    NULL, error))
		return false;
	freeze->move->is_taken = true;
	move->moved->pause_us = (uint64_t)g_get_real_time() - freeze->stopped;
	return true;
}

/* The destination removes the state: only it knows whether the guest runs, should this one be killed. */
static bool clean_up(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	g_autoptr(ExmJson) answer = NULL;

	(void)step;
	reap(freeze);
	if (freeze->move->order->keep)
		return true;
	if (!exm_conversation_ask(freeze->move->peer, freeze->move->order->timeout_ms,
	                          question("look"), NULL, &answer, error))
		return false;
	freeze->move->has_ended = !exm_json_get_bool(answer, "lives");
	return !freeze->move->has_ended ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "the guest ended within a moment");
}

/* What a migration's own steps do, and how they are undone; the others are those of a save. */
static const ExmDeed deeds[] = {
	[EXM_STEP_REMOVE_HANDOVER] = { remove_handover, NULL },
	[EXM_STEP_WRITE_TOKEN] = { write_token, NULL },
	[EXM_STEP_CHECK] = { check, NULL },
	[EXM_STEP_REHEARSE] = { rehearse, resume_guest },
	[EXM_STEP_RECORD_PAGES] = { record_pages, NULL },
	[EXM_STEP_PREPARE] = { prepare, NULL },
	[EXM_STEP_SAVE_DEVICES] = { save_devices, resume_guest },
	[EXM_STEP_FREEZE_GUEST] = { freeze_guest, thaw_guest },
	[EXM_STEP_FLUSH_MEMORY] = { flush_memory, NULL },
	[EXM_STEP_SEND_STATE] = { send_state, NULL },
	[EXM_STEP_COMMIT] = { commit, NULL },
	[EXM_STEP_RELEASE_GUEST] = { release_guest, NULL },
	[EXM_STEP_TAKE_OVER] = { take_over, NULL },
	[EXM_STEP_CLEAN_UP] = { clean_up, NULL },
};

/**
 * exm_migrate_deed() - What a step of a migration does
 * @kind: of the step
 */
const ExmDeed *exm_migrate_deed(ExmStepKind kind)
{
	return (size_t)kind < G_N_ELEMENTS(deeds) && deeds[kind].act ? &deeds[kind]
	                                                             : exm_save_deed(kind);
}

/**
 * exm_migrate_finish() - The state has its place: this host never runs the guest again
 * @freeze: what is done
 * @begun:  steps that were begun
 *
 * Return: true.
 */
bool exm_migrate_finish(const ExmFreeze *freeze, G_GNUC_UNUSED guint begun)
{
	const ExmMoving *move = freeze->move;
	g_autofree char *way_out = NULL;

	release(freeze, NULL);
	reap(freeze);
	/* The process that watches speaks for the one that was killed; that one speaks for itself. */
	if (getpid() == move->leader || getppid() == move->leader)
		return true;
	way_out = exm_migrate_way_out(freeze->plan, move);
	move->order->warn(way_out);
	return true;
}
