/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save.c - Freeze a guest into a template; until that is whole, the guest can go on */

#include "op/save.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"
#include "host/checksum.h"
#include "host/control.h"
#include "host/memory_file.h"
#include "host/memory_writer.h"
#include "host/overlay.h"
#include "host/pidfd.h"
#include "host/place.h"
#include "host/qmp_migration.h"
#include "host/state.h"
#include "host/stream.h"
#include "host/template_store.h"

/* How long QEMU may take for one answer, and for the next piece of its state. */
#define ANSWER_MS 10000
#define PIECE_MS  60000

/* A QEMU that was told to quit gives back its memory first. */
#define QUIT_MS 30000

/* How often a guest that shall go on is asked whether it can yet, and for how long. */
#define RESUME_PAUSE_US 5000UL
#define RESUME_ATTEMPTS 2000

/* Small enough to stay in the processor's cache. */
#define PIECE_SIZE ((size_t)256 * 1024)

/* Bytes a second; with the stream in a pipe, QEMU's default of 128 MiB/s would be the slowest part. */
#define BANDWIDTH (G_GUINT64_CONSTANT(1) << 40)

/**
 * struct Saver - A save under way
 * @plan:            what is done
 * @state_directory: where guests' directories are
 * @qmp:             the conversation with the guest's QEMU
 * @progress:        is told how far it is
 * @saved:           what it has cost so far
 * @devices:         the file of the device state
 * @checksum:        of that
 * @writers:         of ExmMemoryWriter, one for each block where memory is written out
 * @put:             bytes of memory that came
 * @begun:           how many steps were begun
 */
typedef struct {
	const ExmSavePlan *plan;
	const char *state_directory;
	ExmQmp *qmp;
	ExmProgress progress;
	ExmSaved *saved;
	int devices;
	GChecksum *checksum;
	GPtrArray *writers;
	uint64_t put;
	guint begun;
} Saver;

static bool make_template(Saver *saver, const ExmStep *step, GError **error)
{
	(void)saver;
	return exm_template_store_begin(step->path, error);
}

static void remove_template(const ExmSavePlan *plan, const ExmStep *step)
{
	(void)plan;
	exm_template_store_abandon(step->path);
}

static bool make_overlay(Saver *saver, const ExmStep *step, GError **error)
{
	const ExmTemplate *template = saver->plan->template;
	g_autofree char *name = g_path_get_basename(step->path);

	for (guint i = 0; i < template->disks->len; i++) {
		ExmTemplateDisk *disk = template->disks->pdata[i];
		const ExmSaveFile *file = saver->plan->disks->pdata[i];
		g_autofree char *backing = exm_template_path(template, file->inner ? file->inner
		                                                                   : file->outer);

		if (strcmp(disk->overlay, name) == 0)
			return exm_overlay_create(saver->qmp, step->path, backing, disk->format,
			                          disk->size, error);
	}
	return true;
}

static const ExmSaveFile *file_at(const GPtrArray *files, const char *path)
{
	for (guint i = 0; i < files->len; i++) {
		const ExmSaveFile *file = files->pdata[i];

		if (strcmp(file->path, path) == 0)
			return file;
	}
	return NULL;
}

/* The file as QEMU has it open, whatever its name. */
static char *opened_by_guest(const ExmSavePlan *plan, const ExmSaveFile *file)
{
	return g_strdup_printf("/proc/%d/fd/%d", (int)plan->vm->pid, file->fd);
}

static bool link_file(Saver *saver, const ExmStep *step, GError **error)
{
	const ExmSavePlan *plan = saver->plan;
	const ExmSaveFile *file = file_at(plan->memory, step->path);
	g_autofree char *opened = NULL;
	bool linked;

	if (!file)
		file = file_at(plan->disks, step->path);
	if (!exm_memory_file_link((pid_t)plan->vm->pid, file->fd, step->path, &linked, error))
		return false;
	if (linked)
		return true;
	opened = opened_by_guest(plan, file);
	return exm_memory_file_copy(opened, step->path, error);
}

static void remove_file(const ExmSavePlan *plan, const ExmStep *step)
{
	(void)plan;
	unlink(step->path);
}

