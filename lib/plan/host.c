/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - Facts of the host as values and as JSON */

#include "plan/host.h"

#include "base/error.h"
#include "base/record.h"

static const char *const kind_names[] = {
	"missing",       "directory",    "dax",   "file",
	"dangling-link", "foreign-link", "other", "unreachable",
};

static const ExmEnumTable kinds = { "kind of place", kind_names, G_N_ELEMENTS(kind_names) };

static const ExmField host_fields[] = {
	EXM_FIELD(ExmHost, "euid", UINT, euid, false),
	EXM_FIELD(ExmHost, "page-size", UINT, page_size, true),
	EXM_FIELD(ExmHost, "ram-total", UINT, ram_total, true),
	EXM_FIELD(ExmHost, "ram-available", UINT, ram_available, true),
	EXM_FIELD(ExmHost, "swap-total", UINT, swap_total, false),
	EXM_FIELD(ExmHost, "commit-limit", UINT, commit_limit, false),
	EXM_FIELD(ExmHost, "commit-used", UINT, commit_used, false),
	EXM_FIELD(ExmHost, "overcommit-memory", UINT, overcommit_memory, false),
	EXM_FIELD(ExmHost, "nodes", STRING, nodes, true),
	EXM_FIELD(ExmHost, "tasks-free", UINT, tasks_free, false),
	EXM_FIELD(ExmHost, "first-fd", UINT, first_fd, true),
	EXM_FIELD(ExmHost, "landlock", UINT, landlock, false),
};

static const ExmField place_fields[] = {
	EXM_FIELD(ExmPlace, "path", STRING, path, true),
	{ .name = "kind",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmPlace, kind),
	  .required = true,
	  .names = &kinds },
	EXM_FIELD(ExmPlace, "detail", STRING, detail, false),
	EXM_FIELD(ExmPlace, "writable", BOOL, writable, false),
	EXM_FIELD(ExmPlace, "others-write", BOOL, others_write, false),
	EXM_FIELD(ExmPlace, "shared-sticky", BOOL, shared_sticky, false),
	EXM_FIELD(ExmPlace, "distrust", STRING, distrust, false),
	EXM_FIELD(ExmPlace, "closed", BOOL, closed, false),
	EXM_FIELD(ExmPlace, "file-system", STRING, file_system, false),
	EXM_FIELD(ExmPlace, "mount-point", STRING, mount_point, false),
	EXM_FIELD(ExmPlace, "mount-type", STRING, mount_type, false),
	EXM_FIELD(ExmPlace, "mount-options", STRV, mount_options, false),
	EXM_FIELD(ExmPlace, "in-memory", BOOL, in_memory, false),
	EXM_FIELD(ExmPlace, "page-size", UINT, page_size, false),
	EXM_FIELD(ExmPlace, "free", UINT, free, false),
	EXM_FIELD(ExmPlace, "device", UINT, device, false),
	EXM_FIELD(ExmPlace, "can-punch", BOOL, can_punch, false),
	EXM_FIELD(ExmPlace, "can-reserve", BOOL, can_reserve, false),
	EXM_FIELD(ExmPlace, "unnamed-files", BOOL, unnamed_files, false),
	EXM_FIELD(ExmPlace, "maps-sync", BOOL, maps_sync, false),

};

static const ExmField file_fields[] = {
	EXM_FIELD(ExmFileFacts, "path", STRING, path, true),
	EXM_FIELD(ExmFileFacts, "exists", BOOL, exists, true),
	EXM_FIELD(ExmFileFacts, "regular", BOOL, regular, false),
	EXM_FIELD(ExmFileFacts, "owner", UINT, owner, false),
	EXM_FIELD(ExmFileFacts, "size", UINT, size, false),
	EXM_FIELD(ExmFileFacts, "allocated", UINT, allocated, false),
	EXM_FIELD(ExmFileFacts, "device", UINT, device, false),
	EXM_FIELD(ExmFileFacts, "inode", UINT, inode, false),
	EXM_FIELD(ExmFileFacts, "mtime", UINT, mtime, false),
	EXM_FIELD(ExmFileFacts, "others-write", BOOL, others_write, false),
	EXM_FIELD(ExmFileFacts, "mode", UINT, mode, false),
	EXM_FIELD(ExmFileFacts, "links", UINT, links, false),
	EXM_FIELD(ExmFileFacts, "readable", BOOL, readable, false),
	EXM_FIELD(ExmFileFacts, "writable", BOOL, writable, false),
	EXM_FIELD(ExmFileFacts, "template", STRING, template_name, false),
};

static const ExmLayout host_layout = {
	"recorded host", sizeof(ExmHost), host_fields, G_N_ELEMENTS(host_fields), false,
};
static const ExmLayout place_layout = {
	"recorded place", sizeof(ExmPlace), place_fields, G_N_ELEMENTS(place_fields), false,
};
static const ExmLayout file_layout = {
	"recorded file", sizeof(ExmFileFacts), file_fields, G_N_ELEMENTS(file_fields), false,
};

/**
 * exm_host_free() - Free facts of the host
 * @host: may be NULL
 */
void exm_host_free(ExmHost *host)
{
	exm_record_free(&host_layout, host);
}

