/* SPDX-License-Identifier: GPL-2.0-or-later */
/* act.c - Do the steps of a plan, or undo them */

#include "op/act.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/trace.h"
#include "host/budget.h"
#include "host/call_guard.h"
#include "host/control.h"
#include "host/guest_parent.h"
#include "host/incoming.h"
#include "host/interrupt.h"
#include "host/landlock.h"
#include "host/lock.h"
#include "host/log_keeper.h"
#include "host/memory_file.h"
#include "host/overlay.h"
#include "host/state.h"
#include "host/user.h"
#include "host/waiting.h"
#include "op/admission.h"
#include "op/load.h"
#include "op/pmem.h"
#include "op/pmem_claim.h"
#include "op/prefetch.h"
#include "plan/detach.h"

/* Linux 6.4, include/uapi/linux/prctl.h; older headers have it not. */
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

/**
 * struct Actor - What a step may need beside its own data
 * @plan:            whose step it is
 * @state_directory: where guests' directories are
 * @loader:          the process that loads the guest's device state, or 0
 * @warn:            tells the user of the plan's warnings
 */
typedef struct {
	const ExmPlan *plan;
	const char *state_directory;
	pid_t loader;
	ExmWarn warn;
} Actor;

static bool claim_name(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	int fd;

	return exm_state_claim(step->path, step->fd, &fd, error);
}

static void release_name(G_GNUC_UNUSED const Actor *actor, const ExmStep *step)
{
	exm_state_release(step->path);
	close(step->fd);
}

static bool admit(const Actor *actor, G_GNUC_UNUSED const ExmStep *step, GError **error)
{
	return exm_op_admit(actor->plan, actor->state_directory, error);
}

static bool create_unnamed(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	int fd;

	return exm_memory_file_create_unnamed(step->path, step->fd, &fd, error);
}

static bool create_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	int fd;

	return exm_memory_file_create(step->path, step->fd, &fd, error);
}

static bool open_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	int fd;

	return exm_memory_file_open(step->path, step->writable, step->bytes, step->fd, &fd, error);
}

static void close_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step)
{
	close(step->fd);
}

static void unlink_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step)
{
	exm_file_remove_own(step->fd, step->path);
}

static void remove_file(const Actor *actor, const ExmStep *step)
{
	unlink_file(actor, step);
	close_file(actor, step);
}

static bool throw_locked(const Actor *actor, const ExmStep *step, GError **error)
{
	const pid_t pid = exm_lock_holder(step->fd);
	g_autofree char *name = pid ? exm_state_find_pid(actor->state_directory, pid) : NULL;

	if (name)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is in use by guest '%s' (pid %d)",
		                 step->path, name, (int)pid);
	if (pid)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is in use by pid %d", step->path,
		                 (int)pid);
	return exm_throw(error, EXM_ERROR_STATE, "'%s' is in use elsewhere", step->path);
}

static bool lock_file(const Actor *actor, const ExmStep *step, GError **error)
{
	bool taken;

	if (!exm_lock_take(step->fd, step->shared, &taken, error))
		return false;
	return taken || throw_locked(actor, step, error);
}

static bool size_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	return exm_memory_file_set_size(step->fd, step->path, step->bytes, error);
}

/* The file was empty: a size is only given to a file that has none. */
static void empty_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step)
{
	exm_memory_file_set_size(step->fd, step->path, 0, NULL);
}

static bool reserve_blocks(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	return exm_memory_file_reserve(step->fd, step->path, step->bytes, error);
}

static bool name_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	return exm_memory_file_give_name(step->fd, step->path, error);
}

static bool remove_name(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	return exm_file_remove_own(step->fd, step->path) ||
	       exm_throw_errno(error, errno, "remove '%s'", step->path);
}

static bool make_socket(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	int fd;

	return exm_control_listen(step->path, step->fd, &fd, error);
}

static bool configure(const Actor *actor, const ExmStep *step, GError **error)
{
	const char *text = actor->plan->monitors;

	return exm_file_write_atomic(step->path, text, strlen(text), 0600, error);
}

/* A guest that is handed over has the parent that it had, if any. */
static const char *parent_of(const ExmPlan *plan)
{
	const ExmTemplate *template = plan->template;

	if (!template || (template->uuid && strcmp(template->parent, template->name) == 0))
		return NULL;
	return template->parent;
}

/* The descriptor by which a step of the plan has this file; -1 where none has. */
static int descriptor_of(const ExmPlan *plan, const char *path)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->fd >= 0 && g_strcmp0(step->path, path) == 0)
			return step->fd;
	}
	return -1;
}

