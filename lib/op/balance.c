/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance.c - Look, decide and act, round by round */

#include "op/balance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/balance_note.h"
#include "host/guest_memory.h"
#include "host/interrupt.h"
#include "host/ksm.h"
#include "host/safe_open.h"
#include "host/smaps.h"
#include "op/ask.h"
#include "op/mover.h"
#include "op/reclaim.h"
#include "op/sampler.h"
#include "op/template.h"

/* A guest whose memory has to be written back first may be on its way for long. */
#define MOVE_PATIENCE_MS (10 * 60 * 1000)

/* How long all QEMUs together may take to be told something. */
#define ANSWER_MS 1000

/**
 * struct Loop - Balancing
 * @request:   what was asked
 * @sampler:   looks at guests
 * @balance:   decides
 * @ksm:       how KSM was set before
 * @ksm_set:   it has been set otherwise
 * @balloons:  what balloons left before they were moved, by guest: uint64_t
 * @sleepers:  guests that were put to sleep
 * @mover:     moves guests away, or NULL
 * @round:     number of the round
 * @recording: descriptor of the file of samples, or -1
 */
typedef struct {
	const ExmBalanceRequest *request;
	ExmSampler *sampler;
	ExmBalance *balance;
	ExmKsm ksm;
	bool ksm_set;
	GHashTable *balloons;
	GHashTable *sleepers;
	ExmMover *mover;
	uint64_t round;
	int recording;
} Loop;

/* What acting on a decision has freed; false with an error where it could not be acted on. */
typedef bool (*Deed)(Loop *loop, const ExmDecision *decision, uint64_t *ret_freed, GError **error);

static bool do_nothing(G_GNUC_UNUSED Loop *loop, G_GNUC_UNUSED const ExmDecision *decision,
                       G_GNUC_UNUSED uint64_t *ret_freed, G_GNUC_UNUSED GError **error)
{
	return true;
}

static uint64_t drop_file(const char *path)
{
	const uint64_t before = exm_file_use(path).resident;
	exm_autofd int fd = before ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	uint64_t after;

	/* Pages that somebody maps, and those not yet written, stay (Linux, mm/fadvise.c). */
	if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		return 0;
	after = exm_file_use(path).resident;
	return before > after ? before - after : 0;
}

static uint64_t drop_of_guests(const Loop *loop)
{
	const GPtrArray *vms = exm_sampler_guests(loop->sampler);
	uint64_t freed = 0;

	for (guint i = 0; i < vms->len; i++) {
		const ExmVm *vm = vms->pdata[i];

		for (size_t k = 0; vm->memory && k < exm_json_length(vm->memory); k++) {
			g_autofree char *path = exm_guest_memory_path(
				vm, json_object_array_get_idx(vm->memory, k));

			freed += path ? drop_file(path) : 0;
		}
	}
	return freed;
}

static bool drop_cache(Loop *loop, G_GNUC_UNUSED const ExmDecision *decision, uint64_t *ret_freed,
                       G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) templates = exm_op_template_list(loop->request->templates);

	*ret_freed = drop_of_guests(loop);
	for (guint i = 0; i < templates->len; i++) {
		const ExmTemplate *template = templates->pdata[i];

		for (guint k = 0; k < template->memory->len; k++) {
			const ExmTemplateMemory *memory = template->memory->pdata[k];
			g_autofree char *path = g_path_is_absolute(memory->path)
			                                ? g_strdup(memory->path)
			                                : g_build_filename(template->directory,
			                                                   memory->path, NULL);

			*ret_freed += drop_file(path);
		}
	}
	return true;
}

static bool set_ksm(Loop *loop, const ExmDecision *decision, G_GNUC_UNUSED uint64_t *ret_freed,
                    GError **error)
{
	/* Stopped, it leaves merged what is: that costs nothing. */
	const ExmKsm ksm = {
		.run = decision->to > 0,
		.pages = decision->to ? decision->to : loop->ksm.pages,
		.rest = decision->to ? decision->rest : loop->ksm.rest,
	};

	loop->ksm_set = true;
	return exm_ksm_write(&ksm, error);
}

static const ExmVm *find_guest(const Loop *loop, const ExmDecision *decision, GError **error)
{
	const ExmVm *vm = exm_sampler_find(loop->sampler, decision->guest);

	if (!vm)
		exm_throw(error, EXM_ERROR_STATE, "it has ended");
	return vm;
}

static bool reclaim(Loop *loop, const ExmDecision *decision, uint64_t *ret_freed, GError **error)
{
	const ExmVm *vm = find_guest(loop, decision, error);
	ExmReclaimed result;

	if (!vm || !exm_reclaim_guest(vm, decision->from - decision->to, &result, error))
		return false;
	*ret_freed = result.freed;
	return true;
}

static bool put_to_sleep(Loop *loop, const ExmDecision *decision, uint64_t *ret_freed, GError **error)
{
	const ExmVm *vm = find_guest(loop, decision, error);
	ExmReclaimed result;

	if (!vm || !exm_put_to_sleep(vm, &result, error))
		return false;
	g_hash_table_add(loop->sleepers, g_strdup(vm->name));
	*ret_freed = result.freed;
	return true;
}