/* What somebody else has made under that name meanwhile is his. */
static void unlink_file(const ExmSavePlan *plan, const ExmStep *step)
{
	const ExmSaveFile *file = file_at(plan->memory, step->path);
	g_autofree char *opened = NULL;
	g_autoptr(ExmFileFacts) ours = NULL;
	g_autoptr(ExmFileFacts) there = NULL;

	if (!file)
		file = file_at(plan->disks, step->path);
	opened = opened_by_guest(plan, file);
	ours = exm_file_look_through(opened);
	there = exm_file_look(step->path);
	if (there->exists && ours->device == there->device && ours->inode == there->inode)
		unlink(step->path);
}

static bool set_discard(ExmQmp *qmp, const char *backend, bool on, GError **error)
{
	g_autofree char *path = g_strdup_printf("/objects/%s", backend);
	ExmJson *set = json_object_new_object();
	ExmJson *get = json_object_new_object();
	g_autoptr(ExmJson) done = NULL;
	g_autoptr(ExmJson) value = NULL;

	exm_json_set_string(set, "path", path);
	exm_json_set_string(set, "property", "discard-data");
	exm_json_set_bool(set, "value", on);
	exm_json_set_string(get, "path", path);
	exm_json_set_string(get, "property", "discard-data");
	done = exm_qmp_execute(qmp, "qom-set", set, error);
	value = exm_qmp_execute(qmp, "qom-get", get, done ? error : NULL);
	if (!done || !value)
		return false;
	return json_object_get_boolean(value) == on ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "QEMU will not keep memory '%s' at its end",
	                 backend);
}

static bool keep_memory(Saver *saver, const ExmStep *step, GError **error)
{
	const GPtrArray *memory = saver->plan->memory;

	(void)step;
	for (guint i = 0; i < memory->len; i++) {
		const ExmSaveFile *file = memory->pdata[i];

		if (file->backend && !set_discard(saver->qmp, file->backend, false, error))
			return false;
	}
	return true;
}

static ExmQmp *connect_guest(const ExmSavePlan *plan)
{
	return exm_control_open(plan->vm, EXM_VM_CONTROL, ANSWER_MS, NULL);
}

static void discard_memory_again(const ExmSavePlan *plan, const ExmStep *step)
{
	g_autoptr(ExmQmp) qmp = connect_guest(plan);

	(void)step;
	for (guint i = 0; qmp && i < plan->memory->len; i++) {
		const ExmSaveFile *file = plan->memory->pdata[i];

		if (file->backend)
			set_discard(qmp, file->backend, true, NULL);
	}
}

static void writer_free(gpointer writer)
{
	exm_memory_writer_free(writer);
}