/* By what a file is known again when its path may have become another's. */
static void identify_files(const ExmPlan *plan, ExmJson *memory)
{
	for (size_t i = 0; i < exm_json_length(memory); i++) {
		ExmJson *item = json_object_array_get_idx(memory, i);
		const int fd = descriptor_of(plan, exm_json_get_string(item, "path"));
		struct stat file;

		if (fd < 0 || fstat(fd, &file) < 0)
			continue;
		exm_json_set_uint(item, "device", file.st_dev);
		exm_json_set_uint(item, "inode", file.st_ino);
	}
}

static bool record_guest(const Actor *actor, const ExmStep *step, GError **error)
{
	const ExmPlan *plan = actor->plan;
	g_autoptr(ExmVm) vm = g_new0(ExmVm, 1);

	if (!exm_state_start_time(getpid(), &vm->start_time, error))
		return false;
	vm->name = g_strdup(plan->name);
	vm->directory = g_strdup(step->path);
	vm->pid = (uint64_t)getpid();
	vm->boot_id = exm_state_boot_id();
	vm->ram_size = plan->ram_size;
	vm->created = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
	vm->detached = plan->detach;
	vm->qemu = g_strdup(plan->qemu);
	vm->qemu_version = g_strdup(plan->qemu_version);
	vm->uuid = g_strdup(plan->uuid);
	vm->generation_id = g_strdup(plan->generation_id);
	vm->working_directory = g_get_current_dir();
	vm->command = g_strdupv(plan->command);
	vm->argv = g_strdupv((char **)plan->argv->pdata);
	vm->memory = exm_plan_memory_to_json(plan);
	identify_files(plan, vm->memory);
	vm->pmem = plan->pmem->len ? exm_plan_pmem_to_json(plan) : NULL;
	vm->template_path = plan->kept ? g_strdup(plan->template->directory) : NULL;
	vm->parent = g_strdup(parent_of(plan));
	vm->index = plan->index;
	vm->disks = plan->template ? exm_plan_disks_to_json(plan) : NULL;
	vm->sandbox = plan->sandbox;
	vm->run_as = g_strdup(plan->run_as);
	return (!actor->loader || exm_incoming_note(step->path, actor->loader, NULL, error)) &&
	       exm_state_record(vm, error);
}

static bool keep_log(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	exm_autofd int pipe = -1;

	if (!exm_log_keeper_start(step->path, &pipe, error))
		return false;
	if (dup2(pipe, STDOUT_FILENO) < 0 || dup2(pipe, STDERR_FILENO) < 0)
		return exm_throw_errno(error, errno, "pass output on to '%s'", step->path);
	return exm_guest_parent_begin(step->fd, error);
}

static bool leave_terminal(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	exm_autofd int null = open(step->path, O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return exm_throw_errno(error, errno, "open '%s'", step->path);
	/* From here on the record says whom to end, should its birth be interrupted. */
	prctl(PR_SET_PDEATHSIG, 0);
	/* It fails only where this process leads a session already, which is as good. */
	setsid();
	return true;
}

static bool clone_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	exm_autofd int from = open(step->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (from < 0)
		return exm_throw_errno(error, errno, "open '%s'", step->path);
	return exm_memory_file_clone(from, step->path, step->fd, step->path, error);
}

/* QEMU opens it anew, as the user that it is by then, when the guest has its state. */
static bool copy_overlay(const Actor *actor, const ExmStep *step, GError **error)
{
	const char *user = actor->plan->run_as;

	return exm_overlay_copy(step->path, step->fd, error) &&
	       (!user || exm_user_give_fd(user, step->fd, error));
}

static bool scrub(const Actor *actor, const ExmStep *step, GError **error)
{
	const ExmPlanClaim *claim = exm_plan_find_claim(actor->plan, step->path);

	return exm_op_pmem_clean(step->fd, claim->namespace, claim->seen,
	                         actor->plan->claims_directory, NULL, error);
}

static bool claim_namespace(const Actor *actor, const ExmStep *step, GError **error)
{
	return exm_pmem_claim_make(actor->plan, exm_plan_find_claim(actor->plan, step->path), error);
}

static void unclaim_namespace(const Actor *actor, const ExmStep *step)
{
	exm_pmem_claim_undo(actor->plan, exm_plan_find_claim(actor->plan, step->path));
}

/* Who starts a detached guest sees it run. */
static bool confirm_claims(const Actor *actor, G_GNUC_UNUSED const ExmStep *step, GError **error)
{
	return actor->plan->detach || exm_pmem_claims_confirm_later(actor->plan, error);
}

static bool limit_memory(const Actor *actor, const ExmStep *step, GError **error)
{
	return exm_budget_enter(actor->plan->name, step->bytes, step->path, error);
}

static void leave_limit(G_GNUC_UNUSED const Actor *actor, const ExmStep *step)
{
	exm_budget_leave(step->path);
}

static bool guard_memory(G_GNUC_UNUSED const Actor *actor, G_GNUC_UNUSED const ExmStep *step,
                         GError **error)
{
	return exm_hole_guard_install(error);
}

static bool restrict_paths(const Actor *actor, G_GNUC_UNUSED const ExmStep *step, GError **error)
{
	return exm_landlock_restrict(actor->plan->qemu, actor->plan->sandbox, error);
}

static bool read_exactly(G_GNUC_UNUSED const Actor *actor, G_GNUC_UNUSED const ExmStep *step,
                         GError **error)
{
	return exm_huge_page_guard_install(error);
}

/* Survives exec, since Linux 6.7 (kernel/fork.c, mm/ksm.c). */
static bool merge_pages(G_GNUC_UNUSED const Actor *actor, G_GNUC_UNUSED const ExmStep *step,
                        GError **error)
{
	return prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) == 0 ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "merging pages of a whole process needs Linux 6.4 with KSM: %s",
	                 strerror(errno));
}

