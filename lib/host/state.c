/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - The directories of this user's guests: one each, held by a lock */

#include "host/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/budget.h"
#include "host/control.h"
#include "host/directory.h"
#include "host/guest_end.h"
#include "host/incoming.h"
#include "host/lock.h"
#include "host/lost.h"
#include "host/marker.h"
#include "host/memory_file.h"
#include "host/pidfd.h"
#include "host/state_root.h"
#include "plan/identity.h"

/* How long one who asks whether a guest lives may hold its lock. */
#define LOCK_PATIENCE_US 5000000

/* How long the process may take that records a guest's end. */
#define END_PATIENCE_US 2000000

/* How long a QEMU may take to say whether its guest has its state; the root is locked meanwhile. */
#define STATUS_MS 1000

/* How long a QEMU may take to end that never ran its guest. */
#define ABANDONED_MS 10000

/* In a state directory: what stays of guests that have ended, in directories named "TIME-GUEST". */
#define ENDED_DIRECTORY ".ended"

/* Microseconds since 1970, with zeros in front, so that names sort by time. */
#define ENDED_NAME   "%016" G_GINT64_FORMAT "-%s"
#define ENDED_PREFIX 17

/* Each log may have 1 MiB, and state directories are often in memory. */
#define ENDED_MAX    50
#define ENDED_AGE_US (7 * G_TIME_SPAN_DAY)

/**
 * struct Root - A state directory in which something may be removed
 * @fd:   of it; its lock is held
 * @path: of it
 * @id:   in its marker
 */
typedef struct {
	int fd;
	const char *path;
	char *id;
} Root;

static void root_clear(Root *root)
{
	exm_fd_clear(&root->fd);
	g_clear_pointer(&root->id, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Root, root_clear)

static bool lock_root(const char *path, Root *ret_root, GError **error)
{
	if (!exm_state_root_lock(path, &ret_root->fd, error))
		return false;
	ret_root->path = path;
	ret_root->id = exm_marker_read(ret_root->fd, EXM_MARKER_STATE, NULL);
	return true;
}

/* One that is missing or empty is left so: there is nothing to do in it. */
static bool lock_root_if_any(const char *path, Root *ret_root, GError **error)
{
	exm_autofd int fd = -1;

	return exm_state_root_open(path, &fd, error) && (fd < 0 || lock_root(path, ret_root, error));
}

/*
 * Opens a guest's directory that exomem made in this root, and that may be emptied therefore: never
 * a link or a mount, nor what another user or another root has.
 */
static int open_guest(const Root *root, const char *name)
{
	exm_autofd int fd = exm_directory_beneath(root->fd, name);
	g_autofree char *within = NULL;
	g_autofree char *id = NULL;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_uid != geteuid())
		return -1;
	id = exm_marker_read(fd, EXM_MARKER_GUEST, &within);
	if (!id || g_strcmp0(within, root->id) != 0)
		return -1;
	return g_steal_fd(&fd);
}

/*
 * What may be removed from a guest's directory: what exomem made there, and sockets, which hold
 * nothing and which QEMU makes at '@{dir}/NAME' (exomem-run(1)).
 */
static bool goes_with_guest(int guest, const char *name)
{
	struct stat status;

	return exm_vm_makes_file(name) ||
	       (fstatat(guest, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode));
}

/* A file in a guest's directory that exomem did not make (transfer full), or NULL. */
static char *find_foreign(int guest)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(guest, ".");
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries)))
		if (strcmp(entry->d_name, EXM_MARKER) != 0 && !goes_with_guest(guest, entry->d_name))
			return g_strdup(entry->d_name);
	return NULL;
}

/* The marker goes last, so that what a kill has left can be removed by the next one. */
static void remove_guest(const Root *root, const char *name, int guest)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(guest, ".");
	g_autofree char *foreign = find_foreign(guest);
	const struct dirent *entry;
	bool done = !foreign;

	while (entries && (entry = exm_directory_next(entries)))
		if (goes_with_guest(guest, entry->d_name) &&
		    unlinkat(guest, entry->d_name, 0) < 0 && errno != ENOENT)
			done = false;
	if (!done)
		return;
	unlinkat(guest, EXM_MARKER, 0);
	unlinkat(root->fd, name, AT_REMOVEDIR);
}

