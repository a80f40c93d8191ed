/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arrival.c - A guest of another host: looked at, tried, started, taken over */

#include "op/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"
#include "host/balance_note.h"
#include "host/child_process.h"
#include "host/frozen.h"
#include "host/hostinfo.h"
#include "host/incoming.h"
#include "host/lock.h"
#include "host/marker.h"
#include "host/mount.h"
#include "host/pidfd.h"
#include "host/place.h"
#include "host/qmp_migration.h"
#include "host/smaps.h"
#include "host/state.h"
#include "op/admission.h"
#include "op/detach.h"
#include "op/prefetch.h"
#include "op/probe.h"
#include "op/template.h"

/* How long a QEMU may take until it expects its state, and to end when it is killed. */
#define START_MS 60000
#define END_MS   30000

/* How long one that could not load its state may take to end. */
#define WORDS_MS 2000

/* A QEMU that was killed on the other host may hold its locks for as long as it gives back memory. */
#define LOCK_PATIENCE_US 20000000
#define LOCK_PAUSE_US    500UL

/* Ends the name of the directory in which it stands what a guest will take that is on its way. */
#define RESERVATION_SUFFIX ".arrival"

/**
 * struct Guest - A QEMU that was started for a guest, and waits
 * @plan:    of it
 * @facts:   that the plan was made of
 * @run:     the request of that
 * @vm:      its record, or NULL where it was not started
 * @process: its process
 * @child:   the conversation with it
 * @guard:   the process that ends it should this one be killed, or 0
 * @leash:   by its end the guard knows of that
 * @lead:    lock that this process and the guard hold, of exm_arrival_lead(), or -1
 */
typedef struct {
	ExmPlan *plan;
	ExmRunFacts *facts;
	ExmRunRequest *run;
	ExmVm *vm;
	int process;
	ExmExpectant child;
	pid_t guard;
	int leash;
	int lead;
} Guest;

/**
 * struct ExmArrival - A guest of another host on its way to this one
 * @handover:  what it is
 * @request:   what the user said
 * @caps:      of the QEMU that it will run in
 * @here:      what is so on this host
 * @warnings:  of char *
 * @guest:     that which waits to be taken over
 * @reservation: directory that counts for it until it has its own, or NULL
 * @reserved:  the lock of that directory, or -1
 * @recording: what shall be read before it, or NULL
 * @is_rehearsing: what waits is only tried
 * @is_pure:   such a QEMU was seen to leave memory alone until its state is loaded
 * @is_taken:  the guest is here, and whatever fails now does not end it
 */
struct ExmArrival {
	ExmTemplate *handover;
	const ExmReceiveRequest *request;
	ExmCaps *caps;
	ExmTemplateFacts *here;
	GPtrArray *warnings;
	Guest guest;
	char *reservation;
	int reserved;
	ExmPrefetch *recording;
	bool is_rehearsing;
	bool is_pure;
	bool is_taken;
};

/**
 * struct Watch - What the guard is given
 * @guest:           the guest that it ends, unless that has been given its state
 * @state_directory: where guests' directories are
 * @leash:           end of a pipe that closes with the other process
 */
typedef struct {
	const Guest *guest;
	const char *state_directory;
	int leash;
} Watch;

/* What was given its state is not ended any more. */
static bool complete_load(const ExmVm *vm)
{
	exm_autofd int folder = open(vm->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char *then = folder < 0 ? NULL : exm_incoming_then(folder);

	if (then)
		exm_load_complete(vm, then);
	return then;
}

static void give_up(const Guest *guest, const char *state_directory)
{
	int process = guest->process;

	if (!complete_load(guest->vm)) {
		exm_trace("act", "guest '%s' is ended: nobody takes it over any more",
		          guest->vm->name);
		exm_pidfd_kill(process, NULL);
		exm_pidfds_wait(&process, 1, END_MS);
	}
	exm_state_sweep(state_directory);
}

/* In the guard. */
static void watch(void *user)
{
	const Watch *guard = user;
	char none;

	close(guard->guest->leash);
	/* Whoever waits for our end must not wait for the guard's. */
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	(void)!TEMP_FAILURE_RETRY(read(guard->leash, &none, 1));
	give_up(guard->guest, guard->state_directory);
}

static bool start_guard(Guest *guest, const char *state_directory, GError **error)
{
	Watch guard = { .guest = guest, .state_directory = state_directory };
	const ExmChildProcess process = {
		.work = watch,
		.user = &guard,
		.outlives_group = true,
	};
	bool started;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "make a pipe");
	guard.leash = ends[0];
	guest->leash = ends[1];
	started = exm_child_process_start(&process, &guest->guard, error);
	close(ends[0]);
	return started;
}