static bool inherit_file(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	return fcntl(step->fd, F_GETFD) >= 0 ||
	       exm_throw_errno(error, errno, "inherit '%s'", step->path);
}

static bool offer_child(const Actor *actor, const ExmStep *step, GError **error)
{
	return exm_waiting_offer(step->path, actor->plan->shape, error);
}

static bool enter_directory(G_GNUC_UNUSED const Actor *actor, const ExmStep *step, GError **error)
{
	return chdir(step->path) == 0 || exm_throw_errno(error, errno, "enter '%s'", step->path);
}

/* Who starts a detached child loads its state too. */
static bool load_devices(const Actor *actor, G_GNUC_UNUSED const ExmStep *step, GError **error)
{
	return actor->plan->detach || exm_load_start(actor->plan, actor->warn, error);
}

static bool prefetch(const Actor *actor, G_GNUC_UNUSED const ExmStep *step,
                     G_GNUC_UNUSED GError **error)
{
	exm_prefetch_follow_start(actor->plan);
	return true;
}

/* What else the shell has open stays open as long as the guest runs: a pipe of a CI job, for example. */
static bool close_others(const ExmPlan *plan, GError **error)
{
	g_autoptr(GArray) named = exm_detach_named_fds(plan->argv);

	for (guint i = named->len; i > 0; i--)
		if (fcntl(g_array_index(named, int, i - 1), F_GETFD) != 0)
			g_array_remove_index(named, i - 1);
	if (!exm_fd_close_on_exec_from(STDERR_FILENO + 1))
		return exm_throw_errno(error, errno, "close the descriptors of the shell");
	for (guint i = 0; i < named->len; i++)
		fcntl(g_array_index(named, int, i), F_SETFD, 0);
	return true;
}

static bool keep_descriptors(const ExmPlan *plan, GError **error)
{
	if (plan->detach && !exm_detach_has_config(plan->argv, plan->configuration) &&
	    !close_others(plan, error))
		return false;
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->fd >= 0 && fcntl(step->fd, F_SETFD, 0) < 0)
			return exm_throw_errno(error, errno, "pass on descriptor %d", step->fd);
	}
	return true;
}

static bool become_qemu(const Actor *actor, const ExmStep *step, GError **error)
{
	const ExmPlan *plan = actor->plan;

	if (!keep_descriptors(plan, error))
		return false;
	for (guint i = 0; i < plan->warnings->len; i++)
		actor->warn(plan->warnings->pdata[i]);
	/* exomem itself ignores it. */
	signal(SIGXFSZ, SIG_DFL);
	execv(step->path, (char **)plan->argv->pdata);
	return exm_throw(error, EXM_ERROR_UNSUPPORTED, "'%s' cannot be run: %s", step->path,
	                 strerror(errno));
}

