/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - The directories of this user's guests: one each, held by a lock */

#include "host/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/budget.h"
#include "host/lock.h"
#include "host/memory_file.h"
#include "plan/identity.h"

/* How long another exomem may need to make or sweep a directory before something must be wrong. */
#define LOCK_PATIENCE_US 5000000L
#define LOCK_PAUSE_US    500UL

typedef DIR Directory;

static void directory_close(Directory *directory)
{
	if (directory)
		closedir(directory);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Directory, directory_close)

static bool check_root(int fd, const char *path, GError **error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return exm_throw_errno(error, errno, "look at '%s'", path);
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "state directory '%s' must be yours alone: chown or chmod it, or name "
		                 "another by --state-dir",
		                 path);
	return true;
}

static bool wait_for_lock(int fd, bool *ret_taken, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + LOCK_PATIENCE_US;
	bool taken;

	while (exm_lock_take(fd, false, &taken, error)) {
		*ret_taken = taken;
		if (taken || g_get_monotonic_time() > deadline)
			return true;
		g_usleep(LOCK_PAUSE_US);
	}
	return false;
}

/* Opens the state directory, made where it is missing, and keeps all other exomems out of it. */
static bool lock_root(const char *path, int *ret_fd, GError **error)
{
	exm_autofd int fd = -1;
	bool taken;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return exm_throw_errno(error, errno, "make state directory '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return exm_throw_errno(error, errno, "open state directory '%s'", path);
	if (!check_root(fd, path, error))
		return false;
	if (!wait_for_lock(fd, &taken, error))
		return false;
	if (!taken)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "state directory '%s' is held by another exomem (pid %d)", path,
		                 (int)exm_lock_holder(fd));
	*ret_fd = g_steal_fd(&fd);
	return true;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static Directory *open_directory_at(int at, const char *name)
{
	exm_autofd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	Directory *directory = fd < 0 ? NULL : fdopendir(fd);

	if (directory)
		g_steal_fd(&fd);
	return directory;
}

/* A guest's directory holds plain entries only. */
static void remove_guest(int at, const char *name)
{
	g_autoptr(Directory) directory = open_directory_at(at, name);
	const struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (!is_dot(entry->d_name))
			unlinkat(dirfd(directory), entry->d_name, 0);
	unlinkat(at, name, AT_REMOVEDIR);
}

/* A guest lives as long as somebody holds its lock; one without a lock file died being born. */
static bool is_dead(int at, const char *name)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_LOCK, NULL);
	exm_autofd int fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool taken;

	if (fd < 0)
		return errno == ENOENT;
	/* Two who ask at once must not take each other for the guest. */
	return exm_lock_take(fd, true, &taken, NULL) && taken;
}

static ExmVm *read_record(int root, const char *root_path, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_RECORD, NULL);
	g_autofree char *directory = g_build_filename(root_path, name, NULL);
	exm_autofd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	g_autofree char *text = NULL;
	g_autoptr(ExmJson) json = NULL;
	ExmVm *vm;
	size_t length;

	if (fd < 0) {
		exm_throw(error, EXM_ERROR_STATE, "guest '%s' has no record yet", name);
		return NULL;
	}
	if (!exm_fd_read_all(fd, &text, &length, error))
		return NULL;
	json = exm_json_parse(text, length, NULL);
	if (!json) {
		exm_throw(error, EXM_ERROR_STATE, "the record of guest '%s' is not whole", name);
		return NULL;
	}
	vm = json ? exm_vm_from_json(json, directory, error) : NULL;
	/* One that waits to take another's place has its name already, but not its directory. */
	if (vm) {
		g_free(vm->name);
		vm->name = g_strdup(name);
	}
	return vm;
}

/* A QEMU that was killed could not discard its memory, as it was told to at its end. */
static void discard_memory(const ExmVm *vm)
{
	for (size_t i = 0; i < json_object_array_length(vm->memory); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);
		ExmJson *backend = exm_json_member(memory, "backend");
		const char *path = exm_json_get_string(memory, "path");

		if (path && exm_json_get_bool(backend, "discard-data") &&
		    !exm_json_get_bool(memory, "unnamed"))
			exm_memory_file_discard(path, exm_json_get_uint(memory, "size"));
	}
}