/* Ends the guard, which ends the guest unless @stays. Returns false if there was none, or it was killed. */
static bool end_guard(Guest *guest, bool stays)
{
	int status = 0;

	if (guest->guard <= 0)
		return false;
	/* Before it hears our end: nothing that could fail tells it to spare the guest. */
	if (stays)
		kill(guest->guard, SIGKILL);
	exm_fd_clear(&guest->leash);
	waitpid(guest->guard, &status, 0);
	guest->guard = 0;
	return !WIFSIGNALED(status);
}

/* What its QEMU can do is the arrival's. */
static void facts_free(ExmRunFacts *facts)
{
	if (facts)
		facts->caps = NULL;
	exm_run_facts_free(facts);
}

static void guest_clear(Guest *guest, bool stays, const char *state_directory)
{
	exm_expectant_clear(&guest->child);
	/* One that came to have no guard, or whose guard was killed, is ours to end. */
	if (!end_guard(guest, stays) && !stays && guest->vm && guest->process >= 0)
		give_up(guest, state_directory);
	exm_fd_clear(&guest->process);
	exm_fd_clear(&guest->lead);
	exm_vm_free(guest->vm);
	exm_plan_free(guest->plan);
	exm_run_request_free(guest->run);
	facts_free(guest->facts);
	*guest = (Guest){ .process = -1, .leash = -1, .lead = -1, .child = { .writer = -1 } };
}

/**
 * exm_arrival_new() - A guest that may come
 * @handover: what it is (transfer full), with this host's paths
 * @request:  what the user said
 * @sources:  where facts are to be had; without a QEMU it is that of the other host
 * @error:    UNSUPPORTED for a QEMU that is none
 *
 * Return: the guest (transfer full), or NULL.
 */
ExmArrival *exm_arrival_new(ExmTemplate *handover, const ExmReceiveRequest *request,
                            const ExmSources *sources, GError **error)
{
	g_autoptr(ExmArrival) arrival = g_new0(ExmArrival, 1);

	arrival->guest = (Guest){ .process = -1, .leash = -1, .lead = -1, .child = { .writer = -1 } };
	arrival->reserved = -1;
	arrival->handover = handover;
	arrival->request = request;
	arrival->warnings = g_ptr_array_new_with_free_func(g_free);
	arrival->caps = exm_op_probe(sources->qemu ? sources->qemu : handover->qemu,
	                             sources->cache_directory, false, NULL, error);
	if (!arrival->caps)
		return NULL;
	arrival->here = exm_template_facts_new();
	arrival->here->caps = arrival->caps;
	arrival->here->euid = geteuid();
	arrival->here->kvm = access("/dev/kvm", R_OK | W_OK) == 0;
	arrival->here->host_cpu = exm_hostinfo_cpu_flags();
	return g_steal_pointer(&arrival);
}

static void release(ExmArrival *arrival)
{
	if (arrival->reserved < 0)
		return;
	exm_state_release(arrival->reservation);
	exm_fd_clear(&arrival->reserved);
}

/**
 * exm_arrival_free() - Forget a guest; one that was started and not taken over ends
 * @arrival: may be NULL
 */
void exm_arrival_free(ExmArrival *arrival)
{
	if (!arrival)
		return;
	guest_clear(&arrival->guest, arrival->is_taken, arrival->request->state_directory);
	release(arrival);
	g_free(arrival->reservation);
	exm_template_facts_free(arrival->here);
	exm_template_free(arrival->handover);
	exm_caps_free(arrival->caps);
	exm_prefetch_free(arrival->recording);
	g_ptr_array_unref(arrival->warnings);
	g_free(arrival);
}

/**
 * exm_arrival_guest() - Which guest it is
 * @arrival: the guest
 *
 * Return: what it is (borrowed).
 */
const ExmTemplate *exm_arrival_guest(const ExmArrival *arrival)
{
	return arrival->handover;
}

/**
 * exm_arrival_warnings() - What its user ought to know
 * @arrival: the guest
 *
 * Return: a line for each (transfer full).
 */
