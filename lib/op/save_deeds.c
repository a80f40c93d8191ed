/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save_deeds.c - What each step of a save does, and how it is undone */

#include "op/freeze.h"

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
#include "host/claim_store.h"
#include "host/control.h"
#include "host/memory_file.h"
#include "host/memory_writer.h"
#include "host/mount.h"
#include "host/overlay.h"
#include "host/pidfd.h"
#include "host/place.h"
#include "host/qmp_migration.h"
#include "host/state.h"
#include "host/stream.h"
#include "host/template_store.h"

/* How long QEMU may take for the next piece of its state. */
#define PIECE_MS 60000

/* A QEMU that was told to quit gives back its memory first. */
#define QUIT_MS 30000

/* How often a guest that shall go on is asked whether it can yet, within EXM_FREEZE_ANSWER_MS. */
#define RESUME_PAUSE_US 5000UL
#define RESUME_ATTEMPTS 2000

/* QEMU lets a guest go on when it is through with a migration: within a millisecond. */
#define GO_ON_PAUSE_US 100UL
#define GO_ON_ATTEMPTS 100000

/* Small enough to stay in the processor's cache. */
#define PIECE_SIZE ((size_t)256 * 1024)

/* Bytes a second; with the stream in a pipe, QEMU's default of 128 MiB/s would be the slowest part. */
#define BANDWIDTH (G_GUINT64_CONSTANT(1) << 40)

static bool make_template(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)freeze;
	return exm_template_store_begin(step->path, error);
}

static bool remove_template(const ExmFreeze *freeze, const ExmStep *step)
{
	(void)freeze;
	return exm_template_store_abandon(step->path);
}

static bool make_overlay(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmTemplate *template = freeze->plan->template;
	g_autofree char *name = g_path_get_basename(step->path);

	for (guint i = 0; i < template->disks->len; i++) {
		ExmTemplateDisk *disk = template->disks->pdata[i];
		const ExmSaveFile *file = freeze->plan->disks->pdata[i];
		g_autofree char *backing = exm_template_path(template, file->inner ? file->inner
		                                                                   : file->outer);

		if (strcmp(disk->overlay, name) == 0)
			return exm_overlay_create(freeze->qmp, step->path, backing, disk->format,
			                          disk->size, error);
	}
	return true;
}

/* The image goes with the template. */
static bool forget_overlay(const ExmFreeze *freeze, const ExmStep *step)
{
	g_autoptr(ExmQmp) qmp = exm_freeze_connect(freeze->plan);

	(void)step;
	if (qmp)
		exm_overlay_forget(qmp);
	return true;
}

/**
 * exm_freeze_file_at() - Which file of a guest has a path in the template
 * @files: of ExmSaveFile
 * @path:  the path while the template is put together
 *
 * Return: the file (borrowed), or NULL.
 */
const ExmSaveFile *exm_freeze_file_at(const GPtrArray *files, const char *path)
{
	for (guint i = 0; i < files->len; i++) {
		const ExmSaveFile *file = files->pdata[i];

		if (strcmp(file->path, path) == 0)
			return file;
	}
	return NULL;
}

/**
 * exm_freeze_opened_by_guest() - A file as QEMU has it open, whatever its name
 * @plan: whose guest
 * @file: a file without a name
 *
 * Return: a path (transfer full).
 */
char *exm_freeze_opened_by_guest(const ExmSavePlan *plan, const ExmSaveFile *file)
{
	return g_strdup_printf("/proc/%d/fd/%d", (int)plan->vm->pid, file->fd);
}

static bool link_file(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmSavePlan *plan = freeze->plan;
	const ExmSaveFile *file = exm_freeze_file_at(plan->memory, step->path);
	g_autofree char *opened = NULL;
	bool linked;

	if (!file)
		file = exm_freeze_file_at(plan->disks, step->path);
	if (!exm_memory_file_link((pid_t)plan->vm->pid, file->fd, step->path, &linked, error))
		return false;
	if (linked)
		return true;
	opened = exm_freeze_opened_by_guest(plan, file);
	return exm_memory_file_copy(opened, step->path, error);
}

/**
 * exm_freeze_remove_file() - Undo a step that made the file at its path
 * @freeze: the operation
 * @step:   the step
 *
 * Return: whether the file is gone.
 */
bool exm_freeze_remove_file(const ExmFreeze *freeze, const ExmStep *step)
{
	(void)freeze;
	return exm_file_remove(step->path, NULL);
}