static void bury(int root, const char *root_path, const char *name)
{
	g_autoptr(ExmVm) vm = read_record(root, root_path, name, NULL);

	g_autofree char *group = g_build_filename(root_path, name, EXM_VM_CGROUP, NULL);

	if (vm)
		discard_memory(vm);
	exm_budget_remove(group);
	remove_guest(root, name);
}

/* Takes away what dead guests left; the caller holds the root's lock. */
static void sweep(int root, const char *root_path)
{
	g_autoptr(Directory) directory = open_directory_at(root, ".");
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (!is_dot(entry->d_name) && is_dead(root, entry->d_name))
			bury(root, root_path, entry->d_name);
}

static bool throw_taken(int root, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_LOCK, NULL);
	exm_autofd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const pid_t pid = fd < 0 ? 0 : exm_lock_holder(fd);

	if (pid)
		return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken (pid %d)", name,
		                 (int)pid);
	return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken", name);
}

static bool make_lock(int root, const char *name, int fd_number, int *ret_fd, GError **error)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_LOCK, NULL);
	exm_autofd int fd = openat(root, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	exm_autofd int moved = -1;
	bool taken;

	if (fd < 0)
		return exm_throw_errno(error, errno, "make the lock of guest '%s'", name);
	/* One who asks whether the guest lives may hold it for a moment. */
	if (!wait_for_lock(fd, &taken, error))
		return false;
	if (!taken)
		return exm_throw(error, EXM_ERROR_STATE, "the lock of guest '%s' is held by pid %d",
		                 name, (int)exm_lock_holder(fd));
	moved = fcntl(fd, F_DUPFD_CLOEXEC, fd_number);
	if (moved != fd_number)
		return exm_throw(error, EXM_ERROR_SYSTEM, "descriptor %d is in use", fd_number);
	*ret_fd = g_steal_fd(&moved);
	return true;
}

/**
 * exm_state_claim() - Make a guest's directory and lock its name
 * @directory: STATE/NAME; STATE is made where it is missing
 * @fd_number: number that the lock's descriptor shall have
 * @ret_fd:    the descriptor, close-on-exec: who holds it is the guest
 * @error:     STATE where the name is taken, or the state directory is not this user's
 *
 * What dead guests left behind is swept first.
 */
bool exm_state_claim(const char *directory, int fd_number, int *ret_fd, GError **error)
{
	g_autofree char *root_path = g_path_get_dirname(directory);
	g_autofree char *name = g_path_get_basename(directory);
	exm_autofd int root = -1;

	if (!lock_root(root_path, &root, error))
		return false;
	sweep(root, root_path);
	if (mkdirat(root, name, 0700) < 0) {
		if (errno == EEXIST)
			return throw_taken(root, name, error);
		return exm_throw_errno(error, errno, "make '%s'", directory);
	}
	if (!make_lock(root, name, fd_number, ret_fd, error)) {
		remove_guest(root, name);
		return false;
	}
	return true;
}

/**
 * exm_state_sweep() - Remove what dead guests left
 * @state_directory: where guests' directories are
 */
void exm_state_sweep(const char *state_directory)
{
	exm_autofd int root = -1;

	if (lock_root(state_directory, &root, NULL))
		sweep(root, state_directory);
}

/**
 * exm_state_release() - Remove a guest's directory
 * @directory: made by exm_state_claim() of this process
 */
void exm_state_release(const char *directory)
{
	remove_guest(AT_FDCWD, directory);
}

/**
 * exm_state_exchange() - Let two guests change places
 * @state_directory: where guests' directories are
 * @one:             name of a directory there
 * @other:           name of another one
 * @error:           SYSTEM; nothing has changed
 *
 * All at once: what stood in a guest's directory, its sockets, lock and record, is another's then.
 */
bool exm_state_exchange(const char *state_directory, const char *one, const char *other,
                        GError **error)
{
	exm_autofd int root = -1;

	if (!lock_root(state_directory, &root, error))
		return false;
	return renameat2(root, one, root, other, RENAME_EXCHANGE) == 0 ||
	       exm_throw_errno(error, errno, "exchange '%s' and '%s' in '%s'", one, other,
	                       state_directory);
}

/**
 * exm_state_record() - Write down what a guest is
 * @vm:    the record
 * @error: SYSTEM or NO_ROOM
 */