/*
 * A directory without a marker is empty: its process was killed before it had made the marker, or
 * could not remove the directory after it had removed the marker.
 */
static void remove_unmarked(const Root *root, const char *name)
{
	exm_autofd int guest = exm_directory_beneath(root->fd, name);
	struct stat status;

	if (guest < 0 || fstat(guest, &status) < 0 || status.st_uid != geteuid() ||
	    !exm_marker_can_be_made(guest))
		return;
	unlinkat(guest, EXM_MARKER, 0);
	unlinkat(root->fd, name, AT_REMOVEDIR);
}

/* A guest lives as long as somebody holds its lock; one without a lock file ended before it started. */
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

static pid_t read_holder(int root, const char *name)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_LOCK, NULL);
	exm_autofd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? 0 : exm_lock_holder(fd);
}

/* The copy in its lock is written behind the record, so that not both are in pieces. */
static ExmVm *read_copy(int root, const char *name, const char *directory, GError **error)
{
	ExmVm *vm = exm_lost_read(root, name, directory);
	const pid_t holder = vm ? 0 : read_holder(root, name);

	if (vm)
		return vm;
	if (holder > 0)
		exm_throw(error, EXM_ERROR_STATE,
		          "the record of guest '%s' is not whole: 'kill %d' ends it", name,
		          (int)holder);
	else
		exm_throw(error, EXM_ERROR_STATE, "the record of guest '%s' is not whole", name);
	return NULL;
}

/* With the name that is written in it, which is not yet that of its directory where it waits for that. */
static ExmVm *read_written(int root, const char *root_path, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_RECORD, NULL);
	g_autofree char *directory = g_build_filename(root_path, name, NULL);
	exm_autofd int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	g_autofree char *text = NULL;
	g_autoptr(ExmJson) json = NULL;
	size_t length;

	if (fd < 0 && errno == ENOENT) {
		exm_throw(error, EXM_ERROR_STATE, "guest '%s' has no record yet", name);
		return NULL;
	}
	if (fd < 0) {
		exm_throw_errno(error, errno, "cannot open '%s/%s'", root_path, path);
		return NULL;
	}
	if (!exm_fd_read_all(fd, &text, &length, error))
		return NULL;
	json = exm_json_parse(text, length, NULL);
	return json ? exm_vm_from_json(json, directory, error)
	            : read_copy(root, name, directory, error);
}

static bool has_record(int root, const char *name)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_RECORD, NULL);

	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       (errno != ENOENT && errno != ENOTDIR);
}

static ExmVm *read_record(int root, const char *root_path, const char *name, GError **error)
{
	ExmVm *vm = read_written(root, root_path, name, error);

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
	for (size_t i = 0; i < exm_json_length(vm->memory); i++) {
		ExmJson *memory = json_object_array_get_idx(vm->memory, i);
		ExmJson *backend = exm_json_member(memory, "backend");
		const char *path = exm_json_get_string(memory, "path");

		if (path && exm_json_get_bool(backend, "discard-data") &&
		    !exm_json_get_bool(memory, "unnamed"))
			exm_memory_file_discard(path, exm_json_get_uint(memory, "device"),
			                        exm_json_get_uint(memory, "inode"),
			                        exm_json_get_uint(memory, "size"));
	}
}

