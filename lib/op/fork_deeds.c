/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork_deeds.c - What each step of a fork does, and how it is undone */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/control.h"
#include "host/disk_mover.h"
#include "host/lock.h"
#include "host/memory_file.h"
#include "host/memory_writer.h"
#include "host/overlay.h"
#include "host/pidfd.h"
#include "host/qmp_migration.h"
#include "host/state.h"
#include "host/template_store.h"
#include "host/user.h"
#include "op/children.h"
#include "op/forking.h"

/* A QEMU that is killed gives back its memory first. */
#define END_MS 30000

/* How long a child may take until it expects its state. */
#define START_MS 60000

static int overlay_index(const ExmForkPlan *plan, const char *path)
{
	for (guint i = 0; plan->overlays->pdata[i]; i++)
		if (strcmp(plan->overlays->pdata[i], path) == 0)
			return (int)i;
	return -1;
}

/* The guest's own overlay, or an empty one for children to copy. */
static bool make_overlay(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmTemplate *template = freeze->plan->template;
	const ExmVm *vm = freeze->plan->vm;
	const int index = overlay_index(freeze->fork->plan, step->path);
	g_autofree char *directory = g_path_get_dirname(step->path);
	const ExmTemplateDisk *disk;
	g_autofree char *base = NULL;

	if (index < 0)
		return exm_save_deed(step->kind)->act(freeze, step, error);
	disk = template->disks->pdata[index];
	base = exm_template_path(template, disk->path);
	if (!exm_overlay_create(freeze->qmp, step->path, base, disk->format, disk->size, error))
		return false;
	/* What the guest syncs from now on must not be in a file that a crash takes the name of. */
	if ((!vm->run_as || exm_user_give_path(vm->run_as, step->path, error)) &&
	    exm_directory_sync(directory, error))
		return true;
	unlink(step->path);
	return false;
}

/* By it QEMU's block layer knows an overlay of the guest's own. */
static char *node_name(const ExmFreeze *freeze, int index)
{
	g_autofree char *overlay = g_path_get_basename(freeze->fork->plan->overlays->pdata[index]);
	const size_t length = strlen(overlay);
	const size_t tail = strlen("1a2b.qcow2");

	return g_strdup_printf("exomem-%.4s-%d", overlay + (length - tail), index);
}

/* An overlay that the guest still writes to, because it could not be brought back, has to stay. */
static bool remove_overlay(const ExmFreeze *freeze, const ExmStep *step)
{
	const int index = overlay_index(freeze->fork->plan, step->path);
	g_autofree char *node = index < 0 ? NULL : node_name(freeze, index);
	g_autoptr(ExmQmp) qmp = exm_freeze_connect(freeze->plan);

	if (qmp)
		exm_overlay_forget(qmp);
	return (node && qmp && exm_disk_is_moved(qmp, node)) || exm_file_remove(step->path, NULL);
}

static bool hold_devices(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	bool taken;

	return exm_memory_file_create(step->path, step->fd, &freeze->devices, error) &&
	       exm_lock_take(freeze->devices, true, &taken, error);
}

static const ExmSaveFile *memory_of(const ExmFreeze *freeze, const ExmStep *step)
{
	return exm_freeze_file_at(freeze->plan->memory, step->path);
}

