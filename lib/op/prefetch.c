/* SPDX-License-Identifier: GPL-2.0-or-later */
/* prefetch.c - Record which pages a guest touches, and read them before the next one does */

#include "op/prefetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"
#include "host/child_process.h"
#include "host/control.h"
#include "host/guest_memory.h"
#include "host/hostinfo.h"
#include "host/interrupt.h"
#include "host/page_cache.h"
#include "host/page_map.h"
#include "host/pidfd.h"
#include "host/place.h"
#include "host/safe_open.h"
#include "host/state.h"
#include "host/template_store.h"

/* How often the user is told how far it is. */
#define TELL_MS 200

/* How long a QEMU that starts may take until it answers. */
#define START_MS 60000

/* Each page of 64 GiB by itself takes less. */
#define RECORDING_MAX (512 * EXM_MIB)

/* It is not asked more often than that. */
#define NAP_US 20000

/**
 * struct Subject - Memory that is recorded or replayed
 * @blank: a recording of nothing of it, which says what it is
 * @paths: of its files, in the order of @blank
 * @path:  of the recording
 * @vm:    the guest that the user named, or NULL
 * @template: directory of the template whose it is, or NULL
 */
typedef struct {
	ExmPrefetch *blank;
	GPtrArray *paths;
	char *path;
	ExmVm *vm;
	char *template;
} Subject;

static void subject_free(Subject *subject)
{
	if (!subject)
		return;
	exm_prefetch_free(subject->blank);
	if (subject->paths)
		g_ptr_array_unref(subject->paths);
	exm_vm_free(subject->vm);
	g_free(subject->path);
	g_free(subject->template);
	g_free(subject);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Subject, subject_free)

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static GPtrArray *paths_of(const ExmTemplate *template)
{
	GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];

		g_ptr_array_add(paths, exm_template_path(template, memory->path));
	}
	return paths;
}

static bool take_template(Subject *subject, const char *directory, GError **error)
{
	g_autoptr(ExmTemplate) template = exm_template_store_read(directory, error);

	if (!template)
		return false;
	if (template->distrust) {
		exm_throw(error, EXM_ERROR_STATE,
		          "%s: cannot use the recording of template '%s': do it as its owner, or "
		          "by 'exomem clone --prefetch --trust'",
		          template->distrust, directory);
		return false;
	}
	subject->blank = exm_prefetch_of_template(template, page_size());
	subject->paths = paths_of(template);
	subject->path = exm_template_path(template, EXM_TEMPLATE_PREFETCH);
	subject->template = g_strdup(directory);
	return true;
}

static bool throw_no_file(const ExmVm *vm, GError **error)
{
	exm_throw(error, EXM_ERROR_UNSUPPORTED,
	          "the memory of guest '%s' is in no file: there is nothing to read before it",
	          vm->name);
	return false;
}

/* A guest without a template: its recording stands beside its memory. */
static bool take_memory(Subject *subject, const ExmVm *vm, GError **error)
{
	const size_t count = vm->memory ? exm_json_length(vm->memory) : 0;
	g_autofree char *name = g_strconcat(vm->name, EXM_PREFETCH_SUFFIX, NULL);
	g_autofree char *directory = NULL;

	subject->blank = exm_prefetch_new(page_size());
	subject->paths = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < count; i++) {
		ExmJson *item = json_object_array_get_idx(vm->memory, i);
		char *path = exm_guest_memory_path(vm, item);
		g_autoptr(ExmFileFacts) file = path ? exm_file_look_through(path) : NULL;
		ExmPrefetchMemory *memory;

		if (path)
			g_ptr_array_add(subject->paths, path);
		if (!path || !file->regular)
			return throw_no_file(vm, error);
		memory = exm_prefetch_add_memory(subject->blank);
		memory->id = g_strdup(exm_json_get_string(item, "id"));
		memory->size = exm_json_get_uint(item, "size");
		memory->inode = file->inode;
	}
	if (count == 0 || exm_json_get_bool(json_object_array_get_idx(vm->memory, 0), "unnamed"))
		return throw_no_file(vm, error);
	directory = g_path_get_dirname(subject->paths->pdata[0]);
	subject->path = g_build_filename(directory, name, NULL);
	return true;
}