/**
 * exm_host_to_json() - Write facts of the host as JSON
 * @host: the facts
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_host_to_json(const ExmHost *host)
{
	return exm_record_to_json(&host_layout, host);
}

/**
 * exm_host_from_json() - Read facts of the host back
 * @json:  what exm_host_to_json() wrote
 * @error: SYSTEM where a member is unknown, of another type, or needed and absent
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmHost *exm_host_from_json(ExmJson *json, GError **error)
{
	return exm_record_from_json(&host_layout, json, error);
}

/**
 * exm_place_free() - Free facts of a place
 * @place: may be NULL
 */
void exm_place_free(ExmPlace *place)
{
	exm_record_free(&place_layout, place);
}

/**
 * exm_place_check_safe() - Whether nobody else can exchange a directory or what this user makes in it
 * @place: the directory
 * @error: USAGE
 */
bool exm_place_check_safe(const ExmPlace *place, GError **error)
{
	if (place->others_write)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "others can write to '%s': chmod go-w or chmod +t it, or take another",
		                 place->path);
	return !place->distrust || exm_throw(error, EXM_ERROR_USAGE,
	                                     "%s, and so '%s' is not safe: take another directory",
	                                     place->distrust, place->path);
}

/* In a mode, as chmod(1) has it. */
#define ALL_READ  04
#define ALL_WRITE 02

static bool belongs_to(const ExmFileFacts *file, const ExmPlace *place, uint64_t user)
{
	return file->owner == user || file->owner == 0 ||
	       (file->owner == EXM_NFS_NOBODY && user == 0 &&
	        g_strcmp0(place->file_system, "nfs") == 0);
}

/* What others could do with the guest's memory by the file's mode, or NULL. */
static const char *access_of_others(const ExmFileFacts *file, const ExmPlace *place, bool shared)
{
	if (place->closed)
		return NULL;
	if (file->mode & ALL_WRITE)
		return "write to";
	return shared && (file->mode & ALL_READ) ? "read" : NULL;
}

/**
 * exm_file_check_access() - Whether a memory file that is there may become a guest's memory
 * @file:   the file
 * @place:  the directory that it is in
 * @user:   that the guest runs as
 * @shared: the guest writes the file, or QEMU may
 * @error:  STATE where another user could read or write the guest's memory, or has put it there
 *
 * Access by a group is let through: other programs may share the memory on purpose. What is mapped
 * private may be another user's, and others may read it.
 */
bool exm_file_check_access(const ExmFileFacts *file, const ExmPlace *place, uint64_t user,
                           bool shared, GError **error)
{
	const char *access = access_of_others(file, place, shared);

	if (shared && !belongs_to(file, place, user))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' belongs to another user, who could read the guest's memory",
		                 file->path);
	if (access)
		return exm_throw(
			error, EXM_ERROR_STATE,
			"others can %s '%s' (mode %04o), and so the guest's memory: chmod %s it",
			access, file->path, (unsigned int)file->mode, shared ? "600" : "go-w");
	/* Linux, fs/namei.c, may_linkat(): anybody's, where fs.protected_hardlinks is 0. */
	if (shared && place->shared_sticky && file->links > 1)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' has another name (a hard link), and another user may have put it "
		                 "there: copy it, or take a directory that only you can write to",
		                 file->path);
	return true;
}

/**
 * exm_place_check_mount() - Whether a file in a directory can be mapped shared
 * @place:    the directory
 * @use:      what the mapping needs of its mount
 * @trust:    warn of what would be refused
 * @warnings: of char *, grows
 * @error:    see exm_mount_check()
 */
bool exm_place_check_mount(const ExmPlace *place, ExmMountUse use, bool trust, GPtrArray *warnings,
                           GError **error)
{
	const ExmMount mount = {
		.path = place->mount_point ? place->mount_point : place->path,
		.type = place->mount_type ? place->mount_type : place->file_system,
		.options = place->mount_options,
	};

	return exm_mount_check(&mount, use, trust, warnings, error);
}

/**
 * exm_place_to_json() - Write facts of a place as JSON
 * @place: the facts
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_place_to_json(const ExmPlace *place)
{
	return exm_record_to_json(&place_layout, place);
}

/**
 * exm_place_from_json() - Read facts of a place back
 * @json:  what exm_place_to_json() wrote
 * @error: as for exm_host_from_json(), or USAGE for a kind that does not exist
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmPlace *exm_place_from_json(ExmJson *json, GError **error)
{
	return exm_record_from_json(&place_layout, json, error);
}

/**
 * exm_file_facts_free() - Free facts of a memory file
 * @file: may be NULL
 */
void exm_file_facts_free(ExmFileFacts *file)
{
	exm_record_free(&file_layout, file);
}

/**
 * exm_file_facts_to_json() - Write facts of a memory file as JSON
 * @file: the facts
 *
 * Return: an object (transfer full).
 */
ExmJson *exm_file_facts_to_json(const ExmFileFacts *file)
{
	return exm_record_to_json(&file_layout, file);
}

/**
 * exm_file_facts_from_json() - Read facts of a memory file back
 * @json:  what exm_file_facts_to_json() wrote
 * @error: as for exm_host_from_json()
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmFileFacts *exm_file_facts_from_json(ExmJson *json, GError **error)
{
	return exm_record_from_json(&file_layout, json, error);
}