/* The directory of guests that have ended, made where it is missing; @ret_ended.fd is -1 where that fails. */
static void open_ended(const Root *root, bool make, Root *ret_ended)
{
	exm_autofd int fd = -1;
	g_autofree char *within = NULL;
	g_autofree char *id = NULL;

	if (make)
		mkdirat(root->fd, ENDED_DIRECTORY, 0700);
	fd = exm_directory_beneath(root->fd, ENDED_DIRECTORY);
	if (fd >= 0 && make && exm_marker_can_be_made(fd))
		exm_marker_make(fd, EXM_MARKER_ENDED, root->id, NULL);
	id = fd < 0 ? NULL : exm_marker_read(fd, EXM_MARKER_ENDED, &within);
	*ret_ended = (Root){ .fd = -1 };
	if (id && g_strcmp0(within, root->id) == 0)
		*ret_ended = (Root){ g_steal_fd(&fd), NULL, g_strdup(root->id) };
}

static gint compare_entries(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of directories, the oldest first (transfer full). */
static GPtrArray *list_ended(const Root *ended)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(ExmDirectory) entries = ended->fd < 0 ? NULL
	                                                : exm_directory_open_at(ended->fd, ".");
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries)))
		if (strlen(entry->d_name) > ENDED_PREFIX && entry->d_name[ENDED_PREFIX - 1] == '-' &&
		    exm_name_check(entry->d_name + ENDED_PREFIX, NULL))
			g_ptr_array_add(names, g_strdup(entry->d_name));
	g_ptr_array_sort(names, compare_entries);
	return names;
}

static void remove_ended(const Root *ended, const char *name)
{
	exm_autofd int guest = open_guest(ended, name);

	if (guest >= 0)
		remove_guest(ended, name, guest);
	else
		remove_unmarked(ended, name);
}

/* What is too old, and the oldest of what is too much. */
static void prune_ended(const Root *root)
{
	const gint64 oldest = g_get_real_time() - ENDED_AGE_US;
	g_auto(Root) ended = { .fd = -1 };
	g_autoptr(GPtrArray) names = NULL;

	open_ended(root, false, &ended);
	names = list_ended(&ended);
	for (guint i = 0; i < names->len; i++)
		if (i + ENDED_MAX < names->len || g_ascii_strtoll(names->pdata[i], NULL, 10) < oldest)
			remove_ended(&ended, names->pdata[i]);
}

static bool holds_only_marker(int directory)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(directory, ".");
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries)))
		if (strcmp(entry->d_name, EXM_MARKER) != 0)
			return false;
	return entries != NULL;
}

static void remove_all_ended(const Root *root)
{
	g_auto(Root) ended = { .fd = -1 };
	g_autoptr(GPtrArray) names = NULL;

	open_ended(root, false, &ended);
	if (ended.fd < 0) {
		remove_unmarked(root, ENDED_DIRECTORY);
		return;
	}
	names = list_ended(&ended);
	for (guint i = 0; i < names->len; i++)
		remove_ended(&ended, names->pdata[i]);
	if (holds_only_marker(ended.fd)) {
		unlinkat(ended.fd, EXM_MARKER, 0);
		unlinkat(root->fd, ENDED_DIRECTORY, AT_REMOVEDIR);
	}
}

/* Frees the guest's name. A record that cannot be kept goes with the rest. */
static bool keep_ended(const Root *root, const char *name, int guest)
{
	g_autofree char *kept = g_strdup_printf(ENDED_NAME, g_get_real_time(), name);
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(guest, ".");
	g_autofree char *foreign = find_foreign(guest);
	g_auto(Root) ended = { .fd = -1 };
	const struct dirent *entry;

	open_ended(root, true, &ended);
	if (foreign || ended.fd < 0 || renameat(root->fd, name, ended.fd, kept) < 0)
		return false;
	while (entries && (entry = exm_directory_next(entries)))
		if (goes_with_guest(guest, entry->d_name) && !exm_vm_keeps_file(entry->d_name))
			unlinkat(guest, entry->d_name, 0);
	return true;
}

static void remove_dead(const Root *root, const char *name, int guest)
{
	g_autoptr(ExmVm) vm = read_written(root->fd, root->path, name, NULL);
	g_autofree char *group = g_build_filename(root->path, name, EXM_VM_CGROUP, NULL);

	if (vm)
		discard_memory(vm);
	/* Who records the end reads what the group has counted. */
	if (vm && vm->detached)
		exm_guest_end_wait(guest, END_PATIENCE_US);
	exm_budget_remove(group);
	/* One that has replaced another, or was to, leaves a directory that was nobody's name. */
	if (!vm || strcmp(vm->name, name) != 0 || !keep_ended(root, name, guest))
		remove_guest(root, name, guest);
}

