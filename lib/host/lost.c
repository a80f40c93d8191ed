/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lost.c - Guests whose directory was removed while they run, found by the lock that they hold */

#include "host/lost.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/directory.h"
#include "host/lock.h"
#include "host/state.h"

/* What the copy of a record in the lock has in addition. */
#define STATE_DIRECTORY "state-directory"

/* Linux, fs/d_path.c, prepend_path(): what a removed file's name in /proc ends with. */
#define DELETED " (deleted)"

/**
 * exm_lost_note() - Write a copy of a guest's record into its lock
 * @vm:    the record
 * @error: SYSTEM or NO_ROOM
 *
 * QEMU has the lock open for as long as it runs, so the copy can be read when the guest's
 * directory, and the record in it, were removed.
 */
bool exm_lost_note(const ExmVm *vm, GError **error)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_LOCK, NULL);
	g_autofree char *root = g_path_get_dirname(vm->directory);
	g_autofree char *absolute = g_canonicalize_filename(root, NULL);
	g_autoptr(ExmJson) json = exm_vm_to_json(vm);
	g_autofree char *text = NULL;
	g_autofree char *quoted = g_strdup_printf("'%s'", path);
	exm_autofd int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	exm_json_set_string(json, STATE_DIRECTORY, absolute);
	text = exm_json_print(json, true);
	/* What is left of a longer record would follow this one. */
	return exm_fd_write_all(fd, text, strlen(text), quoted, error) &&
	       (ftruncate(fd, (off_t)strlen(text)) == 0 ||
	        exm_throw_errno(error, errno, "write '%s'", path));
}

/**
 * exm_lost_read() - Read the copy of a guest's record
 * @root:      descriptor of the state directory
 * @name:      of the guest's directory in it
 * @directory: path of that
 *
 * Return: the record (transfer full), or NULL where there is no copy, or it is not whole.
 */
ExmVm *exm_lost_read(int root, const char *name, const char *directory)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_LOCK, NULL);
	exm_autofd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	g_autofree char *text = NULL;
	g_autoptr(ExmJson) json = NULL;
	size_t length;

	if (fd < 0 || !exm_fd_read_all(fd, &text, &length, NULL))
		return NULL;
	json = exm_json_parse(text, length, NULL);
	return json ? exm_vm_from_json(json, directory, NULL) : NULL;
}

/* The locks of guests that have their directory. */
static GHashTable *read_present(const char *state_directory)
{
	GHashTable *present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(AT_FDCWD, state_directory);
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries))) {
		g_autofree char *path = g_build_filename(state_directory, entry->d_name,
		                                         EXM_VM_LOCK, NULL);
		struct stat status;

		if (lstat(path, &status) == 0)
			g_hash_table_add(present, exm_lock_name(&status));
	}
	return present;
}

/* Processes that hold a lock, and that of no guest which has its directory. */
static GHashTable *read_candidates(const char *state_directory)
{
	g_autoptr(GHashTable) present = read_present(state_directory);
	g_autoptr(GPtrArray) locks = exm_locks_read();
	GHashTable *candidates = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < locks->len; i++)
		g_hash_table_add(candidates,
		                 GINT_TO_POINTER(((const ExmLock *)locks->pdata[i])->pid));
	for (guint i = 0; i < locks->len; i++) {
		const ExmLock *lock = locks->pdata[i];

		if (g_hash_table_contains(present, lock->file))
			g_hash_table_remove(candidates, GINT_TO_POINTER(lock->pid));
	}
	return candidates;
}

static bool is_lock(const char *link)
{
	g_autofree char *target = g_file_read_link(link, NULL);

	if (target && g_str_has_suffix(target, DELETED))
		target[strlen(target) - strlen(DELETED)] = '\0';
	return target && g_str_has_suffix(target, "/" EXM_VM_LOCK);
}

/* Not on every file system does /proc/locks have a file's own device number. */
static bool has_its_place(const ExmVm *vm, const struct stat *status)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_LOCK, NULL);
	struct stat there;

	return lstat(path, &there) == 0 && there.st_dev == status->st_dev &&
	       there.st_ino == status->st_ino;
}

/* The guest of this state directory whose lock a process has open by this descriptor, or NULL. */
static ExmVm *read_copy(const char *link, const char *state_directory)
{
	exm_autofd int fd = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	g_autofree char *text = NULL;
	g_autofree char *directory = NULL;
	g_autoptr(ExmJson) json = NULL;
	g_autoptr(ExmVm) vm = NULL;
	struct stat status;
	size_t length;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
	    status.st_uid != geteuid() || !exm_fd_read_all(fd, &text, &length, NULL))
		return NULL;
	json = exm_json_parse(text, length, NULL);
	if (g_strcmp0(exm_json_get_string(json, STATE_DIRECTORY), state_directory) != 0 ||
	    !exm_json_get_string(json, "name"))
		return NULL;
	directory = g_build_filename(state_directory, exm_json_get_string(json, "name"), NULL);
	vm = exm_vm_from_json(json, directory, NULL);
	if (!vm || has_its_place(vm, &status))
		return NULL;
	vm->lost = true;
	return exm_state_is_alive(vm) ? g_steal_pointer(&vm) : NULL;
}

static ExmVm *find_in_process(pid_t pid, const char *state_directory)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid);
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(AT_FDCWD, path);
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries))) {
		g_autofree char *link = g_build_filename(path, entry->d_name, NULL);
		g_autoptr(ExmVm) vm = is_lock(link) ? read_copy(link, state_directory) : NULL;

		/* What has started it may still have the lock open too. */
		if (vm && vm->pid == (uint64_t)pid)
			return g_steal_pointer(&vm);
	}
	return NULL;
}

/**
 * exm_lost_list() - Find the guests of a state directory whose directory was removed while they run
 * @state_directory: where guests' directories are, or were
 *
 * logind removes XDG_RUNTIME_DIR when its user has no session any more (systemd,
 * src/login/user-runtime-dir.c), and lets detached guests run. Each still holds its lock, which has
 * no name any more, but is among the descriptors of its process.
 *
 * Return: of ExmVm, in no order (transfer full).
 */
GPtrArray *exm_lost_list(const char *state_directory)
{
	GPtrArray *vms = exm_vms_new();
	g_autofree char *absolute = g_canonicalize_filename(state_directory, NULL);
	g_autoptr(GHashTable) candidates = read_candidates(absolute);
	GHashTableIter iterator;
	gpointer pid;

	g_hash_table_iter_init(&iterator, candidates);
	while (g_hash_table_iter_next(&iterator, &pid, NULL)) {
		ExmVm *vm = find_in_process((pid_t)GPOINTER_TO_INT(pid), absolute);

		if (vm)
			g_ptr_array_add(vms, vm);
	}
	return vms;
}

/**
 * exm_lost_find() - Find a guest whose directory was removed while it runs, by its name
 * @state_directory: where guests' directories are, or were
 * @name:            the guest's
 *
 * Return: its record (transfer full), or NULL.
 */
ExmVm *exm_lost_find(const char *state_directory, const char *name)
{
	g_autoptr(GPtrArray) vms = exm_lost_list(state_directory);

	for (guint i = 0; i < vms->len; i++)
		if (strcmp(((const ExmVm *)vms->pdata[i])->name, name) == 0)
			return g_ptr_array_steal_index_fast(vms, i);
	return NULL;
}