static bool write_memory(Saver *saver, const ExmStep *step, GError **error)
{
	const ExmTemplate *template = saver->plan->template;
	const ExmTemplateMemory *block;
	exm_autofd int fd = open(step->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return exm_throw_errno(error, errno, "make '%s'", step->path);
	if (!saver->writers)
		saver->writers = g_ptr_array_new_with_free_func(writer_free);
	block = template->memory->pdata[saver->writers->len];
	if (!exm_memory_file_set_size(fd, step->path, block->size, error))
		return false;
	g_ptr_array_add(saver->writers,
	                exm_memory_writer_new(g_steal_fd(&fd), step->path, block->size));
	return true;
}

static bool take_page(void *user, guint block, uint64_t offset, const void *data, size_t length,
                      GError **error)
{
	Saver *saver = user;

	saver->put += length;
	return exm_memory_writer_put(saver->writers->pdata[block], offset, data, length, error);
}

static bool take_rest(void *user, const void *data, size_t length, GError **error)
{
	Saver *saver = user;
	const char *bytes = data;

	g_checksum_update(saver->checksum, data, (gssize)length);
	saver->saved->devices_size += length;
	while (length > 0) {
		const ssize_t put = TEMP_FAILURE_RETRY(write(saver->devices, bytes, length));

		if (put < 0)
			return exm_throw_errno(error, errno, "write the device state");
		bytes += put;
		length -= (size_t)put;
	}
	return true;
}

static char **block_names(const ExmSavePlan *plan)
{
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();

	for (guint i = 0; plan->whole && i < plan->template->memory->len; i++)
		g_strv_builder_add(
			names, ((const ExmTemplateMemory *)plan->template->memory->pdata[i])->id);
	return g_strv_builder_end(names);
}

/* The stream to its end; with memory in it, that goes its own way. */
static bool read_stream(Saver *saver, int reader, GError **error)
{
	const ExmStreamSink sink = { take_page, take_rest, saver };
	g_auto(GStrv) blocks = block_names(saver->plan);
	g_autoptr(ExmStream) stream = exm_stream_new((const char *const *)blocks, &sink);
	g_autofree char *piece = g_malloc(PIECE_SIZE);
	ssize_t got;

	do {
		struct pollfd polled = { .fd = reader, .events = POLLIN };

		if (TEMP_FAILURE_RETRY(poll(&polled, 1, PIECE_MS)) == 0)
			return exm_throw(error, EXM_ERROR_SYSTEM,
			                 "QEMU does not go on with its state");
		got = TEMP_FAILURE_RETRY(read(reader, piece, PIECE_SIZE));
		if (got < 0)
			return exm_throw_errno(error, errno, "read QEMU's state");
		if (saver->plan->whole && !exm_stream_feed(stream, piece, (size_t)got, error))
			return false;
		if (!saver->plan->whole && !take_rest(saver, piece, (size_t)got, error))
			return false;
		if (saver->plan->whole)
			saver->progress("memory", MIN(saver->put, saver->plan->template->ram_size),
			                saver->plan->template->ram_size);
	} while (got > 0);
	return !saver->plan->whole || exm_stream_end(stream, error);
}

static uint64_t time_of(ExmJson *event)
{
	ExmJson *time = exm_json_member(event, "timestamp");

	return exm_json_get_uint(time, "seconds") * G_USEC_PER_SEC +
	       exm_json_get_uint(time, "microseconds");
}

/* Until QEMU says that all is written; when it stopped the guest, and when it had finished. */
static bool wait_for_end(Saver *saver, GError **error)
{
	uint64_t stopped = 0;

	exm_qmp_set_deadline(saver->qmp, ANSWER_MS);
	for (;;) {
		g_autoptr(ExmJson) event = exm_qmp_next_event(saver->qmp, error);
		const char *name = exm_json_get_string(event, "event");
		const char *status = exm_json_get_string(exm_json_member(event, "data"), "status");

		if (!event)
			return false;
		if (strcmp(name, "STOP") == 0)
			stopped = time_of(event);
		if (strcmp(name, "MIGRATION") != 0 || !status)
			continue;
		if (strcmp(status, "completed") == 0) {
			saver->saved->pause_us = stopped ? time_of(event) - stopped : 0;
			return true;
		}
		if (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)
			return exm_qmp_migration_throw(saver->qmp, error);
	}
}

static bool set_bandwidth(ExmQmp *qmp, GError **error)
{
	ExmJson *arguments = json_object_new_object();
	g_autoptr(ExmJson) answer = NULL;

	exm_json_set_uint(arguments, "max-bandwidth", BANDWIDTH);
	answer = exm_qmp_execute(qmp, "migrate-set-parameters", arguments, error);
	return answer;
}

static bool flush_memory(Saver *saver, GError **error)
{
	for (guint i = 0; saver->writers && i < saver->writers->len; i++) {
		if (!exm_memory_writer_flush(saver->writers->pdata[i], error))
			return false;
		saver->saved->written += exm_memory_writer_written(saver->writers->pdata[i]);
	}
	return true;
}

static bool save_devices(Saver *saver, const ExmStep *step, GError **error)
{
	exm_autofd int file = open(step->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	exm_autofd int reader = -1;
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

	if (file < 0)
		return exm_throw_errno(error, errno, "make '%s'", step->path);
	saver->devices = file;
	saver->checksum = checksum;
	if (!exm_qmp_migration_prepare(saver->qmp, error) || !set_bandwidth(saver->qmp, error) ||
	    !exm_qmp_migration_start(saver->qmp, saver->plan->stop, &reader, error))
		return false;
	if (!read_stream(saver, reader, error) || !wait_for_end(saver, error) ||
	    !flush_memory(saver, error))
		return false;
	if (fsync(file) < 0)
		return exm_throw_errno(error, errno, "sync '%s'", step->path);
	saver->plan->template->devices_size = saver->saved->devices_size;
	saver->plan->template->devices_sha256 = g_strdup(g_checksum_get_string(checksum));
	return true;
}

/* Sets a capability back, as one who never heard of us would have it. */
static void forget_sharing(ExmQmp *qmp)
{
	ExmJson *arguments = json_object_new_object();
	ExmJson *list = json_object_new_array();
	ExmJson *item = json_object_new_object();

	exm_json_set_string(item, "capability", "x-ignore-shared");
	exm_json_set_bool(item, "state", false);
	json_object_array_add(list, item);
	json_object_object_add(arguments, "capabilities", list);
	exm_json_put(exm_qmp_execute(qmp, "migrate-set-capabilities", arguments, NULL));
}

/*
 * QEMU lets a guest go on only when it is through with a migration, and says no until then
 * (migration/migration.c; "Migration is not finalized yet").
 */
static void resume_guest(const ExmSavePlan *plan, const ExmStep *step)
{
	g_autoptr(ExmQmp) qmp = connect_guest(plan);

	(void)step;
	for (int i = 0; qmp && i < RESUME_ATTEMPTS; i++) {
		g_autoptr(ExmJson) cancelled = exm_qmp_execute(qmp, "migrate_cancel", NULL, NULL);
		g_autoptr(ExmJson) migration = exm_qmp_execute(qmp, "query-migrate", NULL, NULL);
		const char *status = exm_json_get_string(migration, "status");
		g_autoptr(ExmJson) resumed = NULL;

		if (!status || strcmp(status, "none") == 0 || strcmp(status, "failed") == 0 ||
		    strcmp(status, "cancelled") == 0 || strcmp(status, "completed") == 0) {
			forget_sharing(qmp);
			if (!plan->running)
				return;
			resumed = exm_qmp_execute(qmp, "cont", NULL, NULL);
			if (resumed)
				return;
		}
		g_usleep(RESUME_PAUSE_US);
		exm_qmp_set_deadline(qmp, ANSWER_MS);
	}
}

static ExmTemplateMemory *block_at(const ExmSavePlan *plan, const char *path)
{
	for (guint i = 0; i < plan->memory->len; i++)
		if (strcmp(((const ExmSaveFile *)plan->memory->pdata[i])->path, path) == 0)
			return plan->template->memory->pdata[i];
	return NULL;
}

/* Where long work is told to. */
static void tell(uint64_t done, uint64_t all, void *user)
{
	const Saver *saver = user;

	saver->progress("checksum", done, all);
}

static bool checksum_file(Saver *saver, const ExmStep *step, GError **error)
{
	ExmTemplateMemory *block = block_at(saver->plan, step->path);

	block->sha256 = exm_checksum_file(step->path, tell, saver, error);
	return block->sha256;
}

static bool mark_file(Saver *saver, const ExmStep *step, GError **error)
{
	if (!exm_template_store_mark(step->path, saver->plan->template->name, error))
		return false;
	/* From here on nobody discards it; had the guest died before, a sweep could have. */
	return exm_state_is_alive(saver->plan->vm) ||
	       exm_throw(error, EXM_ERROR_STATE, "guest '%s' has ended", saver->plan->vm->name);
}

static void unmark_file(const ExmSavePlan *plan, const ExmStep *step)
{
	(void)plan;
	exm_template_store_unmark(step->path);
}

static bool describe_memory(const ExmSavePlan *plan, guint index, GError **error)
{
	const ExmSaveFile *file = plan->memory->pdata[index];
	ExmTemplateMemory *block = plan->template->memory->pdata[index];
	g_autoptr(ExmFileFacts) facts = exm_file_look(file->path);

	if (facts->size < block->size)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is not whole any more", file->path);
	block->path = g_strdup(file->inner ? file->inner : file->outer);
	block->inode = facts->inode;
	block->mtime = facts->mtime;
	block->allocated = facts->allocated;
	return true;
}

static bool write_manifest(Saver *saver, const ExmStep *step, GError **error)
{
	const ExmSavePlan *plan = saver->plan;

	(void)step;
	for (guint i = 0; i < plan->memory->len; i++)
		if (!describe_memory(plan, i, error))
			return false;
	for (guint i = 0; i < plan->disks->len; i++) {
		const ExmSaveFile *file = plan->disks->pdata[i];
		ExmTemplateDisk *disk = plan->template->disks->pdata[i];
		g_autoptr(ExmFileFacts) facts = exm_file_look_through(file->path);

		disk->path = g_strdup(file->inner ? file->inner : file->outer);
		disk->length = facts->size;
		disk->inode = facts->inode;
		disk->mtime = facts->mtime;
	}
	return exm_template_store_write_manifest(plan->temporary, plan->template, error);
}

static bool link_heir(Saver *saver, const ExmStep *step, GError **error)
{
	return symlink(saver->plan->template->directory, step->path) == 0 ||
	       exm_throw_errno(error, errno, "make '%s'", step->path);
}

static bool commit(Saver *saver, const ExmStep *step, GError **error)
{
	return exm_template_store_commit(saver->plan->temporary, step->path, error);
}

/* What it has is the template's by now: it must not run on. */
static bool end_process(const ExmVm *vm, GError **error)
{
	exm_autofd int process = -1;
	g_autoptr(ExmQmp) qmp = exm_control_open(vm, EXM_VM_CONTROL, ANSWER_MS, NULL);
	g_autoptr(ExmJson) answer = NULL;

	if (!exm_pidfd_open(vm, &process, error))
		return false;
	answer = qmp ? exm_qmp_execute(qmp, "quit", NULL, NULL) : NULL;
	if (process < 0 || exm_pidfds_wait(&process, 1, answer ? QUIT_MS : 0))
		return true;
	return exm_pidfd_kill(process, error) &&
	       (exm_pidfds_wait(&process, 1, QUIT_MS) ||
	        exm_throw(error, EXM_ERROR_SYSTEM, "guest '%s' (pid %d) does not end", vm->name,
	                  (int)vm->pid));
}

/* QEMU 8.2 and later can map a file that nobody may write. */
static void protect_memory(const ExmSavePlan *plan)
{
	for (guint i = 0; plan->protect && i < plan->memory->len; i++) {
		const ExmSaveFile *file = plan->memory->pdata[i];
		g_autofree char *path = exm_template_path(plan->template,
		                                          file->inner ? file->inner : file->outer);

		/* The marker is what counts: this is for programs that do not know it. */
		chmod(path, S_IRUSR);
	}
}

static bool end_guest(Saver *saver, const ExmStep *step, GError **error)
{
	(void)step;
	/* Its control socket serves one at a time. */
	exm_qmp_free(saver->qmp);
	saver->qmp = NULL;
	protect_memory(saver->plan);
	if (!end_process(saver->plan->vm, error))
		return false;
	exm_state_sweep(saver->state_directory);
	return true;
}

/* What each kind of step does, and how it is undone where that is not nothing. */
static const struct {
	bool (*act)(Saver *saver, const ExmStep *step, GError **error);
	void (*undo)(const ExmSavePlan *plan, const ExmStep *step);
} deeds[] = {
	[EXM_STEP_MAKE_TEMPLATE] = { make_template, remove_template },
	[EXM_STEP_MAKE_OVERLAY] = { make_overlay, NULL },
	[EXM_STEP_LINK_FILE] = { link_file, unlink_file },
	[EXM_STEP_KEEP_MEMORY] = { keep_memory, discard_memory_again },
	[EXM_STEP_WRITE_MEMORY] = { write_memory, remove_file },
	[EXM_STEP_SAVE_DEVICES] = { save_devices, resume_guest },
	[EXM_STEP_CHECKSUM_FILE] = { checksum_file, NULL },
	[EXM_STEP_MARK_FILE] = { mark_file, unmark_file },
	[EXM_STEP_WRITE_MANIFEST] = { write_manifest, NULL },
	[EXM_STEP_LINK_HEIR] = { link_heir, remove_file },
	[EXM_STEP_COMMIT] = { commit, NULL },
	[EXM_STEP_END_GUEST] = { end_guest, NULL },
};

/* Whether the template has its place; only the rename can say whether it came to that. */
static bool is_committed(const ExmSavePlan *plan, guint begun)
{
	for (guint i = 0; i < begun; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_COMMIT)
			return access(plan->temporary, F_OK) < 0;
	}
	return false;
}

/* One that failed is undone too: it may have got half way. */
static void undo(const ExmSavePlan *plan, guint begun)
{
	for (guint i = begun; i > 0; i--) {
		const ExmStep *step = plan->steps->pdata[i - 1];

		exm_trace("act", "undo %s %s", exm_step_name(step), step->path);
		if (deeds[step->kind].undo)
			deeds[step->kind].undo(plan, step);
	}
}

/* The guest goes on; or it ends, where the template is whole. */
static void settle(const ExmSavePlan *plan, const char *state_directory, guint begun)
{
	if (!is_committed(plan, begun)) {
		undo(plan, begun);
		return;
	}
	protect_memory(plan);
	end_process(plan->vm, NULL);
	exm_state_sweep(state_directory);
}

/* What the saver writes when there is nothing left to watch over. */
#define ALL_DONE G_MAXUINT

/* In the guard, which hears of each step before it is begun: silence is the saver's death. */
static void guard(const ExmSavePlan *plan, const char *state_directory, int reports)
{
	guint begun = 0;
	guint report;

	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	while (TEMP_FAILURE_RETRY(read(reports, &report, sizeof(report))) == sizeof(report)) {
		if (report == ALL_DONE)
			return;
		begun = report;
	}
	settle(plan, state_directory, begun);
}

static bool start_guard(const ExmSavePlan *plan, const char *state_directory, pid_t *ret_pid,
                        int *ret_reports, GError **error)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return exm_throw_errno(error, errno, "make a pipe");
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		guard(plan, state_directory, ends[0]);
		_exit(0);
	}
	close(ends[0]);
	*ret_reports = ends[1];
	*ret_pid = pid;
	return pid > 0 || exm_throw_errno(error, errno, "fork");
}