/* What exomem did not make keeps the directory that it is in. */
static void note_dead(const Root *root, const char *name, int guest, ExmRemains *remains)
{
	g_autofree char *foreign = find_foreign(guest);

	if (foreign)
		g_ptr_array_add(remains->foreign, g_build_filename(root->path, name, foreign, NULL));
	else
		g_ptr_array_add(remains->names, g_strdup(name));
}

/*
 * Whether a guest has never run, and the process that was to load its state was killed. One that
 * was killed when the guest could run has not removed its note.
 */
static bool is_abandoned(const Root *root, const char *name, int guest)
{
	g_autoptr(ExmVm) vm = exm_incoming_is_abandoned(guest)
	                              ? read_written(root->fd, root->path, name, NULL)
	                              : NULL;
	g_autofree char *status = vm ? exm_control_status(vm, STATUS_MS, NULL) : NULL;

	/* What is given its state may be loading it: recover.c waits for that. */
	return status && !exm_incoming_then(guest) &&
	       (strcmp(status, "inmigrate") == 0 || strcmp(status, "paused") == 0);
}

static void end_abandoned(const Root *root, const char *name)
{
	g_autoptr(ExmVm) vm = read_written(root->fd, root->path, name, NULL);

	if (!vm)
		return;
	exm_guest_end_announce(vm->directory, "the process that was to load its state was killed");
	exm_pidfd_end(vm, ABANDONED_MS, NULL);
}

/* Takes away what dead guests left, or only says what that is. */
static void sweep(const Root *root, bool dry_run, ExmRemains *remains)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(root->fd, ".");
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries))) {
		const char *name = entry->d_name;
		exm_autofd int guest = exm_name_check(name, NULL) ? open_guest(root, name) : -1;
		const bool abandoned = guest >= 0 && is_abandoned(root, name, guest);

		if (guest < 0 && !dry_run && exm_name_check(name, NULL))
			remove_unmarked(root, name);
		if (abandoned && !dry_run)
			end_abandoned(root, name);
		if (guest < 0 || (!is_dead(root->fd, name) && !(abandoned && dry_run)))
			continue;
		if (remains)
			note_dead(root, name, guest, remains);
		if (!dry_run)
			remove_dead(root, name, guest);
	}
	if (!dry_run)
		prune_ended(root);
}

static bool throw_taken(const Root *root, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(name, EXM_VM_LOCK, NULL);
	exm_autofd int fd = openat(root->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	exm_autofd int guest = open_guest(root, name);
	g_autofree char *foreign = guest < 0 ? NULL : find_foreign(guest);
	const pid_t pid = fd < 0 ? 0 : exm_lock_holder(fd);

	if (pid)
		return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken (pid %d)", name,
		                 (int)pid);
	if (foreign)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "name '%s' is taken: '%s/%s/%s' was not made by exomem; move it away",
		                 name, root->path, name, foreign);
	if (guest < 0)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "name '%s' is taken: '%s/%s' was not made by exomem; move it away",
		                 name, root->path, name);
	return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken", name);
}

/* Its directory is gone, and it still runs under that name. */
static bool check_lost(const Root *root, const char *name, GError **error)
{
	g_autoptr(ExmVm) vm = exm_lost_find(root->path, name);

	return !vm || exm_throw(error, EXM_ERROR_STATE,
	                        "name '%s' is taken (pid %d): the directory of that guest was removed "
	                        "while it runs; 'exomem stop %s' ends it",
	                        name, (int)vm->pid, name);
}