static int open_source(const ExmSaveFile *file, GError **error)
{
	const int fd = open(file->source, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		exm_throw_errno(error, errno, "open '%s'", file->source);
	return fd;
}

static void writer_free(gpointer writer)
{
	exm_memory_writer_free(writer);
}

static bool add_writer(ExmFreeze *freeze, const ExmStep *step, int fd, GError **error)
{
	exm_autofd int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return exm_throw_errno(error, errno, "duplicate a descriptor");
	if (!freeze->writers)
		freeze->writers = g_ptr_array_new_with_free_func(writer_free);
	g_ptr_array_add(freeze->writers,
	                exm_memory_writer_new(g_steal_fd(&copy), step->path, step->bytes));
	return true;
}

static bool match_source(const ExmFreeze *freeze, const ExmStep *step, int fd, GError **error)
{
	exm_autofd int source = open_source(memory_of(freeze, step), error);

	if (source < 0)
		return false;
	exm_memory_file_match(source, fd);
	return true;
}

static bool prepare_memory(ExmFreeze *freeze, const ExmStep *step, int fd, GError **error)
{
	const bool clone = freeze->fork->plan->way == EXM_FORK_REFLINK;

	if ((clone && !match_source(freeze, step, fd, error)) ||
	    !exm_memory_file_set_size(fd, step->path, step->bytes, error))
		return false;
	return clone || add_writer(freeze, step, fd, error);
}

static bool make_memory(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	int fd;

	if (!exm_memory_file_create(step->path, step->fd, &fd, error))
		return false;
	if (prepare_memory(freeze, step, fd, error))
		return true;
	unlink(step->path);
	return false;
}

static bool lend_memory(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	int fd;

	return exm_memory_file_borrow(memory_of(freeze, step)->source, step->fd, &fd, error);
}

static void say_nothing(G_GNUC_UNUSED const char *name)
{
}

static const ExmPlan *heir_of(const ExmForking *fork)
{
	return exm_fork_heir(fork->plan) ? fork->children->pdata[fork->children->len - 1] : NULL;
}

static bool expect(const ExmPlan *plan, ExmExpectant *child, GError **error)
{
	const ExmVm vm = { .name = plan->name, .directory = plan->directory };

	return exm_load_expect(&vm, START_MS, child, error);
}

static bool start_children(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	ExmForking *fork = freeze->fork;
	const ExmPlan *heir = heir_of(fork);
	ExmCloneOrder order = *fork->order;

	(void)step;
	order.all_or_none = true;
	return exm_children_start(fork->children, freeze->state_directory, &order, say_nothing,
	                          error) &&
	       expect(fork->children->pdata[0], &fork->first, error) &&
	       (!heir || expect(heir, &fork->heir, error));
}

static bool end_children(const ExmFreeze *freeze, const ExmStep *step)
{
	(void)step;
	exm_children_end(freeze->fork->children, freeze->state_directory, NULL);
	return true;
}

/* Takes @disk, which may be NULL. */
static bool record_disk(const ExmFreeze *freeze, uint64_t word, ExmJson *disk, GError **error)
{
	g_autoptr(ExmJson) owned = disk;
	g_autoptr(ExmJson) disks = json_object_new_array();
	g_autoptr(ExmVm) vm = exm_state_find(freeze->state_directory, freeze->plan->vm->name, error);

	if (!vm)
		return false;
	/* Another guest may have the name by now. */
	if (vm->pid != freeze->plan->vm->pid || vm->start_time != freeze->plan->vm->start_time)
		return exm_throw(error, EXM_ERROR_STATE, "guest '%s' has ended", vm->name);
	for (size_t i = 0; i < exm_json_length(vm->disks); i++) {
		ExmJson *other = json_object_array_get_idx(vm->disks, i);

		if (exm_json_get_uint(other, "word") != word)
			json_object_array_add(disks, json_object_get(other));
	}
	if (disk)
		json_object_array_add(disks, g_steal_pointer(&owned));
	exm_json_put(vm->disks);
	vm->disks = g_steal_pointer(&disks);
	return exm_state_record(vm, error);
}

static ExmJson *overlay_to_json(const ExmFreeze *freeze, int index)
{
	const ExmTemplate *template = freeze->plan->template;
	const ExmTemplateDisk *disk = template->disks->pdata[index];
	g_autofree char *backing = exm_template_path(template, disk->path);
	ExmJson *json = json_object_new_object();

	exm_json_set_uint(json, "word", disk->word);
	exm_json_set_string(json, "path", freeze->fork->plan->overlays->pdata[index]);
	exm_json_set_string(json, "backing", backing);
	return json;
}

/* From here on the record says where the guest writes, whoever is killed. */
static bool move_disk(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const int index = overlay_index(freeze->fork->plan, step->path);
	const ExmSaveFile *file = freeze->plan->disks->pdata[index];
	const ExmTemplateDisk *disk = freeze->plan->template->disks->pdata[index];
	g_autofree char *node = node_name(freeze, index);
	g_autoptr(ExmJson) stopped = exm_qmp_execute(freeze->qmp, "stop", NULL, error);

	return stopped && exm_disk_move(freeze->qmp, file->node, step->path, node, error) &&
	       record_disk(freeze, disk->word, overlay_to_json(freeze, index), error);
}

static bool move_disk_back(const ExmFreeze *freeze, const ExmStep *step)
{
	const int index = overlay_index(freeze->fork->plan, step->path);
	const ExmTemplateDisk *disk = freeze->plan->template->disks->pdata[index];
	const ExmSaveFile *file = freeze->plan->disks->pdata[index];
	g_autofree char *node = node_name(freeze, index);
	g_autoptr(ExmQmp) qmp = exm_freeze_connect(freeze->plan);

	if (!qmp)
		return !exm_state_is_alive(freeze->plan->vm);
	exm_disk_move_back(qmp, node, file->node);
	if (!exm_disk_is_moved(qmp, node))
		record_disk(freeze, disk->word,
		            json_object_get(exm_vm_disk(freeze->plan->vm, disk->word)), NULL);
	/* It was stopped for this, and perhaps for nothing else yet. */
	exm_json_put(exm_qmp_execute(qmp, "cont", NULL, NULL));
	return true;
}

static bool save_state(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	return exm_freeze_save_state(freeze, error);
}

static bool resume_again(const ExmFreeze *freeze, const ExmStep *step)
{
	return exm_save_deed(step->kind)->undo(freeze, step);
}

static bool clone_memory(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	const ExmForkPlan *plan = freeze->fork->plan;
	const ExmSaveFile *file = memory_of(freeze, step);
	exm_autofd int source = open_source(file, error);
	guint index = 0;

	if (source < 0)
		return false;
	g_ptr_array_find(freeze->plan->memory, file, &index);
	/* FICLONE has written back what was dirty. */
	return exm_memory_file_clone(source, file->source, plan->inheritance.memory_fd + (int)index,
	                             step->path, error) &&
	       exm_freeze_write_back(freeze, exm_write_back_check, error);
}

static bool pour(const ExmFreeze *freeze, ExmExpectant *child, GError **error)
{
	return exm_load_pour(child, (const char *)freeze->state->data, freeze->state->len, error);
}

static bool resume_guest(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	ExmForking *fork = freeze->fork;
	uint64_t time = 0;

	(void)step;
	if (!pour(freeze, &fork->first, error) || !exm_freeze_go_on(freeze->qmp, error) ||
	    !exm_qmp_wait_event(freeze->qmp, "RESUME", &time, error))
		return false;
	fork->forked->pause_us = time - freeze->stopped;
	exm_freeze_forget_sharing(freeze->qmp);
	return true;
}

/* What the guest has said so far stands before what its heir will say. */
static void hand_on_log(const ExmFreeze *freeze, const ExmPlan *heir)
{
	g_autofree char *path = g_build_filename(freeze->plan->vm->directory, EXM_VM_LOG, NULL);
	g_autofree char *name = g_path_get_basename(heir->directory);
	g_autoptr(ExmVm) vm = exm_state_find(freeze->state_directory, name, NULL);
	g_autofree char *output = vm ? g_strdup_printf("/proc/%d/fd/1", (int)vm->pid) : NULL;
	exm_autofd int fd = output ? open(output, O_WRONLY | O_CLOEXEC) : -1;
	g_autofree char *text = NULL;
	size_t length = 0;

	if (fd >= 0 && exm_file_read(path, &text, &length, NULL))
		exm_fd_write_all(fd, text, length, "the log", NULL);
}

static bool take_place(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	ExmForking *fork = freeze->fork;
	const ExmPlan *heir = heir_of(fork);
	g_autofree char *name = g_path_get_basename(heir->directory);
	uint64_t time = 0;

	(void)step;
	if (!exm_freeze_write_back(freeze, exm_write_back_check, error) ||
	    !pour(freeze, &fork->heir, error) || !pour(freeze, &fork->first, error) ||
	    !exm_qmp_migration_wait(fork->heir.qmp, error))
		return false;
	hand_on_log(freeze, heir);
	if (!exm_state_exchange(freeze->state_directory, name, freeze->plan->vm, error))
		return false;
	if (!exm_load_resume(&fork->heir, &time, error)) {
		/* Who settles this has to talk to it, and QEMU talks to one at a time. */
		exm_expectant_clear(&fork->heir);
		return false;
	}
	fork->forked->pause_us = time - freeze->stopped;
	return true;
}

/* What a child that cannot be loaded has, it gives back. */
static void end_child(ExmPlan *plan, const char *state_directory)
{
	g_autoptr(GPtrArray) one = g_ptr_array_new();

	g_ptr_array_add(one, plan);
	exm_children_end(one, state_directory, NULL);
}

static void load_first(const ExmFreeze *freeze)
{
	ExmForking *fork = freeze->fork;
	ExmPlan *plan = fork->children->pdata[0];
	uint64_t time = 0;
	const bool done = exm_qmp_migration_wait(fork->first.qmp, &fork->failure) &&
	                  (fork->paused || exm_load_resume(&fork->first, &time, &fork->failure));

	exm_expectant_clear(&fork->first);
	if (done) {
		fork->forked->child_us = time > 0 ? time - freeze->stopped : 0;
		fork->forked->children++;
		fork->cloned(plan->name);
		return;
	}
	g_prefix_error(&fork->failure, "child '%s': ", plan->name);
	end_child(plan, freeze->state_directory);
}

static bool load_other(ExmPlan *plan, const char *state_directory, const void *user,
                       G_GNUC_UNUSED pid_t *ret_pid, GError **error)
{
	const ExmFreeze *freeze = user;
	const ExmVm vm = { .name = plan->name, .directory = plan->directory };

	if (exm_load_state(&vm, (const char *)freeze->state->data, freeze->state->len,
	                   !freeze->fork->paused, error))
		return true;
	end_child(plan, state_directory);
	return false;
}

/* One that fails does not keep the others from running. */
static bool load_children(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	ExmForking *fork = freeze->fork;
	const guint count = fork->children->len - (heir_of(fork) ? 1 : 0);
	const ExmChildWork work = { load_other, freeze };
	g_autoptr(GPtrArray) others = g_ptr_array_new();
	g_autoptr(GError) failure = NULL;

	(void)step;
	(void)error;
	load_first(freeze);
	exm_expectant_clear(&fork->heir);
	for (guint i = 1; i < count; i++)
		g_ptr_array_add(others, fork->children->pdata[i]);
	/* One for which no process could be forked waits for its state, and nobody will load it. */
	if (!exm_children_work(others, freeze->state_directory, fork->order, &work, fork->cloned,
	                       &failure))
		exm_children_end(others, freeze->state_directory,
		                 fork->paused ? "paused" : "running");
	if (failure && !fork->failure)
		fork->failure = g_steal_pointer(&failure);
	return true;
}

static bool write_devices(ExmFreeze *freeze, GError **error)
{
	ExmTemplate *template = freeze->plan->template;
	const GByteArray *state = freeze->state;

	if (!exm_fd_write_all(freeze->devices, state->data, state->len, "the device state", error))
		return false;
	if (TEMP_FAILURE_RETRY(fsync(freeze->devices)) < 0)
		return exm_throw_errno(error, errno, "sync the device state");
	template->devices_size = state->len;
	template->devices_sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, state->data,
	                                                       state->len);
	return true;
}