static bool tell_guard(int reports, guint report, GError **error)
{
	return write(reports, &report, sizeof(report)) == sizeof(report) ||
	       exm_throw(error, EXM_ERROR_SYSTEM, "the process that guards the save is gone");
}

static bool act_all(Saver *saver, int reports, GError **error)
{
	const GPtrArray *steps = saver->plan->steps;

	for (guint i = 0; i < steps->len; i++) {
		const ExmStep *step = steps->pdata[i];

		if (!tell_guard(reports, i + 1, error))
			return false;
		saver->begun = i + 1;
		exm_trace("act", "%s %s", exm_step_name(step), step->path);
		if (deeds[step->kind].act(saver, step, error))
			continue;
		g_prefix_error(error, "%s: ", exm_step_name(step));
		return false;
	}
	return tell_guard(reports, ALL_DONE, error);
}

/**
 * exm_op_save() - Freeze a guest into a template
 * @plan:            what is to be done
 * @state_directory: where guests' directories are
 * @warn:            called for each warning, when the template is there
 * @progress:        called while memory is written or read
 * @ret_saved:       what it has cost
 * @error:           of the step that failed; the guest goes on as if nothing had been tried
 *
 * A second process watches: should this one be killed, it lets the guest go on, or ends it where the
 * template is whole already. It does the same where a step fails, so that there is one way back.
 */