static bool make_lock(int guest, const char *name, int fd_number, int *ret_fd, GError **error)
{
	exm_autofd int fd = openat(guest, EXM_VM_LOCK, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	exm_autofd int moved = -1;
	bool taken;

	if (fd < 0)
		return exm_throw_errno(error, errno, "make the lock of guest '%s'", name);
	if (!exm_lock_wait(fd, false, LOCK_PATIENCE_US, &taken, error))
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
	g_auto(Root) root = { .fd = -1 };
	exm_autofd int guest = -1;

	if (!lock_root(root_path, &root, error))
		return false;
	sweep(&root, false, NULL);
	if (!check_lost(&root, name, error))
		return false;
	if (mkdirat(root.fd, name, 0700) < 0) {
		if (errno == EEXIST)
			return throw_taken(&root, name, error);
		return exm_throw_errno(error, errno, "make '%s'", directory);
	}
	guest = exm_directory_beneath(root.fd, name);
	if (guest < 0)
		return exm_throw_errno(error, errno, "open '%s'", directory);
	if (!exm_marker_make(guest, EXM_MARKER_GUEST, root.id, error) ||
	    !make_lock(guest, name, fd_number, ret_fd, error)) {
		remove_guest(&root, name, guest);
		return false;
	}
	return true;
}

/**
 * exm_state_sweep() - Free the names of guests that have ended
 * @state_directory: where guests' directories are
 *
 * Their records and logs are kept apart, for a week; all else that they left is removed. Only for
 * what starts or ends guests: who merely looks at them removes nothing.
 */
void exm_state_sweep(const char *state_directory)
{
	g_auto(Root) root = { .fd = -1 };

	if (lock_root_if_any(state_directory, &root, NULL) && root.fd >= 0)
		sweep(&root, false, NULL);
}

static void note_ended(const Root *root, GPtrArray *names)
{
	g_auto(Root) ended = { .fd = -1 };
	g_autoptr(GPtrArray) entries = NULL;

	open_ended(root, false, &ended);
	entries = list_ended(&ended);
	for (guint i = 0; i < entries->len; i++) {
		const char *name = (const char *)entries->pdata[i] + ENDED_PREFIX;

		if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, g_strdup(name));
	}
}

/**
 * exm_state_clean() - Remove what guests that have ended left, and say what that was
 * @state_directory: where guests' directories are
 * @dry_run:         remove nothing
 * @remains:         grows; may be NULL
 * @error:           STATE where the state directory is not this user's, or not exomem's
 *
 * Their records and logs are removed too.
 */
bool exm_state_clean(const char *state_directory, bool dry_run, ExmRemains *remains, GError **error)
{
	g_auto(Root) root = { .fd = -1 };

	if (!lock_root_if_any(state_directory, &root, error))
		return false;
	if (root.fd < 0)
		return true;
	sweep(&root, dry_run, remains);
	if (remains)
		note_ended(&root, remains->names);
	if (!dry_run)
		remove_all_ended(&root);
	return true;
}

/**
 * exm_state_release() - Remove a guest's directory
 * @directory: made by exm_state_claim() of this process
 */
void exm_state_release(const char *directory)
{
	g_autofree char *root_path = g_path_get_dirname(directory);
	g_autofree char *name = g_path_get_basename(directory);
	g_auto(Root) root = { .fd = -1 };
	exm_autofd int guest = -1;

	if (!lock_root_if_any(root_path, &root, NULL) || root.fd < 0)
		return;
	guest = open_guest(&root, name);
	if (guest >= 0)
		remove_guest(&root, name, guest);
}

/**
 * exm_state_exchange() - Let a guest's successor change places with it
 * @state_directory: where guests' directories are
 * @successor:       name of its directory there
 * @vm:              the guest
 * @error:           STATE where another guest has its name by now; SYSTEM; nothing has changed
 *
 * All at once: what stood in a guest's directory, its sockets, lock and record, is another's then.
 */