/* The directory has its place already, so that the manifest alone makes it a template. */
static bool sync_directories(const char *directory, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(directory);

	return exm_directory_sync(directory, error) && exm_directory_sync(parent, error);
}

static bool write_manifest(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	if (!write_devices(freeze, error) || !sync_directories(freeze->plan->temporary, error) ||
	    !exm_save_deed(step->kind)->act(freeze, step, error))
		return false;
	exm_freeze_protect_memory(freeze->plan);
	return true;
}

/* Whether overlays of running guests name an image in the template, by which it is opened again. */
static bool holds_disk(const ExmSavePlan *plan)
{
	for (guint i = 0; i < plan->disks->len; i++)
		if (((const ExmSaveFile *)plan->disks->pdata[i])->how == EXM_SAVE_LINK)
			return true;
	return false;
}

/* What is mapped, open or copied by now needs no name. */
static bool drop(const ExmFreeze *freeze)
{
	bool done = true;

	for (guint i = 0; i < freeze->plan->memory->len; i++) {
		const ExmSaveFile *file = freeze->plan->memory->pdata[i];

		if (freeze->fork->plan->way != EXM_FORK_SUCCEED && !exm_file_remove(file->path, NULL))
			done = false;
	}
	return (holds_disk(freeze->plan) || exm_template_store_abandon(freeze->plan->temporary)) &&
	       done;
}