static bool throw_nobody(const char *word, bool guests_only, GError **error)
{
	exm_throw(error, EXM_ERROR_STATE,
	          guests_only ? "no guest '%s'; 'exomem list' shows those that run"
	                      : "no guest and no template '%s'; 'exomem list' and 'exomem template "
	                        "list' show those there are",
	          word);
	return false;
}

/* A guest, else a template: a child leads to its template. */
static Subject *find_subject(const ExmPrefetchTarget *target, bool guests_only, GError **error)
{
	g_autoptr(Subject) subject = g_new0(Subject, 1);
	const bool is_name = !strchr(target->word, '/');
	bool taken;

	subject->vm = is_name ? exm_state_find(target->state_directory, target->word, NULL) : NULL;
	if (subject->vm && subject->vm->template_path)
		taken = take_template(subject, subject->vm->template_path, error);
	else if (subject->vm)
		taken = take_memory(subject, subject->vm, error);
	else if (!guests_only && exm_template_store_has(target->template))
		taken = take_template(subject, target->template, error);
	else
		taken = throw_nobody(target->word, guests_only, error);
	return taken ? g_steal_pointer(&subject) : NULL;
}

/* Beside memory in a sticky directory anybody may have put it; a template's user trusts all of it. */
static GString *read_text(const char *path, bool trust, GError **error)
{
	g_autofree char *distrust = NULL;
	exm_autofd int fd = exm_safe_open_parent(path, &distrust, error);
	g_autoptr(GString) text = fd < 0 ? NULL
	                                 : exm_safe_read(fd, path, RECORDING_MAX, &distrust, error);

	if (!text || !distrust || trust)
		return g_steal_pointer(&text);
	exm_throw(error, EXM_ERROR_STATE, "%s, and so recording '%s' is not used: remove it",
	          distrust, path);
	return NULL;
}

static ExmPrefetch *read_file(const char *path, bool trust, GError **error)
{
	g_autoptr(GError) reason = NULL;
	g_autoptr(GString) text = read_text(path, trust, error);
	g_autoptr(ExmJson) json = NULL;
	ExmPrefetch *recording;

	if (!text)
		return NULL;
	json = exm_json_parse(text->str, text->len, &reason);
	recording = json ? exm_prefetch_from_json(json, &reason) : NULL;
	if (!recording)
		exm_throw(error, EXM_ERROR_STATE, "'%s' is no recording: %s", path, reason->message);
	return recording;
}

static ExmPrefetch *read_checked(const char *path, const ExmPrefetch *blank, bool trust,
                                 GError **error)
{
	g_autoptr(ExmPrefetch) recording = NULL;

	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		exm_throw(error, EXM_ERROR_STATE,
		          "there is no recording '%s': 'exomem prefetch record' makes one of a guest that "
		          "runs",
		          path);
		return NULL;
	}
	recording = read_file(path, trust, error);
	if (!recording)
		return NULL;
	if (exm_prefetch_check(recording, blank, error))
		return g_steal_pointer(&recording);
	g_prefix_error(error, "'%s': ", path);
	return NULL;
}

static bool write_file(const ExmPrefetch *recording, const char *path, GError **error)
{
	g_autoptr(ExmJson) json = exm_prefetch_to_json(recording);
	g_autofree char *text = exm_json_print(json, false);
	g_autofree char *line = g_strconcat(text, "\n", NULL);

	return exm_file_write_durable(path, line, strlen(line), 0600, error);
}

static ExmJson *memory_called(const ExmVm *vm, const char *id)
{
	for (size_t i = 0; i < exm_json_length(vm->memory); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);

		if (g_strcmp0(exm_json_get_string(memory, "id"), id) == 0)
			return memory;
	}
	return NULL;
}

static bool look_at_memory(const ExmVm *vm, ExmPrefetchMemory *memory, GError **error)
{
	ExmJson *item = memory_called(vm, memory->id);
	g_autofree char *path = item ? exm_guest_memory_path(vm, item) : NULL;
	g_autoptr(ExmFileFacts) file = path ? exm_file_look_through(path) : NULL;
	ExmMappedFile mapped;
	g_autoptr(GArray) whole = exm_extents_new();
	g_autoptr(GArray) touched = NULL;
	g_autoptr(GArray) inside = NULL;

	if (!file || !file->exists || !file->regular)
		return throw_no_file(vm, error);
	mapped = exm_mapped_file_look(path);
	touched = exm_page_map_touched((pid_t)vm->pid, &mapped, error);
	if (!touched)
		return false;
	exm_extents_add(whole, 0, memory->size);
	inside = exm_extents_intersect(touched, whole);
	exm_prefetch_set_extents(memory, inside);
	return true;
}