bool exm_state_exchange(const char *state_directory, const char *successor, const ExmVm *vm,
                        GError **error)
{
	g_auto(Root) root = { .fd = -1 };
	g_autoptr(ExmVm) now = NULL;

	if (!lock_root(state_directory, &root, error))
		return false;
	now = read_written(root.fd, state_directory, vm->name, error);
	if (!now)
		return false;
	if (now->pid != vm->pid || now->start_time != vm->start_time)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' (pid %d) has ended, and another one has its name "
		                 "(pid %d)",
		                 vm->name, (int)vm->pid, (int)now->pid);
	return renameat2(root.fd, successor, root.fd, vm->name, RENAME_EXCHANGE) == 0 ||
	       exm_throw_errno(error, errno, "exchange '%s' and '%s' in '%s'", successor, vm->name,
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

	return exm_file_write_atomic(path, text, strlen(text), 0600, error) &&
	       exm_lost_note(vm, error);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	const ExmVm *const *one = a;
	const ExmVm *const *two = b;

	return strcmp((*one)->name, (*two)->name);
}

/* A guest whose directory has this name, where it lives and has its record. */
static bool add_living(int root, const char *root_path, const char *name, GPtrArray *vms,
                       GError **error)
{
	g_autoptr(GError) reason = NULL;
	ExmVm *vm;

	if (!exm_name_check(name, NULL) || is_dead(root, name) || !has_record(root, name))
		return true;
	vm = read_record(root, root_path, name, &reason);
	if (vm)
		g_ptr_array_add(vms, vm);
	/* A guest that has ended meanwhile is not listed. */
	if (vm || !has_record(root, name))
		return true;
	g_propagate_error(error, g_steal_pointer(&reason));
	return false;
}

static bool add_all_living(int root, const char *root_path, GPtrArray *vms, GError **error)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(root, ".");
	const struct dirent *entry = NULL;

	do {
		entry = entries ? exm_directory_next(entries) : NULL;
		if (!entry && errno)
			return exm_throw_errno(error, errno, "read state directory '%s'", root_path);
		if (entry && !add_living(root, root_path, entry->d_name, vms, error))
			return false;
	} while (entry);
	return true;
}

/**
 * exm_state_list() - The guests of this user that live
 * @state_directory: where guests' directories are; it need not be there
 * @ret_vms:         of ExmVm, by name (transfer full)
 * @error:           STATE where the state directory is not this user's, or not exomem's; where it
 * is not known which guests live, or what one of them is
 *
 * Nothing is removed. A guest that is just being made is not listed yet. Those whose directory was
 * removed while they run are found by their locks.
 */
bool exm_state_list(const char *state_directory, GPtrArray **ret_vms, GError **error)
{
	g_autoptr(GPtrArray) vms = exm_vms_new();
	exm_autofd int root = -1;

	if (!exm_state_root_open(state_directory, &root, error) ||
	    (root >= 0 && !add_all_living(root, state_directory, vms, error)))
		return false;
	g_ptr_array_extend_and_steal(vms, exm_lost_list(state_directory));
	g_ptr_array_sort(vms, compare_names);
	*ret_vms = g_steal_pointer(&vms);
	return true;
}

/**
 * exm_state_names() - The names of directories of guests, also of those that have ended
 * @state_directory: where guests' directories are
 *
 * Return: the names of directories that exomem made for guests, NULL-terminated (transfer full);
 * empty where the state directory is not there, or not this user's.
 */
