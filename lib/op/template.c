/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.c - Templates: find them, look them through, remove them */

#include "op/template.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/checksum.h"
#include "host/hostinfo.h"
#include "host/lock.h"
#include "host/pidfd.h"
#include "host/place.h"
#include "host/safe_open.h"
#include "host/state.h"
#include "host/template_store.h"
#include "host/waiting.h"
#include "op/probe.h"

/**
 * exm_template_use_free() - Free a template and the facts around it
 * @use: may be NULL
 */
void exm_template_use_free(ExmTemplateUse *use)
{
	if (!use)
		return;
	exm_template_facts_free(use->facts);
	exm_template_free(use->template);
	exm_caps_free(use->caps);
	g_free(use);
}

/**
 * exm_op_template_look() - Look at the files of a template
 * @template: the template
 * @files:    of ExmFileFacts; becomes one for each of exm_template_files()
 */
void exm_op_template_look(const ExmTemplate *template, GPtrArray *files)
{
	g_auto(GStrv) paths = exm_template_files(template);

	g_ptr_array_set_size(files, 0);
	/* A link to its directory may be followed (exm_template_store_read() has looked at it). */
	for (size_t i = 0; paths[i]; i++)
		g_ptr_array_add(files,
		                i == 0 ? exm_file_look_through(paths[i]) : exm_file_look(paths[i]));
}

/* Another user's QEMU may have been replaced by the time that it is started. */
static bool check_qemu(const ExmTemplate *template, GError **error)
{
	g_autofree char *distrust = NULL;

	exm_safe_look(template->qemu, &distrust);
	if (distrust && access(template->qemu, F_OK) < 0)
		return exm_throw_errno(error, errno, "cannot open '%s'", template->qemu);
	return !distrust ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "%s, and template '%s' runs '%s': name another QEMU with '--qemu'",
	                 distrust, template->directory, template->qemu);
}

/**
 * exm_op_template_check_trust() - Whether what a template names may be run
 * @template: as it was read
 * @sources:  its QEMU is run in place of the one that saved it
 * @trust:    as for exm_op_template_open()
 * @error:    STATE where another user may have written it
 */
bool exm_op_template_check_trust(const ExmTemplate *template, const ExmSources *sources,
                                 const char *trust, GError **error)
{
	return exm_template_check_trust(template, trust, error) &&
	       (!template->distrust || sources->qemu || check_qemu(template, error));
}

/**
 * exm_op_template_open() - Read a template, and what has to be held against it
 * @directory: of the template
 * @sources:   where facts are to be had; without a QEMU, it is the one that saved it
 * @trust:     SHA-256 of a manifest that another user may have written; NULL for none
 * @error:     STATE where there is no such template, or it may not be used; UNSUPPORTED for a QEMU
 * that is none
 *
 * Return: the template (transfer full), not yet looked through; or NULL.
 */
ExmTemplateUse *exm_op_template_open(const char *directory, const ExmSources *sources,
                                     const char *trust, GError **error)
{
	g_autoptr(ExmTemplateUse) use = g_new0(ExmTemplateUse, 1);

	use->template = exm_template_store_read(directory, error);
	if (!use->template || !exm_op_template_check_trust(use->template, sources, trust, error))
		return NULL;
	use->caps = exm_op_probe(sources->qemu ? sources->qemu : use->template->qemu,
	                         sources->cache_directory, false, NULL, error);
	if (!use->caps)
		return NULL;
	use->facts = exm_template_facts_new();
	use->facts->caps = use->caps;
	use->facts->euid = geteuid();
	use->facts->boot_id = exm_state_boot_id();
	use->facts->kvm = access("/dev/kvm", R_OK | W_OK) == 0;
	/* What is only asked under KVM need not be read for each child under TCG. */
	if (use->template->host_cpu)
		use->facts->host_cpu = exm_hostinfo_cpu_flags();
	exm_op_template_look(use->template, use->facts->files);
	return g_steal_pointer(&use);
}

/**
 * exm_op_template_read() - Read what a template says of itself
 * @directory: of the template
 * @error:     STATE where there is no such template
 *
 * Return: the template (transfer full), or NULL.
 */
ExmTemplate *exm_op_template_read(const char *directory, GError **error)
{
	return exm_template_store_read(directory, error);
}

static void template_free(gpointer template)
{
	exm_template_free(template);
}

/**
 * exm_op_template_list() - The templates in a directory
 * @root: the directory, which may not be there
 *
 * Return: of ExmTemplate, by name (transfer full); those that cannot be read are left out.
 */