/* Fills a recording of nothing. */
static bool look_at_guest(const ExmVm *vm, ExmPrefetch *blank, GError **error)
{
	for (guint i = 0; i < blank->memory->len; i++)
		if (!look_at_memory(vm, blank->memory->pdata[i], error))
			return false;
	return true;
}

static bool wait_beside(const ExmVm *vm, int wait_ms, GError **error)
{
	exm_autofd int process = -1;

	if (!exm_pidfd_open(vm, &process, error))
		return false;
	return (process >= 0 && !exm_pidfds_wait(&process, 1, wait_ms)) ||
	       exm_throw(error, EXM_ERROR_STATE, "guest '%s' has ended", vm->name);
}

/**
 * exm_prefetch_shown_free() - Free what there is to say of a recording
 * @shown: may be NULL
 */
void exm_prefetch_shown_free(ExmPrefetchShown *shown)
{
	if (!shown)
		return;
	exm_prefetch_free(shown->recording);
	g_free(shown->path);
	g_free(shown->guest);
	g_free(shown);
}

/**
 * exm_op_prefetch_record() - Note which pages a guest has touched
 * @target:  the guest
 * @wait_ms: how long it is waited for before
 * @anew:    put it in the place of an older recording, of which else is kept what both have
 * @error:   STATE where there is no such guest, or the older recording is of other memory;
 *           UNSUPPORTED where its memory is in no file
 *
 * Return: the recording (transfer full), or NULL.
 */
ExmPrefetchShown *exm_op_prefetch_record(const ExmPrefetchTarget *target, int wait_ms, bool anew,
                                         GError **error)
{
	g_autoptr(Subject) subject = find_subject(target, true, error);
	g_autoptr(ExmPrefetchShown) shown = g_new0(ExmPrefetchShown, 1);
	g_autoptr(ExmPrefetch) before = NULL;

	if (!subject)
		return NULL;
	if (!anew && access(subject->path, F_OK) == 0) {
		before = read_checked(subject->path, subject->blank, subject->template, error);
		if (!before)
			return NULL;
	}
	if (!wait_beside(subject->vm, wait_ms, error) ||
	    !look_at_guest(subject->vm, subject->blank, error))
		return NULL;
	shown->recording = g_steal_pointer(&subject->blank);
	if (before)
		exm_prefetch_keep_common(shown->recording, before);
	shown->path = g_strdup(subject->path);
	shown->guest = g_strdup(subject->vm->name);
	return write_file(shown->recording, shown->path, error) ? g_steal_pointer(&shown) : NULL;
}

static bool is_for(const ExmVm *vm, const char *name, const char *template)
{
	return name ? strcmp(vm->name, name) == 0 : g_strcmp0(vm->template_path, template) == 0;
}

/* A living guest by its name, or else a child of a template. */
static ExmVm *find_user(const char *state_directory, const char *name, const char *template)
{
	g_autoptr(GPtrArray) guests = NULL;

	exm_state_list(state_directory, &guests, NULL);
	for (guint i = 0; guests && i < guests->len; i++)
		if (is_for(guests->pdata[i], name, template))
			return g_ptr_array_steal_index(guests, i);
	return NULL;
}

static uint64_t cached_of(const Subject *subject, const ExmPrefetch *recording)
{
	uint64_t bytes = 0;

	for (guint i = 0; i < recording->memory->len; i++) {
		const ExmPrefetchMemory *memory = recording->memory->pdata[i];
		exm_autofd int fd = open(subject->paths->pdata[i], O_RDONLY | O_CLOEXEC);
		g_autoptr(GArray) recorded = exm_prefetch_extents(memory);
		g_autoptr(GArray) cached = fd >= 0 ? exm_page_cache_look(fd, memory->size)
		                                   : exm_extents_new();
		g_autoptr(GArray) both = exm_extents_intersect(recorded, cached);

		bytes += exm_extents_bytes(both);
	}
	return bytes;
}

