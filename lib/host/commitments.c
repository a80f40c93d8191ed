/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commitments.c - What each living guest has committed to it, in its directory */

#include "host/commitments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "base/trace.h"
#include "host/directory.h"
#include "host/guest_memory.h"
#include "host/lock.h"
#include "host/lost.h"
#include "host/place.h"
#include "host/safe_open.h"
#include "host/state.h"
#include "host/state_root.h"
#include "plan/vm.h"

/* In a state directory, beside guests, whose names never begin with a dot. */
#define LOCK_FILE   ".capacity"
#define LOG_FILE    ".overcommit"
#define LINK_PREFIX ".guests-"

/* Some numbers and a line of text. */
#define COMMITMENT_MAX EXM_MIB

/* Longer than a hundred exomems that start guests at once have to wait for each other. */
#define LOCK_PATIENCE_US 60000000L

static bool is_ours(const char *directory)
{
	return access(directory, R_OK | W_OK | X_OK) == 0;
}

/* Where all who may look into it meet. */
static const char *meeting_place(const ExmCommitmentPlaces *places)
{
	/* One that others share is somebody else's to make. */
	exm_state_root_make(places->host, NULL);
	return is_ours(places->host) ? places->host : places->own;
}

/**
 * exm_commitments_lock() - Keep other exomems from admitting a guest
 * @places: where it is to be found who has what
 * @ret_fd: until it is closed
 * @error:  STATE where another one does not let go
 */
bool exm_commitments_lock(const ExmCommitmentPlaces *places, int *ret_fd, GError **error)
{
	g_autofree char *path = g_build_filename(meeting_place(places), LOCK_FILE, NULL);
	exm_autofd int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool taken;

	if (fd < 0)
		return exm_throw_errno(error, errno, "open '%s'", path);
	if (!exm_lock_wait(fd, false, LOCK_PATIENCE_US, &taken, error))
		return false;
	if (!taken)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is held by pid %d", path,
		                 (int)exm_lock_holder(fd));
	*ret_fd = g_steal_fd(&fd);
	return true;
}

static ExmCommitment *read_written(const char *guest)
{
	g_autofree char *path = g_build_filename(guest, EXM_VM_COMMITMENT, NULL);
	g_autofree char *distrust = NULL;
	exm_autofd int fd = exm_safe_open_parent(path, &distrust, NULL);
	g_autoptr(GString) text = fd < 0 ? NULL
	                                 : exm_safe_read(fd, path, COMMITMENT_MAX, &distrust, NULL);
	g_autoptr(ExmJson) json = NULL;

	if (!text)
		return NULL;
	json = exm_json_parse(text->str, text->len, NULL);
	return json ? exm_commitment_from_json(json, NULL) : NULL;
}

static ExmMemoryUse use_of(const ExmVm *vm, ExmJson *memory)
{
	g_autofree char *path = exm_guest_memory_path(vm, memory);
	ExmMemoryUse use = {
		.size = exm_json_get_uint(memory, "size"),
		.in_file = path,
		.shared = exm_json_get_bool(memory, "shared"),
	};
	struct stat info;

	if (path && stat(path, &info) == 0) {
		use.device = info.st_dev;
		use.inode = info.st_ino;
		use.in_ram = exm_place_is_memory(path);
	}
	return use;
}

/* One who was started while nothing was configured has no commitment, but has its memory. */
static ExmCommitment *conclude(const ExmVm *vm, uint64_t store_device)
{
	const ExmMemoryUse anonymous = { .size = vm->ram_size };
	ExmCommitment *commitment = exm_commitment_new(vm->name, 0);

	for (size_t i = 0; i < exm_json_length(vm->memory); i++) {
		const ExmMemoryUse use = use_of(vm, json_object_array_get_idx(vm->memory, i));

		exm_commitment_add(commitment, &use, store_device);
	}
	if (exm_json_length(vm->memory) == 0 && vm->ram_size)
		exm_commitment_add(commitment, &anonymous, store_device);
	return commitment;
}

static ExmCommitment *conclude_at(const char *guest, uint64_t store_device)
{
	g_autofree char *root = g_path_get_dirname(guest);
	g_autofree char *name = g_path_get_basename(guest);
	g_autoptr(ExmVm) vm = exm_state_find(root, name, NULL);

	return vm ? conclude(vm, store_device) : NULL;
}

static void read_guest(char *guest, ExmCapacityFacts *facts)
{
	const ExmVm vm = { .directory = guest };
	ExmCommitment *commitment;

	if (!exm_state_is_alive(&vm))
		return;
	commitment = read_written(guest);
	if (!commitment)
		commitment = conclude_at(guest, facts->store_device);
	if (commitment)
		g_ptr_array_add(facts->commitments, commitment);
}

/* What was committed to them went with their directories; they still have their memory. */
static void read_lost(const char *root, ExmCapacityFacts *facts)
{
	g_autoptr(GPtrArray) vms = exm_lost_list(root);

	for (guint i = 0; i < vms->len; i++)
		g_ptr_array_add(facts->commitments, conclude(vms->pdata[i], facts->store_device));
}

static bool read_directory(const char *root, const char *except, ExmCapacityFacts *facts,
                           GError **error)
{
	g_auto(GStrv) names = exm_directory_names(root, error);

	if (!names)
		return false;
	for (char **name = names; *name; name++) {
		g_autofree char *guest = g_build_filename(root, *name, NULL);

		if (**name != '.' && g_strcmp0(guest, except) != 0)
			read_guest(guest, facts);
	}
	read_lost(root, facts);
	return true;
}