static bool wake(Loop *loop, const ExmDecision *decision, G_GNUC_UNUSED uint64_t *ret_freed,
                 GError **error)
{
	const ExmVm *vm = find_guest(loop, decision, error);

	if (!vm || !exm_wake_up(vm, error))
		return false;
	g_hash_table_remove(loop->sleepers, vm->name);
	return true;
}

static bool migrate(Loop *loop, const ExmDecision *decision, G_GNUC_UNUSED uint64_t *ret_freed,
                    GError **error)
{
	return !loop->mover || exm_mover_start(loop->mover, decision->guest, error);
}

/* Tells the end of a move, when it has come. */
static void tell_moved(const Loop *loop, int timeout_ms)
{
	g_autofree char *guest = NULL;
	g_autofree char *problem = NULL;
	g_autofree char *line = NULL;
	ExmDecision moved = { .action = EXM_ACTION_MOVED };

	if (!loop->mover || !exm_mover_wait(loop->mover, timeout_ms, &guest, &problem))
		return;
	line = g_strdup_printf("state %s: %s has %smoved to %s", exm_balance_state(loop->balance),
	                       guest, problem ? "not " : "", loop->request->migrate_to);
	moved.state = exm_balance_state(loop->balance);
	moved.guest = guest;
	moved.line = line;
	loop->request->sink(loop->round, &moved, 0, problem);
}

static ExmJson *value_of(uint64_t bytes)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "value", bytes);
	return json;
}

/* Tells balloons, all at once; @targets is of uint64_t by guest. Returns of ExmQuestion. */
static GPtrArray *tell_balloons(const Loop *loop, GHashTable *targets)
{
	GPtrArray *questions = exm_questions_new(exm_sampler_guests(loop->sampler), NULL);

	for (guint i = 0; i < questions->len; i++) {
		ExmQuestion *question = questions->pdata[i];
		const uint64_t *target = g_hash_table_lookup(targets, question->vm->name);

		if (!target)
			continue;
		question->command = "balloon";
		question->arguments = value_of(*target);
	}
	exm_questions_ask(questions, ANSWER_MS);
	return questions;
}

static void keep(GHashTable *sizes, const char *guest, uint64_t bytes)
{
	if (!g_hash_table_contains(sizes, guest))
		g_hash_table_insert(sizes, g_strdup(guest), g_memdup2(&bytes, sizeof(bytes)));
}

static bool has_answered(const GPtrArray *questions, const char *guest)
{
	for (guint i = 0; i < questions->len; i++) {
		const ExmQuestion *question = questions->pdata[i];

		if (strcmp(question->vm->name, guest) == 0)
			return question->answer != NULL;
	}
	return false;
}

/* Balloons are told together, before all else: one QEMU that hangs holds up no other. */
static GPtrArray *move_balloons(Loop *loop, const GPtrArray *decisions)
{
	g_autoptr(GHashTable)
		targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	for (guint i = 0; i < decisions->len; i++) {
		const ExmDecision *decision = decisions->pdata[i];

		if (decision->action != EXM_ACTION_BALLOON)
			continue;
		keep(targets, decision->guest, decision->to);
		keep(loop->balloons, decision->guest, decision->from);
	}
	return tell_balloons(loop, targets);
}

static const Deed deeds[] = {
	[EXM_ACTION_STATE] = do_nothing,      [EXM_ACTION_PASS] = do_nothing,
	[EXM_ACTION_DROP_CACHE] = drop_cache, [EXM_ACTION_KSM] = set_ksm,
	[EXM_ACTION_BALLOON] = do_nothing,    [EXM_ACTION_RECLAIM] = reclaim,
	[EXM_ACTION_PAUSE] = put_to_sleep,    [EXM_ACTION_WAKE] = wake,
	[EXM_ACTION_REFUSE] = do_nothing,     [EXM_ACTION_ADMIT] = do_nothing,
	[EXM_ACTION_MIGRATE] = migrate,       [EXM_ACTION_MOVED] = do_nothing,
};

static void act(Loop *loop, const GPtrArray *decisions)
{
	g_autoptr(GPtrArray) told = loop->request->dry_run ? NULL : move_balloons(loop, decisions);

	for (guint i = 0; i < decisions->len; i++) {
		const ExmDecision *decision = decisions->pdata[i];
		g_autoptr(GError) problem = NULL;
		uint64_t freed = 0;

		if (!loop->request->dry_run)
			deeds[decision->action](loop, decision, &freed, &problem);
		if (told && decision->action == EXM_ACTION_BALLOON &&
		    !has_answered(told, decision->guest))
			exm_throw(&problem, EXM_ERROR_SYSTEM, "QEMU did not answer in time");
		loop->request->sink(loop->round, decision, freed, problem ? problem->message : NULL);
	}
}