/**
 * exm_op_prefetch_show() - What there is to say of a recording
 * @target: a template, or a guest
 * @error:  STATE where there is no recording, or it is of other memory
 *
 * It is held against the guest that was named, else against a child that runs.
 *
 * Return: what there is (transfer full), or NULL.
 */
ExmPrefetchShown *exm_op_prefetch_show(const ExmPrefetchTarget *target, GError **error)
{
	g_autoptr(Subject) subject = find_subject(target, false, error);
	g_autoptr(ExmPrefetchShown) shown = g_new0(ExmPrefetchShown, 1);

	if (!subject)
		return NULL;
	shown->recording = read_checked(subject->path, subject->blank, subject->template, error);
	if (!shown->recording)
		return NULL;
	shown->path = g_strdup(subject->path);
	shown->cached = cached_of(subject, shown->recording);
	if (!subject->vm)
		subject->vm = find_user(target->state_directory, NULL, subject->template);
	if (!subject->vm)
		return g_steal_pointer(&shown);
	if (!look_at_guest(subject->vm, subject->blank, error))
		return NULL;
	shown->guest = g_strdup(subject->vm->name);
	shown->score = exm_prefetch_score(shown->recording, subject->blank);
	return g_steal_pointer(&shown);
}

/**
 * struct Replay - A recording that is replayed
 * @fds:             of its files
 * @pieces:          of ExmPrefetchPiece
 * @result:          what it did so far
 * @state_directory: where guests' directories are
 * @name:            of the guest that it is for, or NULL
 * @template:        it is for any child of the template in that directory, or NULL
 * @starting:        child that is about to start, of which are name, directory and pid; or NULL
 */
typedef struct {
	GArray *fds;
	GArray *pieces;
	ExmReplayed result;
	const char *state_directory;
	const char *name;
	const char *template;
	const ExmVm *starting;
} Replay;

static void replay_clear(Replay *replay)
{
	for (guint i = 0; i < replay->fds->len; i++)
		close(g_array_index(replay->fds, int, i));
	g_array_unref(replay->fds);
	g_array_unref(replay->pieces);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Replay, replay_clear)

static Replay replay_new(const char *state_directory, const char *name, const char *template)
{
	return (Replay){
		.fds = g_array_new(FALSE, FALSE, sizeof(int)),
		.pieces = g_array_new(FALSE, FALSE, sizeof(ExmPrefetchPiece)),
		.state_directory = state_directory,
		.name = name,
		.template = template,
	};
}

/* More than half of what is left would begin to push out what others have. */
static bool choose_limit(uint64_t *limit, GError **error)
{
	g_autoptr(ExmHost) host = *limit ? NULL : exm_hostinfo_read(error);

	if (host)
		*limit = host->ram_available / 2;
	return *limit || host;
}

static bool add_file(Replay *replay, const ExmPrefetchMemory *memory, const char *path,
                     uint64_t limit, GError **error)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	g_autoptr(GArray) recorded = exm_prefetch_extents(memory);
	g_autoptr(GArray) cached = NULL;
	g_autoptr(GArray) missing = NULL;

	if (fd < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	g_array_append_val(replay->fds, fd);
	cached = exm_page_cache_is_shown(fd) ? exm_page_cache_look(fd, memory->size)
	                                     : exm_extents_new();
	missing = exm_extents_subtract(recorded, cached);
	replay->result.recorded += exm_extents_bytes(recorded);
	replay->result.cached += exm_extents_bytes(recorded) - exm_extents_bytes(missing);
	exm_prefetch_add_pieces(replay->pieces, replay->fds->len - 1, missing, limit);
	return true;
}

static bool add_files(Replay *replay, const ExmPrefetch *recording, const GPtrArray *paths,
                      uint64_t limit, GError **error)
{
	if (!choose_limit(&limit, error))
		return false;
	for (guint i = 0; i < recording->memory->len; i++)
		if (!add_file(replay, recording->memory->pdata[i], paths->pdata[i], limit, error))
			return false;
	return true;
}

/* Whoever it is for is held; -1 where there is none any more. */
static int hold_user(const Replay *replay)
{
	g_autoptr(ExmVm) vm = NULL;
	int process = -1;

	if (replay->starting && exm_pidfd_open(replay->starting, &process, NULL) && process >= 0)
		return process;
	vm = find_user(replay->state_directory, replay->name, replay->template);
	return vm && exm_pidfd_open(vm, &process, NULL) ? process : -1;
}