char **exm_state_names(const char *state_directory)
{
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	g_auto(Root) root = { .fd = -1, .path = state_directory };
	g_autoptr(ExmDirectory) entries = NULL;
	const struct dirent *entry;

	if (exm_state_root_open(state_directory, &root.fd, NULL) && root.fd >= 0) {
		root.id = exm_marker_read(root.fd, EXM_MARKER_STATE, NULL);
		entries = exm_directory_open_at(root.fd, ".");
	}
	while (entries && (entry = exm_directory_next(entries))) {
		exm_autofd int guest = exm_name_check(entry->d_name, NULL)
		                               ? open_guest(&root, entry->d_name)
		                               : -1;

		if (guest >= 0)
			g_strv_builder_add(names, entry->d_name);
	}
	return g_strv_builder_end(names);
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
	ExmVm *lost = NULL;
	exm_autofd int root = -1;

	if (!exm_name_check(name, error) || !exm_state_root_open(state_directory, &root, error))
		return NULL;
	if (root < 0 || faccessat(root, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 || is_dead(root, name)) {
		lost = exm_lost_find(state_directory, name);
		if (lost)
			return lost;
		exm_throw(error, EXM_ERROR_STATE,
		          "no guest '%s'; 'exomem list' shows those that run", name);
		return NULL;
	}
	return read_record(root, state_directory, name, error);
}

/**
 * exm_state_record_loss() - Write down that a guest may have lost memory
 * @vm:     the guest
 * @reason: why a write-back failed; one that was written down before stays
 *
 * Where that cannot be written nothing happens: whoever calls this has an error to report already.
 */
void exm_state_record_loss(const ExmVm *vm, const char *reason)
{
	g_autofree char *root = g_path_get_dirname(vm->directory);
	g_autofree char *name = g_path_get_basename(vm->directory);
	g_autoptr(ExmVm) now = exm_state_find(root, name, NULL);

	if (!now || now->memory_error)
		return;
	now->memory_error = g_strdup(reason);
	exm_state_record(now, NULL);
}

/**
 * exm_ended_free() - Free what is known of a guest that has ended
 * @ended: may be NULL
 */
void exm_ended_free(ExmEnded *ended)
{
	if (!ended)
		return;
	exm_vm_free(ended->vm);
	exm_end_free(ended->end);
	g_free(ended);
}

static void ended_destroy(gpointer ended)
{
	exm_ended_free(ended);
}

static ExmEnd *read_end(int guest, const ExmVm *vm)
{
	struct stat status = { 0 };
	ExmEnd *end;

	if (vm->detached)
		exm_guest_end_wait(guest, END_PATIENCE_US);
	end = exm_guest_end_read(guest);
	if (end)
		return end;
	fstat(guest, &status);
	return exm_end_new_unknown((uint64_t)status.st_mtime,
	                           vm->detached ? "the process that records it was killed"
	                                        : "it ran in the foreground");
}

/* The guest whose directory is @entry of @at, which has the path @path; NULL without a record. */
static ExmEnded *read_ended(int at, const char *path, const char *entry, const char *name)
{
	exm_autofd int guest = exm_directory_beneath(at, entry);
	g_autoptr(ExmVm) vm = guest < 0 ? NULL : read_record(at, path, entry, NULL);
	ExmEnded *ended;

	if (!vm)
		return NULL;
	g_free(vm->name);
	vm->name = g_strdup(name);
	ended = g_new0(ExmEnded, 1);
	ended->end = read_end(guest, vm);
	ended->vm = g_steal_pointer(&vm);
	return ended;
}

static void add_kept(const Root *root, const char *wanted, GPtrArray *all_ended)
{
	g_autofree char *path = g_build_filename(root->path, ENDED_DIRECTORY, NULL);
	g_auto(Root) kept = { .fd = -1 };
	g_autoptr(GPtrArray) entries = NULL;

	open_ended(root, false, &kept);
	entries = list_ended(&kept);
	for (guint i = 0; i < entries->len; i++) {
		const char *entry = entries->pdata[i];
		const char *name = entry + ENDED_PREFIX;
		ExmEnded *ended = !wanted || strcmp(name, wanted) == 0
		                          ? read_ended(kept.fd, path, entry, name)
		                          : NULL;

		if (ended)
			g_ptr_array_add(all_ended, ended);
	}
}

/* Those that no command has swept yet. */
static void add_dead(const Root *root, const char *wanted, GPtrArray *all_ended)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(root->fd, ".");
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries))) {
		const char *name = entry->d_name;
		ExmEnded *ended = (!wanted || strcmp(name, wanted) == 0) &&
		                                  exm_name_check(name, NULL) &&
		                                  is_dead(root->fd, name)
		                          ? read_ended(root->fd, root->path, name, name)
		                          : NULL;

		if (ended)
			g_ptr_array_add(all_ended, ended);
	}
}

