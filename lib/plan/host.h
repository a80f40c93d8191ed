/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "plan/mount.h"

/**
 * struct ExmHost - What the host has, read once at the start of a command
 * @euid:              effective user
 * @page_size:         bytes
 * @ram_total:         bytes of memory (MemTotal)
 * @ram_available:     bytes that can be had without swapping (MemAvailable)
 * @swap_total:        bytes of swap
 * @commit_limit:      bytes that may be promised where @overcommit_memory is 2 (CommitLimit)
 * @commit_used:       bytes promised so far (Committed_AS)
 * @overcommit_memory: vm.overcommit_memory: 0 guesses, 1 always, 2 never
 * @nodes:             online NUMA nodes in the kernel's list format: "0-1,4"
 * @tasks_free:        processes and threads that can still be started; 0 where that is not known
 * @first_fd:          a descriptor number from which on none is in use
 * @landlock:          version of Landlock's interface (landlock(7)); 0 where the kernel has none
 */
typedef struct {
	uint64_t euid;
	uint64_t page_size;
	uint64_t ram_total;
	uint64_t ram_available;
	uint64_t swap_total;
	uint64_t commit_limit;
	uint64_t commit_used;
	uint64_t overcommit_memory;
	char *nodes;
	uint64_t tasks_free;
	uint64_t first_fd;
	uint64_t landlock;
} ExmHost;

/**
 * enum ExmPlaceKind - What stands at the path of a memory option
 * @EXM_PLACE_MISSING:       nothing
 * @EXM_PLACE_DIRECTORY:     a directory
 * @EXM_PLACE_DAX:           a device-DAX node
 * @EXM_PLACE_FILE:          a plain file
 * @EXM_PLACE_DANGLING_LINK: a symbolic link to nothing
 * @EXM_PLACE_FOREIGN_LINK:  the way leads over a symbolic link of another user
 * @EXM_PLACE_OTHER:         a socket, pipe or other device
 * @EXM_PLACE_UNREACHABLE:   the kernel says no: name too long, search permission, link loop
 */
typedef enum {
	EXM_PLACE_MISSING,
	EXM_PLACE_DIRECTORY,
	EXM_PLACE_DAX,
	EXM_PLACE_FILE,
	EXM_PLACE_DANGLING_LINK,
	EXM_PLACE_FOREIGN_LINK,
	EXM_PLACE_OTHER,
	EXM_PLACE_UNREACHABLE,
} ExmPlaceKind;

/**
 * struct ExmPlace - Facts of the directory or device that memory shall live in
 * @path:           as the user wrote it, made absolute
 * @kind:           what stands there
 * @detail:         the link in question, or the kernel's reason; else NULL
 * @writable:       this user may create files in it (or write the device)
 * @others_write:   group or others may write to it and it is not sticky
 * @shared_sticky:  others may write to it, but it is sticky, like /tmp
 * @distrust:       who else than root and this user could put another directory there, as the
 *                  beginning of a message; NULL for nobody, and for a device
 * @closed:         some directory of its path keeps out users who are in none of its groups
 * @file_system:    "ext4", "tmpfs", "hugetlbfs", "nfs", …; "devdax" for a device
 * @mount_point:    where that is mounted; NULL where it is not known, and for a device
 * @mount_type:     what /proc/self/mountinfo calls it: "nfs4", "fuse.sshfs"; NULL likewise
 * @mount_options:  of the mount and of the file system; NULL likewise
 * @in_memory:      its blocks are memory: tmpfs, ramfs, hugetlbfs
 * @page_size:      bytes in which a file on it is mapped; a device's alignment
 * @free:           bytes that can still be written; a device's size
 * @device:         number of a directory's file system
 * @can_punch:      holes can be punched into files
 * @can_reserve:    blocks can be reserved by fallocate(2)
  * @unnamed_files:  O_TMPFILE works
 * @maps_sync:      what is written to a mapping lasts without a sync (DAX); looked at for
 *                  persistent memory alone

 */
typedef struct {
	char *path;
	ExmPlaceKind kind;
	char *detail;
	bool writable;
	bool others_write;
	bool shared_sticky;
	char *distrust;
	bool closed;
	char *file_system;
	char *mount_point;
	char *mount_type;
	char **mount_options;
	bool in_memory;
	uint64_t page_size;
	uint64_t free;
	uint64_t device;
	bool can_punch;
	bool can_reserve;
	bool unnamed_files;
	bool maps_sync;
} ExmPlace;

/**
 * struct ExmFileFacts - Facts of one memory file, which may not be there yet
 * @path:      absolute
 * @exists:    something stands there; the rest counts only then
 * @regular:   it is a plain file, not a link or a directory
 * @owner:     user id
 * @size:      bytes
 * @allocated: bytes of blocks it has
 * @device:    number of its file system
 * @inode:     number of the file
 * @mtime:     nanoseconds since 1970
 * @others_write: group or others may write to it
 * @mode:      its permissions, as chmod(1) has them
 * @links:     how many names it has
 * @readable:  this user may read it
 * @writable:  this user may write it
 * @template_name: template that the marker beside it names, or NULL
 */
typedef struct {
	char *path;
	bool exists;
	bool regular;
	uint64_t owner;
	uint64_t size;
	uint64_t allocated;
	uint64_t device;
	uint64_t inode;
	uint64_t mtime;
	bool others_write;
	uint64_t mode;
	uint64_t links;
	bool readable;
	bool writable;
	char *template_name;
} ExmFileFacts;

/* Whom an NFS server takes root for that has root_squash (exports(5), anonuid). */
#define EXM_NFS_NOBODY 65534

/* Beside a memory file that belongs to a template stands FILE + this, holding the template's name. */
#define EXM_TEMPLATE_MARKER ".template"

void exm_host_free(ExmHost *host);
ExmJson *exm_host_to_json(const ExmHost *host);
ExmHost *exm_host_from_json(ExmJson *json, GError **error);
void exm_place_free(ExmPlace *place);
bool exm_place_check_safe(const ExmPlace *place, GError **error);
bool exm_place_check_mount(const ExmPlace *place, ExmMountUse use, bool trust, GPtrArray *warnings,
                           GError **error);
ExmJson *exm_place_to_json(const ExmPlace *place);
ExmPlace *exm_place_from_json(ExmJson *json, GError **error);
void exm_file_facts_free(ExmFileFacts *file);
bool exm_file_check_access(const ExmFileFacts *file, const ExmPlace *place, uint64_t user,
                           bool shared, GError **error);
ExmJson *exm_file_facts_to_json(const ExmFileFacts *file);
ExmFileFacts *exm_file_facts_from_json(ExmJson *json, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmHost, exm_host_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmPlace, exm_place_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmFileFacts, exm_file_facts_free)