char **exm_arrival_warnings(const ExmArrival *arrival)
{
	g_autoptr(GStrvBuilder) lines = g_strv_builder_new();

	for (guint i = 0; i < arrival->warnings->len; i++)
		g_strv_builder_add(lines, arrival->warnings->pdata[i]);
	return g_strv_builder_end(lines);
}

/**
 * exm_arrival_settle() - What is known of a guest when it has stopped on the other host
 * @arrival:  the guest
 * @handover: what it is (transfer full), with this host's paths
 */
void exm_arrival_settle(ExmArrival *arrival, ExmTemplate *handover)
{
	exm_template_free(arrival->handover);
	arrival->handover = handover;
}

/**
 * exm_arrival_check_state() - Whether the files of a guest's state are what was left of it
 * @arrival: the guest
 * @trust:   they may be another user's
 * @error:   STATE where they are not: its memory changed since, so that it has run
 */
bool exm_arrival_check_state(const ExmArrival *arrival, bool trust, GError **error)
{
	const ExmTemplateLeniency leniency = { .trust = trust, .other_qemu = true };

	exm_op_template_look(arrival->handover, arrival->here->files);
	return exm_template_check_or_throw(arrival->handover, arrival->here, &leniency, error);
}

static void file_free(gpointer file)
{
	exm_file_facts_free(file);
}

static GPtrArray *look_at_memory(const ExmTemplate *handover)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(file_free);

	for (guint i = 0; i < handover->memory->len; i++) {
		const ExmTemplateMemory *memory = handover->memory->pdata[i];
		g_autofree char *path = exm_template_path(handover, memory->path);

		g_ptr_array_add(files, exm_file_look(path));
	}
	return files;
}

static ExmRunFacts *read_facts(const ExmArrival *arrival, GError **error)
{
	const ExmTemplate *handover = arrival->handover;
	const ExmTemplateMemory *first = handover->memory->pdata[0];
	g_autofree char *path = exm_template_path(handover, first->path);
	g_autofree char *directory = g_path_get_dirname(path);
	ExmRunFacts *facts = exm_run_facts_new();

	facts->caps = arrival->caps;
	facts->host = exm_hostinfo_read(error);
	facts->place = exm_place_look(directory);
	g_ptr_array_unref(facts->files);
	facts->files = look_at_memory(handover);
	facts->uuid = g_strdup(handover->uuid);
	facts->generation_id = handover->generation_id ? g_strdup(handover->generation_id)
	                                               : g_uuid_string_random();
	facts->random = g_strdup_printf("%04x", g_random_int_range(0, 0x10000));
	return facts;
}

static void warn_of_capacity(const ExmArrival *arrival, const ExmCapacityFacts *facts,
                             const ExmCommitment *commitment)
{
	if (commitment->overcommit)
		g_ptr_array_add(arrival->warnings,
		                g_strdup_printf("does not fit: %s", commitment->overcommit));
	if (facts->unseen)
		g_ptr_array_add(arrival->warnings,
		                g_strdup_printf("'%s' cannot be looked into: only guests of '%s' are "
		                                "counted",
		                                facts->unseen, arrival->request->state_directory));
}

static bool claim_reservation(ExmArrival *arrival, int fd_number, GError **error)
{
	g_autofree char *name = g_strconcat(arrival->handover->name, RESERVATION_SUFFIX, NULL);

	arrival->reservation = g_build_filename(arrival->request->state_directory, name, NULL);
	return exm_state_claim(arrival->reservation, fd_number, &arrival->reserved, error);
}

/* From now on it counts: another one must not get its room while it is on its way. */
static bool reserve(ExmArrival *arrival, const ExmRunFacts *facts, const ExmPlan *plan, GError **error)
{
	const char *state_directory = arrival->request->state_directory;

	if (!arrival->request->store)
		return true;
	if (!claim_reservation(arrival, (int)facts->host->first_fd, error) ||
	    !exm_op_reserve(plan, state_directory, arrival->reservation, error))
		return false;
	warn_of_capacity(arrival, facts->capacity, plan->commitment);
	return true;
}

static bool plan_with(ExmArrival *arrival, ExmRunFacts *facts, GError **error)
{
	const ExmReceiveRequest *request = arrival->request;
	g_autoptr(ExmRunRequest) run = exm_receive_run(arrival->handover, request, false, error);
	g_autoptr(ExmPlan) plan = NULL;

	if (!run)
		return false;
	if (request->store)
		facts->capacity = exm_op_capacity_read(request->store, request->state_directory,
		                                       NULL, error);
	if (request->store && !facts->capacity)
		return false;
	run->store = request->store;
	run->overcommit = request->overcommit;
	plan = exm_run_plan(run, facts, error);
	return plan && reserve(arrival, facts, plan, error);
}