static bool drop_template(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	(void)error;
	freeze->left = !drop(freeze);
	return true;
}

/* It is the old one that ends: what has its name by now is another. */
static bool end_guest(ExmFreeze *freeze, const ExmStep *step, GError **error)
{
	(void)step;
	if (!exm_pidfd_end(freeze->plan->vm, END_MS, error))
		return false;
	/* The directory that the sweep removes has the record of what is left to undo. */
	if (!freeze->left)
		exm_state_sweep(freeze->state_directory);
	return true;
}

static const ExmDeed deeds[] = {
	[EXM_STEP_MAKE_OVERLAY] = { make_overlay, remove_overlay, .whole = true },
	[EXM_STEP_HOLD_DEVICES] = { hold_devices, exm_freeze_remove_file },
	[EXM_STEP_MAKE_MEMORY] = { make_memory, exm_freeze_remove_file, .whole = true },
	[EXM_STEP_LEND_MEMORY] = { lend_memory, NULL },
	[EXM_STEP_START_CHILDREN] = { start_children, end_children },
	[EXM_STEP_MOVE_DISK] = { move_disk, move_disk_back },
	[EXM_STEP_SAVE_DEVICES] = { save_state, resume_again },
	[EXM_STEP_CLONE_MEMORY] = { clone_memory, NULL },
	/* Who has been given the state locks the disks, which the guest needs to go on. */
	[EXM_STEP_RESUME_GUEST] = { resume_guest, end_children },
	[EXM_STEP_TAKE_PLACE] = { take_place, end_children },
	[EXM_STEP_LOAD_CHILDREN] = { load_children, NULL },
	[EXM_STEP_WRITE_MANIFEST] = { write_manifest, NULL },
	[EXM_STEP_DROP_TEMPLATE] = { drop_template, NULL },
	[EXM_STEP_END_GUEST] = { end_guest, NULL },
};