static bool record(const Loop *loop, const ExmSample *sample, GError **error)
{
	g_autoptr(ExmJson) json = NULL;
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;

	if (loop->recording < 0)
		return true;
	json = exm_sample_to_json(sample);
	text = exm_json_print(json, false);
	line = g_strconcat(text, "\n", NULL);
	return write(loop->recording, line, strlen(line)) == (ssize_t)strlen(line) ||
	       exm_throw_errno(error, errno, "write '%s'", loop->request->record);
}

static bool run_round(Loop *loop, GError **error)
{
	g_autoptr(ExmSample) sample = exm_sampler_take(loop->sampler, error);
	g_autoptr(GPtrArray) decisions = NULL;

	if (!sample || !record(loop, sample, error))
		return false;
	loop->round++;
	tell_moved(loop, 0);
	decisions = exm_balance_decide(loop->balance, sample);
	act(loop, decisions);
	/* For whoever admits new guests. */
	return loop->request->dry_run ||
	       exm_balance_note_write(loop->request->state_directory,
	                              exm_balance_state(loop->balance),
	                              exm_balance_refuses(loop->balance), error);
}

static bool run_rounds(Loop *loop, int interrupt, GError **error)
{
	const ExmBalanceRequest *request = loop->request;

	do {
		const gint64 begun = g_get_monotonic_time();
		gint64 left;

		if (!run_round(loop, error))
			return false;
		left = request->interval_ms - (g_get_monotonic_time() - begun) / 1000;
		if (loop->round == request->rounds ||
		    exm_interrupt_wait(interrupt, (int)MAX(left, 0)))
			return true;
	} while (true);
}

static void wake_sleepers(const Loop *loop)
{
	GHashTableIter iterator;
	gpointer name;

	g_hash_table_iter_init(&iterator, loop->sleepers);
	while (g_hash_table_iter_next(&iterator, &name, NULL)) {
		const ExmVm *vm = exm_sampler_find(loop->sampler, name);

		if (vm && exm_guest_is_asleep(vm))
			exm_wake_up(vm, NULL);
	}
}

/* KSM is the host's and goes back as it was; what guests have lost only where that is wanted. */
static void undo(Loop *loop)
{
	/* After a single round others will follow, which want to hear what guests told meanwhile. */
	if (loop->request->rounds != 1 || loop->request->restore)
		exm_sampler_stop_polling(loop->sampler);
	if (loop->request->dry_run)
		return;
	if (loop->ksm_set)
		exm_ksm_write(&loop->ksm, NULL);
	if (loop->request->restore && exm_sampler_guests(loop->sampler)) {
		g_ptr_array_unref(tell_balloons(loop, loop->balloons));
		wake_sleepers(loop);
	}
	exm_balance_note_remove(loop->request->state_directory);
}

static void loop_clear(Loop *loop)
{
	exm_mover_free(loop->mover);
	exm_sampler_free(loop->sampler);
	exm_balance_free(loop->balance);
	g_hash_table_unref(loop->balloons);
	g_hash_table_unref(loop->sleepers);
	exm_fd_clear(&loop->recording);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Loop, loop_clear)

/* Nobody else's file or link, which may stand there in a sticky directory. */
static bool open_record(Loop *loop, GError **error)
{
	const char *path = loop->request->record;
	struct stat status;
	bool there;

	if (!path)
		return true;
	there = lstat(path, &status) == 0;
	if (there && !exm_safe_is_ours(&status))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' belongs to another user: name another file", path);
	loop->recording = open(
		path, (there ? 0 : O_CREAT | O_EXCL) | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	return loop->recording >= 0 || exm_throw_errno(error, errno, "make '%s'", path);
}

/**
 * exm_op_balance() - Balance guests' memory by a policy
 * @request: how
 * @error:   STATE where somebody does so already; SYSTEM
 *
 * It returns after the last round, or when it is interrupted. What fails for one guest is told with
 * its decision, and the others go on.
 */
bool exm_op_balance(const ExmBalanceRequest *request, GError **error)
{
	g_auto(Loop) loop = {
		.request = request,
		.sampler = exm_sampler_new(request->state_directory, request->group,
		                           (uint64_t)request->interval_ms / 1000),
		.balance = exm_balance_new(request->policy),
		.balloons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.sleepers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.recording = -1,
	};
	exm_autofd int held = -1;
	exm_autofd int interrupt = -1;
	bool good;

	if ((!request->dry_run && !exm_balance_note_lock(request->state_directory, &held, error)) ||
	    !open_record(&loop, error) || !exm_interrupt_open(&interrupt, error))
		return false;
	if (request->migrate_to && !request->dry_run) {
		loop.mover = exm_mover_new(request->migrate_by, request->state_directory,
		                           request->migrate_to, error);
		if (!loop.mover)
			return false;
	}
	exm_ksm_read(&loop.ksm);
	good = run_rounds(&loop, interrupt, error);
	tell_moved(&loop, MOVE_PATIENCE_MS);
	undo(&loop);
	return good;
}