/* The run that will be is planned already now, while the guest can still stay where it is. */
static bool plan_run(ExmArrival *arrival, GError **error)
{
	ExmRunFacts *facts = read_facts(arrival, error);
	const bool done = facts->host && plan_with(arrival, facts, error);

	facts_free(facts);
	return done;
}

static bool check_refusal(const ExmArrival *arrival, GError **error)
{
	g_autofree char *refusal = exm_balance_note_refusal(arrival->request->state_directory);

	if (!refusal)
		return true;
	if (!arrival->request->overcommit)
		return exm_throw(error, EXM_ERROR_NO_ROOM,
		                 "%s; '--overcommit' takes it all the same", refusal);
	g_ptr_array_add(arrival->warnings, g_steal_pointer(&refusal));
	return true;
}

/**
 * exm_arrival_check() - Whether a guest can be taken by this host
 * @arrival: the guest; grows warnings
 * @use:     EXM_MOUNT_OTHER_HOST where it is known to come from another host, else EXM_MOUNT_HANDOVER
 * @error:   UNSUPPORTED or STATE; NO_ROOM, with the arithmetic
 *
 * If it can, it counts among the host's guests from now on.
 */
bool exm_arrival_check(ExmArrival *arrival, ExmMountUse use, GError **error)
{
	g_autoptr(GPtrArray) files = look_at_memory(arrival->handover);
	g_autoptr(GPtrArray) guests = NULL;
	const ExmFileFacts *first = files->pdata[0];
	g_autoptr(ExmMount) mount = exm_mount_look(first->path);
	ExmReceiveFacts facts = { .caps = arrival->caps, .here = arrival->here, .files = files };

	if (!exm_state_list(arrival->request->state_directory, &guests, error))
		return false;
	facts.guests = guests;
	return exm_receive_check(arrival->handover, &facts, error) &&
	       (!mount || exm_mount_check(mount, use, arrival->request->trust_mount,
	                                  arrival->warnings, error)) &&
	       check_refusal(arrival, error) && plan_run(arrival, error);
}

/* What a guest's start warns of was said when it was started at first. */
static void say_nothing(G_GNUC_UNUSED const char *warning)
{
}

/* It counts by itself now. */
static bool settle(ExmArrival *arrival, GError **error)
{
	const ExmReceiveRequest *request = arrival->request;

	if (arrival->reserved < 0)
		return true;
	if (!exm_op_settle(request->store, request->state_directory, arrival->reservation,
	                   arrival->guest.plan->directory, error))
		return false;
	release(arrival);
	return true;
}

/**
 * exm_arrival_lead() - Become the one that leads a waiting guest to its state
 * @vm:       the guest
 * @ret_lead: lock of its marker (transfer full), which belongs to children of this process too
 *
 * Return: false where an exomem leads it already.
 */
bool exm_arrival_lead(const ExmVm *vm, int *ret_lead)
{
	/* Its directory is locked by the process that records the guest's end. */
	g_autofree char *path = g_build_filename(vm->directory, EXM_MARKER, NULL);
	exm_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool taken;

	if (fd < 0 || !exm_lock_take(fd, false, &taken, NULL) || !taken)
		return false;
	*ret_lead = g_steal_fd(&fd);
	return true;
}

static bool lead(Guest *guest, GError **error)
{
	return exm_arrival_lead(guest->vm, &guest->lead) ||
	       exm_throw(error, EXM_ERROR_STATE, "guest '%s' is led by another exomem",
	                 guest->vm->name);
}