/* What somebody else has made under that name meanwhile is his. */
static bool unlink_file(const ExmFreeze *freeze, const ExmStep *step)
{
	const ExmSavePlan *plan = freeze->plan;
	const ExmSaveFile *file = exm_freeze_file_at(plan->memory, step->path);
	g_autofree char *opened = NULL;
	g_autoptr(ExmFileFacts) ours = NULL;
	g_autoptr(ExmFileFacts) there = NULL;

	if (!file)
		file = exm_freeze_file_at(plan->disks, step->path);
	opened = exm_freeze_opened_by_guest(plan, file);
	ours = exm_file_look_through(opened);
	there = exm_file_look(step->path);
	return !there->exists || ours->device != there->device || ours->inode != there->inode ||
	       exm_file_remove(step->path, NULL);
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

static bool keep_memory(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const GPtrArray *memory = freeze->plan->memory;

	(void)step;
	for (guint i = 0; i < memory->len; i++) {
		const ExmSaveFile *file = memory->pdata[i];

		if (file->backend && !set_discard(freeze->qmp, file->backend, false, error))
			return false;
	}
	return true;
}

/**
 * exm_freeze_connect() - A second conversation with the guest's QEMU, to undo something
 * @plan: whose guest
 *
 * Return: the conversation (transfer full), or NULL.
 */
ExmQmp *exm_freeze_connect(const ExmSavePlan *plan)
{
	return exm_control_open(plan->vm, EXM_VM_CONTROL, EXM_FREEZE_ANSWER_MS, NULL);
}

static bool discard_memory_again(const ExmFreeze *freeze, const ExmStep *step)
{
	const ExmSavePlan *plan = freeze->plan;
	g_autoptr(ExmQmp) qmp = exm_freeze_connect(plan);
	bool done = qmp;

	(void)step;
	for (guint i = 0; qmp && i < plan->memory->len; i++) {
		const ExmSaveFile *file = plan->memory->pdata[i];

		if (file->backend && !set_discard(qmp, file->backend, true, NULL))
			done = false;
	}
	return done || !exm_state_is_alive(plan->vm);
}

static void writer_free(gpointer writer)
{
	exm_memory_writer_free(writer);
}

static bool write_memory(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmTemplate *template = freeze->plan->template;
	const ExmTemplateMemory *block;
	exm_autofd int fd = open(step->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return exm_throw_errno(error, errno, "make '%s'", step->path);
	if (!freeze->writers)
		freeze->writers = g_ptr_array_new_with_free_func(writer_free);
	block = template->memory->pdata[freeze->writers->len];
	if (!exm_memory_file_set_size(fd, step->path, block->size, error))
		return false;
	g_ptr_array_add(freeze->writers,
	                exm_memory_writer_new(g_steal_fd(&fd), step->path, block->size));
	return true;
}

static bool take_page(void *user, guint block, uint64_t offset, const void *data, size_t length,
                      GError **error)
{
	ExmFreeze *freeze = user;

	freeze->put += length;
	return exm_memory_writer_put(freeze->writers->pdata[block], offset, data, length, error);
}

static bool take_rest(void *user, const void *data, size_t length, GError **error)
{
	ExmFreeze *freeze = user;

	freeze->saved->devices_size += length;
	if (freeze->state) {
		g_byte_array_append(freeze->state, data, (guint)length);
		return true;
	}
	g_checksum_update(freeze->checksum, data, (gssize)length);
	return exm_fd_write_all(freeze->devices, data, length, "the device state", error);
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
static bool read_stream(ExmFreeze *freeze, int reader, GError **error)
{
	const ExmStreamSink sink = { take_page, take_rest, freeze };
	g_auto(GStrv) blocks = block_names(freeze->plan);
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
		if (freeze->plan->whole && !exm_stream_feed(stream, piece, (size_t)got, error))
			return false;
		if (!freeze->plan->whole && !take_rest(freeze, piece, (size_t)got, error))
			return false;
		if (freeze->plan->whole)
			freeze->progress("memory", MIN(freeze->put, freeze->plan->template->ram_size),
			                 freeze->plan->template->ram_size);
	} while (got > 0);
	return !freeze->plan->whole || exm_stream_end(stream, error);
}

/* Until QEMU says that all is written; when it stopped the guest, and when it had finished. */
static bool wait_for_end(ExmFreeze *freeze, GError **error)
{
	exm_qmp_set_deadline(freeze->qmp, EXM_FREEZE_ANSWER_MS);
	for (;;) {
		g_autoptr(ExmJson) event = exm_qmp_next_event(freeze->qmp, error);
		const char *name = exm_json_get_string(event, "event");
		const char *status = exm_json_get_string(exm_json_member(event, "data"), "status");

		if (!event)
			return false;
		if (strcmp(name, "STOP") == 0)
			freeze->stopped = exm_qmp_event_time(event);
		if (strcmp(name, "MIGRATION") != 0 || !status)
			continue;
		if (strcmp(status, "completed") == 0) {
			freeze->saved->pause_us = freeze->stopped ? exm_qmp_event_time(event) -
			                                                    freeze->stopped
			                                          : 0;
			return true;
		}
		if (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)
			return exm_qmp_migration_throw(freeze->qmp, error);
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

static bool flush_memory(ExmFreeze *freeze, GError **error)
{
	for (guint i = 0; freeze->writers && i < freeze->writers->len; i++) {
		if (!exm_memory_writer_flush(freeze->writers->pdata[i], error))
			return false;
		freeze->saved->written += exm_memory_writer_written(freeze->writers->pdata[i]);
	}
	return true;
}

/**
 * exm_freeze_save_state() - Pause the guest, where it must, and take its state and private memory
 * @freeze: what is done
 * @error:  SYSTEM or NO_ROOM
 */
bool exm_freeze_save_state(ExmFreeze *freeze, GError **error)
{
	exm_autofd int reader = -1;

	exm_qmp_set_deadline(freeze->qmp, EXM_FREEZE_ANSWER_MS);
	return exm_qmp_migration_prepare(freeze->qmp, error) && set_bandwidth(freeze->qmp, error) &&
	       exm_qmp_migration_start(freeze->qmp, freeze->plan->stop, &reader, error) &&
	       read_stream(freeze, reader, error) && wait_for_end(freeze, error) &&
	       flush_memory(freeze, error);
}

/* What exomem has given a name to: that of a file which keeps its own is the user's business. */
static bool sync_name(const ExmSaveFile *file, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(file->path);

	return file->how == EXM_SAVE_KEEP || !file->outer || exm_directory_sync(directory, error);
}

/* What is the guest's own file, or was written or copied, has been synced by its descriptor. */
static bool sync_memory(const ExmSaveFile *file, GError **error)
{
	return (file->how != EXM_SAVE_CLONE || exm_file_sync(file->path, error)) &&
	       sync_name(file, error);
}

static bool settle_memory(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	return exm_freeze_write_back(freeze, exm_write_back_settle, error);
}

/* Whatever the manifest will name; names in the template's directory are synced with that. */
static bool flush_files(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmSavePlan *plan = freeze->plan;

	(void)step;
	if (!exm_freeze_write_back(freeze, exm_write_back_sync, error))
		return false;
	for (guint i = 0; freeze->writers && i < freeze->writers->len; i++)
		if (!exm_memory_writer_sync(freeze->writers->pdata[i], error))
			return false;
	for (guint i = 0; i < plan->memory->len; i++)
		if (!sync_memory(plan->memory->pdata[i], error))
			return false;
	for (guint i = 0; i < plan->disks->len; i++)
		if (!exm_file_sync(((const ExmSaveFile *)plan->disks->pdata[i])->path, error) ||
		    !sync_name(plan->disks->pdata[i], error))
			return false;
	return true;
}

static bool save_devices(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	exm_autofd int file = open(step->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

	if (file < 0)
		return exm_throw_errno(error, errno, "make '%s'", step->path);
	freeze->devices = file;
	freeze->checksum = checksum;
	if (!exm_freeze_save_state(freeze, error))
		return false;
	if (TEMP_FAILURE_RETRY(fsync(file)) < 0)
		return exm_throw_errno(error, errno, "sync '%s'", step->path);
	freeze->plan->template->devices_size = freeze->saved->devices_size;
	freeze->plan->template->devices_sha256 = g_strdup(g_checksum_get_string(checksum));
	return true;
}

/**
 * exm_freeze_forget_sharing() - Set a capability back, as one who never heard of us would have it
 * @qmp: the conversation
 */
void exm_freeze_forget_sharing(ExmQmp *qmp)
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
static bool resume_guest(const ExmFreeze *freeze, const ExmStep *step)
{
	const ExmSavePlan *plan = freeze->plan;
	g_autoptr(ExmQmp) qmp = exm_freeze_connect(plan);

	(void)step;
	for (int i = 0; qmp && !exm_qmp_has_hung_up(qmp) && i < RESUME_ATTEMPTS; i++) {
		g_autoptr(ExmJson) migration = NULL;
		g_autoptr(ExmJson) resumed = NULL;
		const char *status;

		exm_json_put(exm_qmp_execute(qmp, "migrate_cancel", NULL, NULL));
		migration = exm_qmp_execute(qmp, "query-migrate", NULL, NULL);
		status = exm_json_get_string(migration, "status");
		if (!status || strcmp(status, "none") == 0 || strcmp(status, "failed") == 0 ||
		    strcmp(status, "cancelled") == 0 || strcmp(status, "completed") == 0) {
			exm_freeze_forget_sharing(qmp);
			if (!plan->running)
				return true;
			resumed = exm_qmp_execute(qmp, "cont", NULL, NULL);
			if (resumed)
				return true;
		}
		g_usleep(RESUME_PAUSE_US);
	}
	return !exm_state_is_alive(plan->vm);
}

/**
 * exm_freeze_go_on() - Let a guest go on whose state has been taken
 * @qmp:   the conversation
 * @error: SYSTEM
 */
bool exm_freeze_go_on(ExmQmp *qmp, GError **error)
{
	exm_qmp_set_deadline(qmp, EXM_FREEZE_ANSWER_MS);
	for (int i = 0;; i++) {
		GError *reason = NULL;
		g_autoptr(ExmJson) resumed = exm_qmp_execute(qmp, "cont", NULL, &reason);

		if (resumed)
			return true;
		if (i == GO_ON_ATTEMPTS || exm_qmp_has_hung_up(qmp)) {
			g_propagate_error(error, reason);
			return false;
		}
		g_error_free(reason);
		g_usleep(GO_ON_PAUSE_US);
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
	const ExmFreeze *freeze = user;

	freeze->progress("checksum", done, all);
}

static bool checksum_file(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	ExmTemplateMemory *block = block_at(freeze->plan, step->path);

	block->sha256 = exm_checksum_file(step->path, tell, freeze, error);
	return block->sha256;
}

/* A device has no place beside it that outlives a restart: what is remembered of it says it. */
static bool mark_device(const ExmTemplateMemory *block, const char *template, GError **error)
{
	g_autoptr(ExmClaim) claim = NULL;

	if (!exm_claim_store_read(block->claims, block->namespace, &claim, error))
		return false;
	if (!claim)
		return exm_throw(error, EXM_ERROR_STATE, "nobody has namespace '%s' any more",
		                 block->namespace);
	g_free(claim->template);
	claim->template = g_strdup(template);
	return exm_claim_store_write(block->claims, claim, error);
}

static bool mark_file(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmTemplate *template = freeze->plan->template;
	const ExmTemplateMemory *block = block_at(freeze->plan, step->path);

	if (block->namespace ? !mark_device(block, template->directory, error)
	                     : !exm_template_store_mark(step->path, template->name, error))
		return false;
	/* From here on nobody discards it; had the guest died before, a sweep could have. */
	return exm_state_is_alive(freeze->plan->vm) ||
	       exm_throw(error, EXM_ERROR_STATE, "guest '%s' has ended", freeze->plan->vm->name);
}

static bool unmark_file(const ExmFreeze *freeze, const ExmStep *step)
{
	const ExmTemplateMemory *block = block_at(freeze->plan, step->path);
	g_autoptr(GError) reason = NULL;

	if (!block->namespace)
		return exm_template_store_unmark(step->path, NULL);
	return mark_device(block, NULL, &reason) ||
	       g_error_matches(reason, EXM_ERROR, EXM_ERROR_STATE);
}

static bool is_known_again(const char *path)
{
	g_autoptr(ExmMount) mount = exm_mount_look(path);

	return !mount || exm_mount_identifies_files(mount);
}

/* A guest that is handed over may be on its way to another host, whose boots are others. */
static void note_boot(ExmTemplate *template, const char *path)
{
	if (!template->uuid && !template->boot_id && exm_place_is_memory(path))
		template->boot_id = exm_state_boot_id();
}

static bool describe_memory(const ExmSavePlan *plan, guint index, GError **error)
{
	const ExmSaveFile *file = plan->memory->pdata[index];
	ExmTemplateMemory *block = plan->template->memory->pdata[index];
	g_autoptr(ExmFileFacts) facts = exm_file_look(file->path);
	bool is_known;

	if (!block->namespace && facts->size < block->size)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is not whole any more", file->path);
	g_free(block->path);
	block->path = g_strdup(file->inner ? file->inner : file->outer);
	/* What a device's name leads to is another inode after a restart. */
	is_known = !block->namespace && is_known_again(file->path);
	block->inode = is_known ? facts->inode : 0;
	block->mtime = is_known ? facts->mtime : 0;
	note_boot(plan->template, file->path);
	block->allocated = block->namespace ? block->size : facts->allocated;
	return true;
}

static bool write_manifest(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmSavePlan *plan = freeze->plan;

	(void)step;
	for (guint i = 0; i < plan->memory->len; i++)
		if (!describe_memory(plan, i, error))
			return false;
	for (guint i = 0; i < plan->disks->len; i++) {
		const ExmSaveFile *file = plan->disks->pdata[i];
		ExmTemplateDisk *disk = plan->template->disks->pdata[i];
		g_autoptr(ExmFileFacts) facts = exm_file_look_through(file->path);
		bool is_known;

		g_free(disk->path);
		disk->path = g_strdup(file->inner ? file->inner : file->outer);
		disk->length = facts->size;
		is_known = is_known_again(file->path);
		disk->inode = is_known ? facts->inode : 0;
		disk->mtime = is_known ? facts->mtime : 0;
	}
	return exm_template_store_write_manifest(plan->temporary, plan->template, error);
}

static bool link_heir(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(step->path);

	if (symlink(freeze->plan->template->directory, step->path) < 0)
		return exm_throw_errno(error, errno, "make '%s'", step->path);
	if (exm_directory_sync(directory, error))
		return true;
	unlink(step->path);
	return false;
}

static bool commit(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	return exm_template_store_commit(freeze->plan->temporary, step->path, error);
}

/**
 * exm_freeze_end_guest() - End a guest whose memory is a template's: it must not run on
 * @vm:    the guest
 * @error: SYSTEM where it does not end
 */
bool exm_freeze_end_guest(const ExmVm *vm, GError **error)
{
	exm_autofd int process = -1;
	g_autoptr(ExmQmp) qmp = exm_control_open(vm, EXM_VM_CONTROL, EXM_FREEZE_ANSWER_MS, NULL);
	g_autoptr(ExmJson) answer = NULL;

	if (!exm_pidfd_open(vm, &process, error))
		return false;
	answer = qmp ? exm_qmp_execute(qmp, "quit", NULL, NULL) : NULL;
	if (process < 0 || exm_pidfds_wait(&process, 1, answer ? QUIT_MS : 0))
		return true;
	return exm_pidfd_end(vm, QUIT_MS, error);
}

/**
 * exm_freeze_protect_memory() - Make memory files read-only, which QEMU 8.2 and later can map
 * @plan: of the template, which has its place
 */
void exm_freeze_protect_memory(const ExmSavePlan *plan)
{
	const bool protect = plan->protect && !exm_template_device(plan->template);

	for (guint i = 0; protect && i < plan->memory->len; i++) {
		const ExmSaveFile *file = plan->memory->pdata[i];
		g_autofree char *path = exm_template_path(plan->template,
		                                          file->inner ? file->inner : file->outer);

		/* The marker is what counts: this is for programs that do not know it. */
		chmod(path, S_IRUSR);
	}
}

static bool end_guest(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	/* Its control socket serves one at a time. */
	exm_qmp_free(freeze->qmp);
	freeze->qmp = NULL;
	exm_freeze_protect_memory(freeze->plan);
	if (!exm_freeze_end_guest(freeze->plan->vm, error))
		return false;
	exm_state_sweep(freeze->state_directory);
	return true;
}

/* What each kind of step does, and how it is undone where that is not nothing. */
static const ExmDeed deeds[] = {
	[EXM_STEP_MAKE_TEMPLATE] = { make_template, remove_template, .whole = true },
	[EXM_STEP_MAKE_OVERLAY] = { make_overlay, forget_overlay },
	[EXM_STEP_LINK_FILE] = { link_file, unlink_file },
	[EXM_STEP_KEEP_MEMORY] = { keep_memory, discard_memory_again },
	[EXM_STEP_WRITE_MEMORY] = { write_memory, exm_freeze_remove_file },
	[EXM_STEP_SAVE_DEVICES] = { save_devices, resume_guest },
	[EXM_STEP_SYNC_MEMORY] = { settle_memory, NULL },
	[EXM_STEP_FLUSH_MEMORY] = { flush_files, NULL },
	[EXM_STEP_CHECKSUM_FILE] = { checksum_file, NULL },
	[EXM_STEP_MARK_FILE] = { mark_file, unmark_file },
	[EXM_STEP_WRITE_MANIFEST] = { write_manifest, NULL },
	[EXM_STEP_LINK_HEIR] = { link_heir, exm_freeze_remove_file, .whole = true },
	[EXM_STEP_COMMIT] = { commit, NULL },
	[EXM_STEP_END_GUEST] = { end_guest, NULL },
};

/**
 * exm_save_deed() - What a step of a save does
 * @kind: of the step
 */
const ExmDeed *exm_save_deed(ExmStepKind kind)
{
	return &deeds[kind];
}
