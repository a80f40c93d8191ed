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
#include "host/lock.h"

#define LOCK_NAME   "lock"
#define RECORD_NAME "vm.json"

/* How long another exomem may need to make or sweep a directory before something must be wrong. */
#define ROOT_LOCK_PATIENCE_US 5000000L
#define ROOT_LOCK_PAUSE_US    5000UL

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

/* Opens the state directory, made where it is missing, and keeps all other exomems out of it. */
static bool lock_root(const char *path, int *ret_fd, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + ROOT_LOCK_PATIENCE_US;
	exm_autofd int fd = -1;
	bool taken = false;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return exm_throw_errno(error, errno, "make state directory '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return exm_throw_errno(error, errno, "open state directory '%s'", path);
	if (!check_root(fd, path, error))
		return false;
	while (exm_lock_take(fd, false, &taken, error) && !taken) {
		if (g_get_monotonic_time() > deadline)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "state directory '%s' is held by another exomem (pid %d)",
			                 path, (int)exm_lock_holder(fd));
		g_usleep(ROOT_LOCK_PAUSE_US);
	}
	if (!taken)
		return false;
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
	g_autofree char *path = g_build_filename(name, LOCK_NAME, NULL);
	exm_autofd int fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool taken;

	if (fd < 0)
		return errno == ENOENT;
	return exm_lock_take(fd, false, &taken, NULL) && taken;
}

/* Takes away what dead guests left; the caller holds the root's lock. */
static void sweep(int root)
{
	g_autoptr(Directory) directory = open_directory_at(root, ".");
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (!is_dot(entry->d_name) && is_dead(root, entry->d_name))
			remove_guest(root, entry->d_name);
}

static bool throw_taken(int root, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(name, LOCK_NAME, NULL);
	exm_autofd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const pid_t pid = fd < 0 ? 0 : exm_lock_holder(fd);

	if (pid)
		return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken (pid %d)", name,
		                 (int)pid);
	return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken", name);
}

static bool make_lock(int root, const char *name, int fd_number, int *ret_fd, GError **error)
{
	g_autofree char *path = g_build_filename(name, LOCK_NAME, NULL);
	exm_autofd int fd = openat(root, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	exm_autofd int moved = -1;
	bool taken;

	if (fd < 0)
		return exm_throw_errno(error, errno, "make the lock of guest '%s'", name);
	if (!exm_lock_take(fd, false, &taken, error))
		return false;
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
	sweep(root);
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
 * exm_state_release() - Remove a guest's directory
 * @directory: made by exm_state_claim() of this process
 */
void exm_state_release(const char *directory)
{
	remove_guest(AT_FDCWD, directory);
}

/**
 * exm_state_record() - Write down what a guest is
 * @directory: the guest's
 * @guest:     the record
 * @error:     SYSTEM or NO_ROOM
 */
bool exm_state_record(const char *directory, ExmJson *guest, GError **error)
{
	g_autofree char *path = g_build_filename(directory, RECORD_NAME, NULL);
	g_autofree char *text = exm_json_print(guest, true);

	return exm_file_write_atomic(path, text, strlen(text), 0600, error);
}

static bool is_guest_of(int root, const char *name, pid_t pid)
{
	g_autofree char *path = g_build_filename(name, RECORD_NAME, NULL);
	exm_autofd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	g_autofree char *text = NULL;
	g_autoptr(ExmJson) guest = NULL;
	size_t length;

	if (fd < 0 || !exm_fd_read_all(fd, &text, &length, NULL))
		return false;
	guest = exm_json_parse(text, length, NULL);
	return guest && exm_json_get_uint(guest, "pid") == (uint64_t)pid;
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

	while (directory && (entry = readdir(directory)))
		if (!is_dot(entry->d_name) && is_guest_of(dirfd(directory), entry->d_name, pid))
			return g_strdup(entry->d_name);
	return NULL;
}

/**
 * exm_state_start_time() - When this process began
 *
 * Field 22 of /proc/self/stat (proc(5)): with the pid it names a process for as long as the machine
 * runs, because pids are used again.
 *
 * Return: clock ticks since boot; 0 where /proc does not say.
 */
uint64_t exm_state_start_time(void)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;
	const char *behind_name;

	if (!exm_file_read("/proc/self/stat", &text, NULL, NULL))
		return 0;
	/* The second field is a name in brackets that may hold spaces. */
	behind_name = strrchr(text, ')');
	fields = g_strsplit(behind_name ? behind_name : "", " ", -1);
	return g_strv_length(fields) > 20 ? g_ascii_strtoull(fields[20], NULL, 10) : 0;
}