static bool start(ExmArrival *arrival, bool rehearsal, GError **error)
{
	const char *state_directory = arrival->request->state_directory;
	Guest *guest = &arrival->guest;
	pid_t pid;

	guest->run = exm_receive_run(arrival->handover, arrival->request, rehearsal, error);
	if (guest->run && !rehearsal) {
		arrival->recording = exm_prefetch_read_beside(arrival->handover, NULL);
		guest->run->exact_reads = arrival->recording &&
		                          exm_prefetch_is_scattered(arrival->recording);
	}
	guest->facts = guest->run ? read_facts(arrival, error) : NULL;
	guest->plan = guest->facts && guest->facts->host
	                      ? exm_run_plan(guest->run, guest->facts, error)
	                      : NULL;
	if (!guest->plan ||
	    !exm_detach(guest->plan, state_directory, getpid(), say_nothing, &pid, error))
		return false;
	guest->vm = exm_state_find(state_directory, guest->plan->name, error);
	if (!guest->vm || !lead(guest, error) || !exm_pidfd_open(guest->vm, &guest->process, error)) {
		exm_detach_end(guest->plan, state_directory, pid);
		return false;
	}
	return start_guard(guest, state_directory, error) && (rehearsal || settle(arrival, error)) &&
	       exm_load_expect(guest->vm, START_MS, &guest->child, error);
}

/*
 * Nothing that waits for its state has a reason to write to memory; one that did would write to
 * that of a guest that still runs, so it is not started before its time.
 */
static bool left_memory_alone(const Guest *guest)
{
	g_autofree ExmMappedFile *files = g_new0(ExmMappedFile, guest->facts->files->len);
	ExmSmaps smaps;

	for (guint i = 0; i < guest->facts->files->len; i++) {
		const ExmFileFacts *file = guest->facts->files->pdata[i];

		files[i] = exm_mapped_file_look(file->path);
	}
	return exm_smaps_read((pid_t)guest->vm->pid, files, guest->facts->files->len, &smaps, NULL) &&
	       smaps.copied == 0;
}

/* Of a state that it cannot load QEMU tells the reason to its log alone, first, and ends. */
static bool throw_words(const Guest *guest, GError *reason, GError **error)
{
	exm_autofd int process = fcntl(guest->process, F_DUPFD_CLOEXEC, 0);
	const bool has_ended = process >= 0 && exm_pidfds_wait(&process, 1, WORDS_MS);
	g_autofree char *words = has_ended ? exm_detach_words(guest->plan) : g_strdup("");
	g_auto(GStrv) lines = g_strsplit(words, "\n", -1);
	char **line = lines;

	while (*line && strstr(*line, "warning:"))
		line++;
	if (!*line) {
		g_propagate_error(error, reason);
		return false;
	}
	g_error_free(reason);
	return exm_throw(error, EXM_ERROR_SYSTEM, "QEMU could not load the state: %s", *line);
}

static bool try_state(Guest *guest, const char *state, size_t length, GError **error)
{
	GError *reason = NULL;

	return (exm_load_pour(&guest->child, state, length, &reason) &&
	        exm_qmp_migration_wait(guest->child.qmp, &reason)) ||
	       throw_words(guest, reason, error);
}

static void end_rehearsal(ExmArrival *arrival)
{
	if (arrival->is_rehearsing)
		guest_clear(&arrival->guest, false, arrival->request->state_directory);
	arrival->is_rehearsing = false;
}

/**
 * exm_arrival_set_up_rehearsal() - Start the QEMU in which a guest's state is tried
 * @arrival: the guest
 * @error:   any code
 *
 * It has a private copy of memory and nothing behind its devices, and never runs.
 */
bool exm_arrival_set_up_rehearsal(ExmArrival *arrival, GError **error)
{
	bool done;

	end_rehearsal(arrival);
	arrival->is_rehearsing = true;
	done = start(arrival, true, error);
	arrival->is_pure = done && left_memory_alone(&arrival->guest);
	if (!done)
		end_rehearsal(arrival);
	return done;
}

/*
 * Linux, fs/nfs/file.c, nfs_file_read(): who opens a file over NFS and reads it forgets what was
 * read before it changed, for all who have mapped it.
 */
static bool look_anew(const ExmArrival *arrival, GError **error)
{
	const GPtrArray *files = arrival->guest.facts->files;

	for (guint i = 0; i < files->len; i++) {
		const char *path = ((const ExmFileFacts *)files->pdata[i])->path;
		exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
		char byte;

		if (fd < 0 || pread(fd, &byte, 1, 0) < 0)
			return exm_throw_errno(error, errno, "read '%s'", path);
	}
	return true;
}

/**
 * exm_arrival_rehearse() - Try whether a guest's state can be loaded here
 * @arrival: the guest, whose rehearsal is set up, and over when this returns
 * @state:   its device state
 * @length:  bytes of it
 * @error:   of what could not be done, in QEMU's own words
 */