GPtrArray *exm_op_template_list(const char *root)
{
	GPtrArray *templates = g_ptr_array_new_with_free_func(template_free);
	g_auto(GStrv) names = exm_template_store_list(root);

	for (char **name = names; *name; name++) {
		g_autofree char *directory = g_build_filename(root, *name, NULL);
		ExmTemplate *template = exm_template_store_read(directory, NULL);

		if (template)
			g_ptr_array_add(templates, template);
	}
	return templates;
}

/* Where long work is told to, with the name of what it is on. */
typedef struct {
	ExmProgress progress;
	const char *what;
} Teller;

static void tell(uint64_t done, uint64_t all, void *user)
{
	const Teller *teller = user;

	teller->progress(teller->what, done, all);
}

static bool check_sum(const ExmTemplate *template, const char *name, const char *wanted,
                      ExmProgress progress, GPtrArray *problems, GError **error)
{
	g_autofree char *path = exm_template_path(template, name);
	Teller teller = { progress, name };
	g_autofree char *sum = NULL;

	/* That it is missing has been told. */
	if (access(path, R_OK) < 0)
		return true;
	sum = exm_checksum_file(path, tell, &teller, error);
	if (!sum)
		return false;
	if (strcmp(sum, wanted) != 0)
		g_ptr_array_add(problems,
		                g_error_new(EXM_ERROR, EXM_ERROR_STATE,
		                            "'%s' is not what was saved: its checksum differs", path));
	return true;
}

/**
 * exm_op_template_verify() - Whether a template is what it was, and can be used here
 * @directory: of the template
 * @sources:   where facts are to be had
 * @deep:      read its memory too
 * @progress:  called while files are read
 * @problems:  of GError * (transfer full), grows by all that is wrong
 * @error:     where it cannot be found out
 */
bool exm_op_template_verify(const char *directory, const ExmSources *sources, bool deep,
                            ExmProgress progress, GPtrArray *problems, GError **error)
{
	const ExmTemplateLeniency leniency = { .other_qemu = sources->qemu };
	g_autoptr(ExmTemplateUse) use = exm_op_template_open(directory, sources, NULL, error);
	const ExmTemplate *template = use ? use->template : NULL;

	if (!use)
		return false;
	exm_template_check(template, use->facts, &leniency, problems);
	if (!check_sum(template, EXM_TEMPLATE_DEVICES, template->devices_sha256, progress, problems,
	               error))
		return false;
	for (guint i = 0; deep && i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];

		if (!memory->sha256)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "template '%s' has no checksum of its memory: it was saved "
			                 "without '--checksum'",
			                 template->name);
		if (!check_sum(template, memory->path, memory->sha256, progress, problems, error))
			return false;
	}
	return true;
}

/* The children that this user can see, or else the process that holds it. */
static bool throw_held(const ExmTemplate *template, const char *state_directory, int fd,
                       GError **error)
{
	g_autoptr(GPtrArray) guests = NULL;
	g_autoptr(GString) names = g_string_new(NULL);

	exm_state_list(state_directory, &guests, NULL);
	for (guint i = 0; guests && i < guests->len; i++) {
		const ExmVm *vm = guests->pdata[i];

		if (g_strcmp0(vm->template_path, template->directory) == 0)
			g_string_append_printf(names, "%s'%s'", names->len ? ", " : "", vm->name);
	}
	if (names->len > 0)
		return exm_throw(error, EXM_ERROR_STATE, "template '%s' is in use by %s",
		                 template->name, names->str);
	return exm_throw(error, EXM_ERROR_STATE, "template '%s' is in use by pid %d",
	                 template->name, (int)exm_lock_holder(fd));
}

static bool lock(const ExmTemplate *template, const char *state_directory, int *ret_fd, GError **error)
{
	g_autofree char *path = exm_template_path(template, EXM_TEMPLATE_DEVICES);
	/* For writing, because an exclusive lock over NFS needs that (flock(2)). */
	exm_autofd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	bool taken = true;

	/* A removal that was interrupted may have come as far as that. */
	if (fd < 0 && errno != ENOENT)
		return exm_throw_errno(error, errno, "cannot open '%s'", path);
	if (fd >= 0 && !exm_lock_take(fd, false, &taken, error))
		return false;
	if (!taken)
		return throw_held(template, state_directory, fd, error);
	*ret_fd = g_steal_fd(&fd);
	return true;
}

/* How long a QEMU without memory of its own may take to end. */
#define END_MS 10000

static void end_waiting(const ExmTemplate *template, const char *state_directory)
{
	g_autoptr(GPtrArray) guests = NULL;

	exm_state_list(state_directory, &guests, NULL);
	for (guint i = 0; guests && i < guests->len; i++) {
		const ExmVm *vm = guests->pdata[i];

		if (g_strcmp0(vm->template_path, template->directory) == 0 &&
		    exm_waiting_has(vm, NULL))
			exm_pidfd_end(vm, END_MS, NULL);
	}
	exm_state_sweep(state_directory);
}