static bool list_all_ended(const char *state_directory, const char *wanted, GPtrArray *all_ended,
                           GError **error)
{
	g_auto(Root) root = { .fd = -1, .path = state_directory };

	if (!exm_state_root_open(state_directory, &root.fd, error))
		return false;
	if (root.fd < 0)
		return true;
	root.id = exm_marker_read(root.fd, EXM_MARKER_STATE, NULL);
	add_kept(&root, wanted, all_ended);
	add_dead(&root, wanted, all_ended);
	return true;
}

/**
 * exm_state_list_ended() - The guests of this user that have ended
 * @state_directory: where guests' directories are; it need not be there
 * @ret_ended:       of ExmEnded, the oldest first (transfer full)
 * @error:           STATE where the state directory is not this user's, or not exomem's
 */
bool exm_state_list_ended(const char *state_directory, GPtrArray **ret_ended, GError **error)
{
	g_autoptr(GPtrArray) all_ended = g_ptr_array_new_with_free_func(ended_destroy);

	if (!list_all_ended(state_directory, NULL, all_ended, error))
		return false;
	*ret_ended = g_steal_pointer(&all_ended);
	return true;
}

/**
 * exm_state_find_ended() - Find the guest of this name that ended last
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @uuid:            its identity's, where another guest of the name is not meant; NULL for any
 *
 * Return: the guest (transfer full), or NULL where none is known.
 */
ExmEnded *exm_state_find_ended(const char *state_directory, const char *name, const char *uuid)
{
	g_autoptr(GPtrArray) all_ended = g_ptr_array_new_with_free_func(ended_destroy);

	if (!list_all_ended(state_directory, name, all_ended, NULL))
		return NULL;
	for (guint i = all_ended->len; i > 0; i--) {
		const ExmEnded *ended = all_ended->pdata[i - 1];

		if (!uuid || g_strcmp0(ended->vm->uuid, uuid) == 0)
			return g_ptr_array_steal_index(all_ended, i - 1);
	}
	return NULL;
}

/**
 * exm_state_is_alive() - Whether a guest still lives
 * @vm: the guest
 *
 * Its lock says so, and it cannot go stale: the kernel drops it with the process.
 */
bool exm_state_is_alive(const ExmVm *vm)
{
	uint64_t start_time;

	if (vm->lost)
		return !exm_state_start_time((pid_t)vm->pid, &start_time, NULL) ||
		       start_time == vm->start_time;
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
	g_autoptr(GPtrArray) vms = NULL;

	if (!exm_state_list(state_directory, &vms, NULL))
		return NULL;
	for (guint i = 0; i < vms->len; i++) {
		const ExmVm *vm = vms->pdata[i];

		if (vm->pid == (uint64_t)pid)
			return g_strdup(vm->name);
	}
	return NULL;
}

/**
 * exm_state_start_time() - When a process began
 * @pid:       the process
 * @ret_ticks: clock ticks since boot; 0 where there is no such process
 * @error:     as exm_throw_errno() sets it: nothing is known of the process then
 *
 * Field 22 of /proc/PID/stat (proc(5)): with the pid it names a process for as long as the machine
 * runs, because pids are used again.
 */
bool exm_state_start_time(pid_t pid, uint64_t *ret_ticks, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	g_autoptr(GError) reason = NULL;
	g_auto(GStrv) fields = NULL;
	const char *behind_name;

	*ret_ticks = 0;
	if (!exm_file_read(path, &text, NULL, &reason)) {
		if (access(path, F_OK) < 0 && errno == ENOENT)
			return true;
		g_propagate_error(error, g_steal_pointer(&reason));
		return false;
	}
	/* The second field is a name in brackets that may hold spaces. */
	behind_name = strrchr(text, ')');
	fields = g_strsplit(behind_name ? behind_name : "", " ", -1);
	*ret_ticks = g_strv_length(fields) > 20 ? g_ascii_strtoull(fields[20], NULL, 10) : 0;
	return true;
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