bool exm_state_record(const ExmVm *vm, GError **error)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_RECORD, NULL);
	g_autoptr(ExmJson) json = exm_vm_to_json(vm);
	g_autofree char *text = exm_json_print(json, true);

	return exm_file_write_atomic(path, text, strlen(text), 0600, error);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	const ExmVm *const *one = a;
	const ExmVm *const *two = b;

	return strcmp((*one)->name, (*two)->name);
}

static void vm_destroy(gpointer data)
{
	exm_vm_free(data);
}

/**
 * exm_state_list() - The guests of this user that live
 * @state_directory: where guests' directories are; it need not be there
 * @ret_vms:         of ExmVm, by name (transfer full)
 * @error:           STATE where the state directory is not this user's
 *
 * What dead guests left behind is swept first. A guest that is just being made is not listed yet.
 */
bool exm_state_list(const char *state_directory, GPtrArray **ret_vms, GError **error)
{
	g_autoptr(GPtrArray) vms = g_ptr_array_new_with_free_func(vm_destroy);
	g_autoptr(Directory) directory = NULL;
	const struct dirent *entry;
	exm_autofd int root = -1;

	if (access(state_directory, F_OK) == 0) {
		if (!lock_root(state_directory, &root, error))
			return false;
		sweep(root, state_directory);
		directory = open_directory_at(root, ".");
	}
	while (directory && (entry = readdir(directory))) {
		ExmVm *vm = is_dot(entry->d_name)
		                    ? NULL
		                    : read_record(root, state_directory, entry->d_name, NULL);

		if (vm)
			g_ptr_array_add(vms, vm);
	}
	g_ptr_array_sort(vms, compare_names);
	*ret_vms = g_steal_pointer(&vms);
	return true;
}

/**
 * exm_state_find() - A guest by its name
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @error:           USAGE for a name that none can have, STATE where no such guest lives
 *
 * Return: its record (transfer full), or NULL.
 */
ExmVm *exm_state_find(const char *state_directory, const char *name, GError **error)
{
	exm_autofd int root = open(state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!exm_name_check(name, error))
		return NULL;
	if (root >= 0 && !check_root(root, state_directory, error))
		return NULL;
	if (root < 0 || faccessat(root, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 || is_dead(root, name)) {
		exm_throw(error, EXM_ERROR_STATE,
		          "no guest '%s'; 'exomem list' shows those that run", name);
		return NULL;
	}
	return read_record(root, state_directory, name, error);
}

/**
 * exm_state_is_alive() - Whether a guest still lives
 * @vm: the guest
 *
 * Its lock says so, and it cannot go stale: the kernel drops it with the process.
 */
bool exm_state_is_alive(const ExmVm *vm)
{
	return !is_dead(AT_FDCWD, vm->directory);
}

/**
 * exm_state_find_pid() - Which guest a process is
 * @state_directory: where guests' directories are
 * @pid:             the process
 *
 * Return: the guest's name (transfer full), or NULL.
 */
char *exm_state_find_pid(const char *state_directory, pid_t pid)
{
	g_autoptr(Directory) directory = open_directory_at(AT_FDCWD, state_directory);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		g_autoptr(ExmVm) vm = is_dot(entry->d_name)
		                              ? NULL
		                              : read_record(dirfd(directory), state_directory,
		                                            entry->d_name, NULL);

		if (vm && vm->pid == (uint64_t)pid)
			return g_strdup(vm->name);
	}
	return NULL;
}

/**
 * exm_state_start_time() - When a process began
 * @pid: the process
 *
 * Field 22 of /proc/PID/stat (proc(5)): with the pid it names a process for as long as the machine
 * runs, because pids are used again.
 *
 * Return: clock ticks since boot; 0 where there is no such process.
 */
uint64_t exm_state_start_time(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;
	const char *behind_name;

	if (!exm_file_read(path, &text, NULL, NULL))
		return 0;
	/* The second field is a name in brackets that may hold spaces. */
	behind_name = strrchr(text, ')');
	fields = g_strsplit(behind_name ? behind_name : "", " ", -1);
	return g_strv_length(fields) > 20 ? g_ascii_strtoull(fields[20], NULL, 10) : 0;
}

/**
 * exm_state_boot_id() - Which boot of the machine this is
 *
 * Return: what the kernel calls it (transfer full); empty where it does not say.
 */
char *exm_state_boot_id(void)
{
	char *id = NULL;

	if (!exm_file_read("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
		return g_strdup("");
	return g_strchomp(id);
}