/* State directories that somebody chose by --state-dir. */
static bool add_linked(const ExmCommitmentPlaces *places, GPtrArray *directories, GError **error)
{
	g_auto(GStrv) names = exm_directory_names(places->host, error);

	for (char **name = names; name && *name; name++) {
		g_autofree char *link = g_build_filename(places->host, *name, NULL);
		g_autofree char *root = NULL;

		if (!g_str_has_prefix(*name, LINK_PREFIX))
			continue;
		root = g_file_read_link(link, NULL);
		if (root && g_strcmp0(root, places->own) != 0)
			g_ptr_array_add(directories, g_steal_pointer(&root));
	}
	return names;
}

/**
 * exm_commitments_directories() - The state directories whose guests count
 * @places:     where it is to be found who has what
 * @ret_unseen: the host's, where this user cannot look into it (transfer full); else NULL
 * @error:      SYSTEM where it is not known which they are
 *
 * Return: of char * (transfer full), or NULL.
 */
GPtrArray *exm_commitments_directories(const ExmCommitmentPlaces *places, char **ret_unseen,
                                       GError **error)
{
	g_autoptr(GPtrArray) directories = g_ptr_array_new_with_free_func(g_free);
	const bool there = access(places->host, F_OK) == 0;

	*ret_unseen = NULL;
	g_ptr_array_add(directories, g_strdup(places->own));
	if (there && !is_ours(places->host)) {
		*ret_unseen = g_strdup(places->host);
		return g_steal_pointer(&directories);
	}
	if (g_strcmp0(places->host, places->own) != 0)
		g_ptr_array_add(directories, g_strdup(places->host));
	return add_linked(places, directories, error) ? g_steal_pointer(&directories) : NULL;
}

/**
 * exm_commitments_read() - What guests have
 * @places: where it is to be found
 * @except: directory of a guest that is passed over, or NULL
 * @facts:  grows; with the store's device
 * @error:  SYSTEM where it is not known what they have
 *
 * A guest has what it has as long as its own lock is held, which is as long as it lives.
 */
bool exm_commitments_read(const ExmCommitmentPlaces *places, const char *except,
                          ExmCapacityFacts *facts, GError **error)
{
	g_autoptr(GPtrArray) directories = exm_commitments_directories(places, &facts->unseen, error);

	for (guint i = 0; directories && i < directories->len; i++)
		if (!read_directory(directories->pdata[i], except, facts, error))
			return false;
	return directories;
}

static bool has_lost(const char *root)
{
	g_autoptr(GPtrArray) vms = exm_lost_list(root);

	return vms->len > 0;
}

/* Only where a guest is started: who merely counts removes nothing. */
static void remove_stale_links(const ExmCommitmentPlaces *places)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(AT_FDCWD, places->host);
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries))) {
		g_autofree char *link = g_build_filename(places->host, entry->d_name, NULL);
		g_autofree char *root = g_str_has_prefix(entry->d_name, LINK_PREFIX)
		                                ? g_file_read_link(link, NULL)
		                                : NULL;

		if (root && access(root, F_OK) < 0 && !has_lost(root))
			unlinkat(dirfd(entries), entry->d_name, 0);
	}
}

/* So that others who count the host's guests find those of this directory. */
static void link_own(const ExmCommitmentPlaces *places)
{
	g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, places->own, -1);
	g_autofree char *name = g_strdup_printf(LINK_PREFIX "%.16s", hash);
	g_autofree char *link = g_build_filename(places->host, name, NULL);

	if (g_strcmp0(places->host, places->own) != 0 && is_ours(places->host) &&
	    symlink(places->own, link) < 0 && errno != EEXIST)
		exm_trace("capacity", "link '%s': %s", link, g_strerror(errno));
}

/**
 * exm_commitments_write() - Write down what a guest has from now on
 * @places:     where it is to be found
 * @directory:  of the guest
 * @commitment: what it has
 * @error:      SYSTEM or NO_ROOM
 */
bool exm_commitments_write(const ExmCommitmentPlaces *places, const char *directory,
                           const ExmCommitment *commitment, GError **error)
{
	g_autofree char *path = g_build_filename(directory, EXM_VM_COMMITMENT, NULL);
	g_autoptr(ExmJson) json = exm_commitment_to_json(commitment);
	g_autofree char *text = exm_json_print(json, true);

	if (is_ours(places->host))
		remove_stale_links(places);
	link_own(places);
	return exm_file_write_atomic(path, text, strlen(text), 0600, error);
}

/**
 * exm_commitments_move() - Let a guest have what was committed to its place
 * @from:  directory that has it
 * @to:    directory of the guest
 * @error: SYSTEM
 */
bool exm_commitments_move(const char *from, const char *to, GError **error)
{
	g_autofree char *old = g_build_filename(from, EXM_VM_COMMITMENT, NULL);
	g_autofree char *new = g_build_filename(to, EXM_VM_COMMITMENT, NULL);

	return rename(old, new) == 0 || exm_throw_errno(error, errno, "move '%s'", old);
}

/**
 * exm_commitments_log() - Remember that somebody wanted more than there is
 * @places: where it is to be found who has what
 * @text:   one line
 */
void exm_commitments_log(const ExmCommitmentPlaces *places, const char *text)
{
	g_autofree char *path = g_build_filename(meeting_place(places), LOG_FILE, NULL);
	exm_autofd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *time = g_date_time_format_iso8601(now);

	if (fd >= 0)
		dprintf(fd, "%s uid %u: %s\n", time, (unsigned int)getuid(), text);
}