bool exm_op_save(const ExmSavePlan *plan, const char *state_directory, ExmWarn warn,
                 ExmProgress progress, ExmSaved *ret_saved, GError **error)
{
	ExmSaved saved = { .running = plan->running, .whole = plan->whole };
	Saver saver = {
		.plan = plan,
		.state_directory = state_directory,
		.progress = progress,
		.saved = &saved,
	};
	exm_autofd int reports = -1;
	pid_t watcher = -1;
	int status = 0;
	bool done;

	signal(SIGPIPE, SIG_IGN);
	if (!start_guard(plan, state_directory, &watcher, &reports, error))
		return false;
	saver.qmp = exm_control_open(plan->vm, EXM_VM_CONTROL, ANSWER_MS, error);
	done = saver.qmp && act_all(&saver, reports, error);
	exm_qmp_free(saver.qmp);
	if (saver.writers)
		g_ptr_array_unref(saver.writers);
	exm_fd_clear(&reports);
	waitpid(watcher, &status, 0);
	/* One that was killed has left that to us. */
	if (!done && WIFSIGNALED(status))
		settle(plan, state_directory, saver.begun);
	if (!done)
		return false;
	for (guint i = 0; i < plan->warnings->len; i++)
		warn(plan->warnings->pdata[i]);
	*ret_saved = saved;
	return true;
}