static void warn_of_other(ExmWarn warn, const char *path)
{
	g_autofree char *text = g_strdup_printf("'%s' stays: it is not the file that was saved",
	                                        path);

	warn(text);
}

/*
 * In the template's directory, or marked as a template's when it was saved. The manifest has 0 for
 * what does not identify a file where it is (exm_mount_identifies_files()).
 */
static bool is_memory(const ExmTemplateMemory *memory, const ExmFileFacts *file)
{
	return file->size == memory->size && (!memory->inode || file->inode == memory->inode) &&
	       (!memory->mtime || file->mtime == memory->mtime) &&
	       (!strchr(memory->path, '/') || file->template_name);
}

static bool is_disk(const ExmTemplateDisk *disk, const ExmFileFacts *file)
{
	const bool inside = !strchr(disk->path, '/');

	return file->size == disk->length && (disk->inode ? file->inode == disk->inode : inside) &&
	       (disk->mtime ? file->mtime == disk->mtime : inside);
}

static bool remove_memory(const ExmTemplate *template, const ExmTemplateMemory *memory,
                          ExmWarn warn, GError **error)
{
	g_autofree char *path = exm_template_path(template, memory->path);
	g_autoptr(ExmFileFacts) file = exm_file_look(path);

	/* Its namespace stays the guest's that was saved. */
	if (memory->namespace)
		return true;
	if (file->exists && !is_memory(memory, file)) {
		warn_of_other(warn, path);
		return true;
	}
	return exm_file_remove(path, error) && exm_template_store_unmark(path, error);
}

static bool remove_disk(const ExmTemplate *template, const ExmTemplateDisk *disk, ExmWarn warn,
                        GError **error)
{
	g_autofree char *path = exm_template_path(template, disk->path);
	g_autoptr(ExmFileFacts) file = exm_file_look(path);

	if (!disk->own || !file->exists)
		return true;
	if (is_disk(disk, file))
		return exm_file_remove(path, error);
	warn_of_other(warn, path);
	return true;
}

static bool remove_files(const ExmTemplate *template, ExmWarn warn, GError **error)
{
	for (guint i = 0; i < template->memory->len; i++)
		if (!remove_memory(template, template->memory->pdata[i], warn, error))
			return false;
	for (guint i = 0; i < template->disks->len; i++)
		if (!remove_disk(template, template->disks->pdata[i], warn, error))
			return false;
	return exm_template_store_remove_files(template->directory, error);
}

static void warn_of_rest(ExmWarn warn, const char *directory)
{
	g_autofree char *text = g_strdup_printf("'%s' stays: it has files that exomem did not make",
	                                        directory);

	warn(text);
}

/* What a manifest of another user names is not removed. */
static bool check_own(const ExmTemplate *template, GError **error)
{
	return !template->distrust ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "%s: cannot remove template '%s': remove it as its owner",
	                 template->distrust, template->directory);
}

static bool check_no_heir(const ExmTemplate *template, const char *directory, GError **error)
{
	g_autofree char *heir = NULL;

	if (!exm_template_store_heir(directory, &heir, error))
		return false;
	return !heir || exm_throw(error, EXM_ERROR_STATE,
	                          "the disks of template '%s' stand on those of '%s': remove that "
	                          "one first",
	                          heir, template->name);
}

/**
 * exm_op_template_remove() - Remove a template with its memory
 * @directory:       of the template, or an empty one that a removal has left
 * @state_directory: where guests' directories are, to name those in the way
 * @force:           end children that wait for whoever takes them
 * @warn:            called for each file that stays because exomem did not make it
 * @error:           STATE where a child uses it; as exm_throw_errno() sets it where something could
 * not be removed
 *
 * Disk images that the user made stay. The manifest goes last, so that what was interrupted or has
 * failed can be done again.
 */
bool exm_op_template_remove(const char *directory, const char *state_directory, bool force,
                            ExmWarn warn, GError **error)
{
	g_autoptr(ExmTemplate) template = NULL;
	exm_autofd int fd = -1;

	if (exm_template_store_remove_empty(directory))
		return true;
	template = exm_template_store_read(directory, error);
	if (!template || !check_own(template, error) || !check_no_heir(template, directory, error))
		return false;
	if (force)
		end_waiting(template, state_directory);
	if (!lock(template, state_directory, &fd, error) || !remove_files(template, warn, error))
		return false;
	close(g_steal_fd(&fd));
	if (!exm_template_store_remove_directory(directory, error))
		return false;
	if (access(directory, F_OK) == 0)
		warn_of_rest(warn, directory);
	return true;
}