/**
 * exm_fork_deed() - What a step of a fork does
 * @kind: of the step
 *
 * Those that are not a fork's own are a save's.
 */
const ExmDeed *exm_fork_deed(ExmStepKind kind)
{
	return (size_t)kind < G_N_ELEMENTS(deeds) && deeds[kind].act ? &deeds[kind]
	                                                             : exm_save_deed(kind);
}

static bool has_begun(const ExmFreeze *freeze, guint begun, ExmStepKind kind)
{
	for (guint i = 0; i < begun; i++)
		if (((const ExmStep *)freeze->plan->steps->pdata[i])->kind == kind)
			return true;
	return false;
}

/**
 * exm_fork_is_done() - Whether it is too late to go on as if nothing had been tried
 * @freeze: the fork
 * @begun:  how many of its steps were begun
 *
 * It is when children may run, or when another has the guest's place.
 */
bool exm_fork_is_done(const ExmFreeze *freeze, guint begun)
{
	const ExmVm *vm = freeze->plan->vm;
	g_autoptr(ExmVm) now = NULL;

	if (!has_begun(freeze, begun, EXM_STEP_TAKE_PLACE))
		return has_begun(freeze, begun, EXM_STEP_LOAD_CHILDREN);
	now = exm_state_find(freeze->state_directory, vm->name, NULL);
	return !now || now->pid != vm->pid;
}

/* The guest's name is the new one's by now; it is resumed, unless that was done. */
static void let_heir_run(const ExmFreeze *freeze, bool resume)
{
	const ExmVm *old = freeze->plan->vm;
	g_autoptr(ExmVm) now = resume ? exm_state_find(freeze->state_directory, old->name, NULL)
	                              : NULL;
	g_autoptr(ExmQmp)
		qmp = now ? exm_control_open(now, EXM_VM_CONTROL, EXM_FREEZE_ANSWER_MS, NULL) : NULL;

	if (qmp)
		exm_json_put(exm_qmp_execute(qmp, "cont", NULL, NULL));
	exm_pidfd_end(old, END_MS, NULL);
}

/* From then on the children run, and one that is paused was paused by the user. */
static bool has_loaded_children(const ExmFreeze *freeze, guint begun)
{
	return begun > 0 && has_begun(freeze, begun - 1, EXM_STEP_LOAD_CHILDREN);
}

/**
 * exm_fork_finish() - End what a fork has left in the middle
 * @freeze: the fork
 * @begun:  how many of its steps were begun
 *
 * Children that run stay; a template that is whole does too, and of one that is not the disks that
 * they write on top of.
 *
 * Return: whether nothing is left to remove.
 */
bool exm_fork_finish(const ExmFreeze *freeze, guint begun)
{
	const ExmForking *fork = freeze->fork;
	g_autofree char *manifest = g_build_filename(freeze->plan->temporary, EXM_TEMPLATE_MANIFEST,
	                                             NULL);

	if (has_begun(freeze, begun, EXM_STEP_TAKE_PLACE))
		let_heir_run(freeze, !has_loaded_children(freeze, begun));
	if (!has_loaded_children(freeze, begun))
		exm_children_end(fork->children, freeze->state_directory,
		                 fork->paused ? "paused" : "running");
	if (access(manifest, F_OK) < 0 && !drop(freeze))
		return false;
	exm_state_sweep(freeze->state_directory);
	return true;
}