/* What each kind of step does, and how it is undone where that is not nothing. */
static const struct {
	bool (*act)(const Actor *actor, const ExmStep *step, GError **error);
	void (*undo)(const Actor *actor, const ExmStep *step);
} deeds[] = {
	[EXM_STEP_CLAIM_NAME] = { claim_name, release_name },
	[EXM_STEP_ADMIT] = { admit, NULL },
	[EXM_STEP_CREATE_UNNAMED] = { create_unnamed, close_file },
	[EXM_STEP_CREATE_FILE] = { create_file, remove_file },
	[EXM_STEP_OPEN_FILE] = { open_file, close_file },
	[EXM_STEP_LOCK_FILE] = { lock_file, NULL },
	[EXM_STEP_SIZE_FILE] = { size_file, empty_file },
	[EXM_STEP_RESERVE_BLOCKS] = { reserve_blocks, NULL },
	[EXM_STEP_NAME_FILE] = { name_file, unlink_file },
	[EXM_STEP_REMOVE_NAME] = { remove_name, NULL },
	[EXM_STEP_SCRUB] = { scrub, NULL },
	[EXM_STEP_CLAIM_NAMESPACE] = { claim_namespace, unclaim_namespace },
	[EXM_STEP_CONFIRM_CLAIMS] = { confirm_claims, NULL },
	[EXM_STEP_LISTEN] = { make_socket, close_file },
	[EXM_STEP_CONFIGURE] = { configure, NULL },
	[EXM_STEP_RECORD_GUEST] = { record_guest, NULL },
	[EXM_STEP_KEEP_LOG] = { keep_log, NULL },
	[EXM_STEP_LEAVE_TERMINAL] = { leave_terminal, NULL },
	[EXM_STEP_CLONE_FILE] = { clone_file, empty_file },
	[EXM_STEP_COPY_OVERLAY] = { copy_overlay, NULL },
	[EXM_STEP_GUARD_MEMORY] = { guard_memory, NULL },
	[EXM_STEP_SANDBOX] = { restrict_paths, NULL },
	[EXM_STEP_READ_EXACTLY] = { read_exactly, NULL },
	[EXM_STEP_LIMIT_MEMORY] = { limit_memory, leave_limit },
	[EXM_STEP_MERGE_PAGES] = { merge_pages, NULL },
	[EXM_STEP_OFFER_CHILD] = { offer_child, NULL },
	[EXM_STEP_INHERIT] = { inherit_file, NULL },
	[EXM_STEP_ENTER_DIRECTORY] = { enter_directory, NULL },
	[EXM_STEP_LOAD_DEVICES] = { load_devices, NULL },
	[EXM_STEP_PREFETCH] = { prefetch, NULL },
	[EXM_STEP_EXEC] = { become_qemu, NULL },
};

static void undo_before(const Actor *actor, guint failed)
{
	for (guint i = failed; i > 0; i--) {
		const ExmStep *step = actor->plan->steps->pdata[i - 1];

		exm_trace("act", "undo %s %s", exm_step_name(step), step->path);
		if (deeds[step->kind].undo)
			deeds[step->kind].undo(actor, step);
	}
}

/* A file with a name would stay; everything else is swept when the guest's lock is free. */
static bool leaves_files(const ExmPlan *plan)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (step->kind == EXM_STEP_CREATE_FILE || step->kind == EXM_STEP_NAME_FILE)
			return true;
	}
	return false;
}

static bool act(const Actor *actor, const ExmStep *step, GError **error)
{
	exm_trace("act", "%s %s", exm_step_name(step), step->path);
	if (exm_interrupt_came())
		return exm_throw(error, EXM_ERROR_SYSTEM, "interrupted");
	return deeds[step->kind].act(actor, step, error);
}

/**
 * exm_act() - Do the steps of a plan, in order
 * @plan:            the plan
 * @state_directory: where guests' directories are, to find the name of one that is in the way
 * @loader:          the process that loads the device state when QEMU is there; 0 for a plan that
 * has a step for that, or whose guest gets none for now
 * @warn:            called for each warning of the plan, right before QEMU takes over
 * @error:           of the step that failed, which is named; what stood before it is undone
 *
 * Where a file could be left, a signal that ends this process ends it only when that is undone.
 *
 * Return: false; where all steps succeed, this process has become QEMU.
 */
bool exm_act(const ExmPlan *plan, const char *state_directory, pid_t loader, ExmWarn warn,
             GError **error)
{
	const Actor actor = { plan, state_directory, loader, warn };

	if (leaves_files(plan))
		exm_interrupt_defer();
	for (guint i = 0; i < plan->steps->len; i++) {
		const ExmStep *step = plan->steps->pdata[i];

		if (act(&actor, step, error))
			continue;
		undo_before(&actor, i);
		exm_interrupt_raise();
		g_prefix_error(error, "%s: ", exm_step_name(step));
		return false;
	}
	return true;
}