static void tell(const Replay *replay, ExmCacheFill *fill, ExmProgress progress)
{
	const ExmPrefetchPiece *last = &g_array_index(replay->pieces, ExmPrefetchPiece,
	                                              replay->pieces->len - 1);

	progress("prefetch", exm_cache_fill_bytes(fill), last->before + last->length);
}

static bool is_starting(const ExmVm *child)
{
	g_autofree char *status = exm_control_status(child, START_MS, NULL);

	return g_strcmp0(status, "inmigrate") == 0;
}

/* It sleeps before it asks, so that whoever loads the child's device state goes first. */
static void hold_back(const ExmVm *child, ExmCacheFill *fill)
{
	do
		g_usleep(NAP_US);
	while (is_starting(child));
	exm_cache_fill_hurry(fill);
}

/* Until all is read, nobody is there that it is for, or the user has enough. */
static bool attend(Replay *replay, ExmCacheFill *fill, int interrupt, ExmProgress progress)
{
	const bool is_for_somebody = replay->name || replay->template;
	exm_autofd int process = is_for_somebody ? hold_user(replay) : -1;

	for (;;) {
		struct pollfd polled[] = {
			{ .fd = exm_cache_fill_ended(fill), .events = POLLIN },
			{ .fd = process, .events = POLLIN },
			{ .fd = interrupt, .events = POLLIN },
		};

		replay->result.gone = is_for_somebody && process < 0;
		if (replay->result.gone)
			return true;
		poll(polled, G_N_ELEMENTS(polled), progress ? TELL_MS : -1);
		if (progress)
			tell(replay, fill, progress);
		if (polled[0].revents || polled[2].revents)
			return !polled[2].revents;
		if (polled[1].revents) {
			exm_fd_clear(&process);
			process = hold_user(replay);
		}
	}
}

static bool run_replay(Replay *replay, const ExmPrefetchOrder *order, int interrupt, GError **error)
{
	const gint64 begun = g_get_monotonic_time();
	ExmCacheFill *fill;
	bool whole;

	if (replay->pieces->len == 0)
		return true;
	fill = exm_cache_fill_start((const int *)(const void *)replay->fds->data, replay->pieces,
	                            order->rate, replay->starting != NULL);
	if (replay->starting)
		hold_back(replay->starting, fill);
	whole = attend(replay, fill, interrupt, order->progress);
	replay->result.read = exm_cache_fill_bytes(fill);
	replay->result.time_us = (uint64_t)(g_get_monotonic_time() - begun);
	return exm_cache_fill_finish(fill, error) &&
	       (whole || exm_throw(error, EXM_ERROR_SYSTEM, "interrupted"));
}

/**
 * exm_op_prefetch_replay() - Bring what was recorded into the page cache
 * @target:       a template; or a guest, with whose end it ends
 * @order:        how
 * @ret_replayed: what it did
 * @error:        STATE where there is no recording, or it is of other memory; SYSTEM
 */
bool exm_op_prefetch_replay(const ExmPrefetchTarget *target, const ExmPrefetchOrder *order,
                            ExmReplayed *ret_replayed, GError **error)
{
	g_autoptr(Subject) subject = find_subject(target, false, error);
	g_autoptr(ExmPrefetch) recording = subject ? read_checked(subject->path, subject->blank,
	                                                          subject->template, error)
	                                           : NULL;
	g_auto(Replay) replay = replay_new(target->state_directory,
	                                   subject && subject->vm ? subject->vm->name : NULL, NULL);
	exm_autofd int interrupt = -1;

	if (!recording || !exm_interrupt_open(&interrupt, error) ||
	    !add_files(&replay, recording, subject->paths, order->limit, error) ||
	    !run_replay(&replay, order, interrupt, error))
		return false;
	*ret_replayed = replay.result;
	return true;
}

/**
 * exm_prefetch_read_beside() - The recording in the directory of a template or a handed over guest
 * @template: the template
 * @error:    STATE where there is none, or it is of other memory
 *
 * Return: the recording (transfer full), or NULL.
 */
ExmPrefetch *exm_prefetch_read_beside(const ExmTemplate *template, GError **error)
{
	g_autoptr(ExmPrefetch) blank = exm_prefetch_of_template(template, page_size());
	g_autofree char *path = exm_template_path(template, EXM_TEMPLATE_PREFETCH);

	return read_checked(path, blank, true, error);
}