bool exm_arrival_rehearse(ExmArrival *arrival, const char *state, size_t length, GError **error)
{
	const bool done = (arrival->is_rehearsing ||
	                   exm_throw(error, EXM_ERROR_STATE, "no rehearsal was set up")) &&
	                  look_anew(arrival, error) &&
	                  try_state(&arrival->guest, state, length, error);

	end_rehearsal(arrival);
	return done;
}

/**
 * exm_arrival_prepare() - Start the QEMU that will run a guest, if that can be done before its time
 * @arrival: the guest
 * @error:   any code
 */
bool exm_arrival_prepare(ExmArrival *arrival, GError **error)
{
	end_rehearsal(arrival);
	return !arrival->is_pure || start(arrival, false, error);
}

/**
 * exm_arrival_is_ready() - Whether the QEMU that was started for a guest still waits for it
 * @arrival: the guest
 * @error:   SYSTEM where it has ended
 */
bool exm_arrival_is_ready(const ExmArrival *arrival, GError **error)
{
	return !arrival->guest.vm || exm_arrival_lives(arrival) ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "the QEMU that waited for it has ended");
}

static const ExmStep *opening_of(const ExmPlan *plan, const char *path)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_OPEN_FILE && strcmp(step->path, path) == 0)
			return step;
	}
	return NULL;
}

/*
 * Linux, fs/nfs/file.c, do_setlk(): who takes a lock over NFS forgets what it had read of the file,
 * so a mapping that was made before shows what the other host has written.
 */
static bool lock_memory(const ExmArrival *arrival, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + LOCK_PATIENCE_US;
	const Guest *guest = &arrival->guest;

	for (guint i = 0; i < arrival->handover->memory->len; i++) {
		const ExmTemplateMemory *memory = arrival->handover->memory->pdata[i];
		g_autofree char *path = exm_template_path(arrival->handover, memory->path);
		const ExmStep *opening = opening_of(guest->plan, path);
		bool taken = false;

		while (!taken) {
			if (!exm_frozen_lock(guest->process, opening->fd,
			                     arrival->request->is_private, &taken, error))
				return false;
			if (!taken && g_get_monotonic_time() > deadline)
				return exm_throw(error, EXM_ERROR_STATE, "'%s' is in use elsewhere",
				                 path);
			if (!taken)
				g_usleep(LOCK_PAUSE_US);
		}
	}
	return true;
}

/**
 * exm_arrival_take_over() - Let a guest run here, which nobody else runs any more
 * @arrival: the guest
 * @state:   its device state
 * @length:  bytes of it
 * @error:   STATE where somebody else has its memory, or had it since; SYSTEM where it cannot be
 *           loaded
 */
bool exm_arrival_take_over(ExmArrival *arrival, const char *state, size_t length, GError **error)
{
	Guest *guest = &arrival->guest;
	const bool rests = arrival->request->paused || arrival->handover->resting;
	bool resumed;
	uint64_t time;

	end_rehearsal(arrival);
	if (!guest->vm && !start(arrival, false, error))
		return false;
	if (!lock_memory(arrival, error) || !exm_arrival_check_state(arrival, true, error) ||
	    !exm_incoming_note(guest->vm->directory, getpid(),
	                       rests ? EXM_INCOMING_RESTS : EXM_INCOMING_RESUMES, error) ||
	    !exm_load_pour(&guest->child, state, length, error) ||
	    !exm_qmp_migration_wait(guest->child.qmp, error))
		return false;
	/* From here on it may have run: it is not ended any more, and its state is of no use. */
	arrival->is_taken = true;
	end_guard(guest, true);
	exm_fd_clear(&guest->lead);
	resumed = rests || exm_load_resume(&guest->child, &time, error);
	exm_incoming_leave(guest->vm);
	if (!resumed) {
		g_prefix_error(error,
		               "guest '%s' is here and paused, 'exomem qmp %s cont' resumes it: ",
		               guest->vm->name, guest->vm->name);
		return false;
	}
	/* Not before: who takes the lock over NFS forgets what was read. */
	if (arrival->recording)
		exm_prefetch_follow_guest(arrival->recording, arrival->handover,
		                          arrival->request->state_directory);
	return true;
}

/**
 * exm_arrival_lives() - Whether a guest that was taken over is still there
 * @arrival: the guest
 */
bool exm_arrival_lives(const ExmArrival *arrival)
{
	return arrival->guest.vm && exm_state_is_alive(arrival->guest.vm);
}