/**
 * exm_prefetch_hand_over() - Write down what the next host shall read of a guest's memory
 * @vm:    the guest
 * @path:  of the recording that is written
 * @error: UNSUPPORTED where its memory is in no file with a name; SYSTEM
 *
 * What was recorded of it, else all that it has touched since its QEMU was started.
 */
bool exm_prefetch_hand_over(const ExmVm *vm, const char *path, GError **error)
{
	g_autoptr(Subject) subject = g_new0(Subject, 1);
	g_autoptr(ExmPrefetch) recording = NULL;

	if (!take_memory(subject, vm, error))
		return false;
	recording = read_checked(subject->path, subject->blank, subject->template, NULL);
	if (!recording && !look_at_guest(vm, subject->blank, error))
		return false;
	return write_file(recording ? recording : subject->blank, path, error);
}

/*
 * What a process in the background is given. Without a recording it looks for that itself; a child
 * that has a name is about to start.
 */
typedef struct {
	const ExmPrefetch *recording;
	const ExmTemplate *template;
	const char *state_directory;
	bool is_for_children;
	ExmVm child;
} Follower;

/* In that process, which ends together with its threads. */
static void follow(void *user)
{
	const Follower *follower = user;
	const ExmTemplate *template = follower->template;
	const ExmPrefetchOrder order = { 0 };
	g_autoptr(ExmPrefetch)
		found = follower->recording ? NULL : exm_prefetch_read_beside(template, NULL);
	const ExmPrefetch *recording = found ? found : follower->recording;
	g_autoptr(GPtrArray) paths = paths_of(template);
	g_auto(Replay) replay = replay_new(follower->state_directory,
	                                   follower->is_for_children ? NULL : template->name,
	                                   follower->is_for_children ? template->directory : NULL);

	replay.starting = follower->child.name ? &follower->child : NULL;
	if (recording && add_files(&replay, recording, paths, 0, NULL))
		run_replay(&replay, &order, -1, NULL);
}

/* That nothing is read before a guest is no reason for it not to run. */
static void start_following(Follower *follower)
{
	static const int no_fds[] = { -1 };
	const ExmChildProcess process = {
		.work = follow,
		.user = follower,
		.name = "exomem-prefetch",
		.kept_fds = no_fds,
		.daemon = true,
	};
	g_autoptr(GError) error = NULL;

	if (!exm_child_process_start_orphan(&process, NULL, &error))
		exm_trace("act", "nothing is read before: %s", error->message);
}

/**
 * exm_prefetch_follow_guest() - Have memory read before a guest that was just taken over
 * @recording:       what shall be read
 * @handover:        the guest
 * @state_directory: where guests' directories are
 *
 * A process in the background does it, and ends with the guest.
 */
void exm_prefetch_follow_guest(const ExmPrefetch *recording, const ExmTemplate *handover,
                               const char *state_directory)
{
	Follower follower = {
		.recording = recording,
		.template = handover,
		.state_directory = state_directory,
	};

	start_following(&follower);
}

/**
 * exm_prefetch_follow_children() - Have memory read before children that were just started
 * @template:        of which they are
 * @state_directory: where guests' directories are
 *
 * A process in the background does it, and ends with the last child. A recording that is not there
 * or is of other memory is passed over.
 */
void exm_prefetch_follow_children(const ExmTemplate *template, const char *state_directory)
{
	Follower follower = {
		.template = template,
		.state_directory = state_directory,
		.is_for_children = true,
	};

	start_following(&follower);
}

/**
 * exm_prefetch_follow_start() - Have memory read before a child that is about to start
 * @plan: of the child, which this process becomes
 *
 * As exm_prefetch_follow_children(); but slowly, until the child runs, so that it is not held up.
 */
void exm_prefetch_follow_start(const ExmPlan *plan)
{
	g_autofree char *state_directory = g_path_get_dirname(plan->directory);
	Follower follower = {
		.template = plan->template,
		.state_directory = state_directory,
		.is_for_children = true,
		.child = { .name = plan->name, .directory = plan->directory, .pid = getpid() },
	};

	if (exm_state_start_time(getpid(), &follower.child.start_time, NULL))
		start_following(&follower);
}
