/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.c - What is wrong with the directory that guests' memory files go to */

#include "plan/store.h"

#include "base/record.h"
#include "base/size.h"
#include "plan/finding.h"

/* A store of small guests has a file for each of so many bytes. */
#define SMALL_GUEST (64 * EXM_MIB)

static const ExmField fields[] = {
	EXM_FIELD(ExmStore, "device", UINT, device, false),
	EXM_FIELD(ExmStore, "is-mount", BOOL, is_mount, false),
	EXM_FIELD(ExmStore, "read-only", BOOL, read_only, false),
	EXM_FIELD(ExmStore, "size", UINT, size, true),
	EXM_FIELD(ExmStore, "inodes-free", UINT, inodes_free, false),
	EXM_FIELD(ExmStore, "endless", BOOL, endless, false),
	EXM_FIELD(ExmStore, "quota", BOOL, quota, false),
	EXM_FIELD(ExmStore, "quota-left", UINT, quota_left, false),
	EXM_FIELD(ExmStore, "thin", STRING, thin, false),
	EXM_FIELD(ExmStore, "coherent", BOOL, coherent, false),
	EXM_FIELD(ExmStore, "reflink", BOOL, reflink, false),
	EXM_FIELD(ExmStore, "dirty-limit", UINT, dirty_limit, false),
};

static const ExmLayout layout = {
	"recorded store", sizeof(ExmStore), fields, G_N_ELEMENTS(fields), false,
};

/**
 * exm_store_free() - Free facts of a store
 * @store: may be NULL
 */
void exm_store_free(ExmStore *store)
{
	exm_record_free(&layout, store);
}

/**
 * exm_store_from_json() - Read recorded facts of a store
 * @json:  an object
 * @error: SYSTEM where a member is unknown, of another type, or needed and absent
 *
 * Return: the facts (transfer full), or NULL.
 */
ExmStore *exm_store_from_json(ExmJson *json, GError **error)
{
	return exm_record_from_json(&layout, json, error);
}

static void fatal(GPtrArray *findings, ExmErrorCode code, const char *name, const char *text,
                  const char *path)
{
	exm_findings_add(findings, EXM_SEVERITY_FATAL, code, name, "memory_backing_dir: '%s' %s",
	                 path, text);
}

static void check_directory(const ExmStoreInput *in, GPtrArray *findings)
{
	const char *path = in->config->directory;

	if (in->place->kind == EXM_PLACE_MISSING)
		fatal(findings, EXM_ERROR_USAGE, "directory", "is not there: make it", path);
	else if (in->place->kind != EXM_PLACE_DIRECTORY)
		fatal(findings, EXM_ERROR_USAGE, "directory", "is not a directory", path);
	else if (in->store->read_only)
		fatal(findings, EXM_ERROR_STATE, "directory", "is mounted read-only", path);
	else if (!in->place->writable)
		fatal(findings, EXM_ERROR_USAGE, "directory", "is not writable", path);
	else if (in->place->others_write)
		fatal(findings, EXM_ERROR_USAGE, "directory",
		      "can be written by others: chmod go-w it", path);
	else if (in->place->distrust)
		exm_findings_add(findings, EXM_SEVERITY_FATAL, EXM_ERROR_USAGE, "directory",
		                 "memory_backing_dir: %s, and so '%s' is not safe",
		                 in->place->distrust, path);
	else
		exm_findings_add(findings, EXM_SEVERITY_OK, 0, "directory", "'%s' is on %s", path,
		                 in->place->file_system);
}

static void check_mount(const ExmStoreInput *in, GPtrArray *findings)
{
	if (in->store->is_mount)
		exm_findings_add(findings, EXM_SEVERITY_OK, 0, "mount",
		                 "'%s' is a file system of its own", in->config->directory);
	else
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "mount",
		                 "'%s' is not a mount point: guests share its room with others",
		                 in->config->directory);
}

static void check_file_system(const ExmStoreInput *in, GPtrArray *findings)
{
	static const char *const remote[] = { "nfs", "cifs", "smbfs",  "fuse", "9p",
		                              "afs", "ceph", "vmhgfs", NULL };
	const char *type = in->place->file_system;

	if (g_strcmp0(type, "hugetlbfs") == 0)
		exm_findings_add(findings, EXM_SEVERITY_FATAL, EXM_ERROR_UNSUPPORTED, "file-system",
		                 "'%s' is on hugetlbfs: huge pages and memory in files exclude each "
		                 "other",
		                 in->config->directory);
	else if (!in->store->coherent)
		exm_findings_add(findings, EXM_SEVERITY_FATAL, EXM_ERROR_UNSUPPORTED, "file-system",
		                 "on %s what is written to a mapping is not what is read", type);
	else if (g_strv_contains(remote, type))
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "file-system",
		                 "%s is another host's: guests stop when that does, and a mapping "
		                 "there is not what this one sees",
		                 type);
	else if (in->place->in_memory)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "file-system",
		                 "files on %s are memory: no more guests than memory and swap hold",
		                 type);
	else
		exm_findings_add(findings, EXM_SEVERITY_OK, 0, "file-system",
		                 "%s; children of a fork %s", type,
		                 in->store->reflink ? "can share its blocks (reflink)"
		                                    : "cannot share its blocks (no reflink)");
}

static void check_abilities(const ExmStoreInput *in, GPtrArray *findings)
{
	const char *type = in->place->file_system;

	if (!in->place->can_reserve)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "reservation",
		                 "%s cannot reserve blocks: a guest dies that finds the store full",
		                 type);
	if (!in->place->can_punch)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "holes",
		                 "%s cannot punch holes: what guests give back is not discarded",
		                 type);
	else if (!in->can_discard)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "holes",
		                 "this QEMU does not discard memory when it ends (2.11 and later do)");
}

static void check_size(const ExmStoreInput *in, GPtrArray *findings)
{
	const uint64_t capacity = in->config->capacity;
	const uint64_t can_have = in->place->free + MIN(in->committed, in->store->size);
	g_autofree char *wanted = exm_size_human(capacity);
	g_autofree char *size = exm_size_human(in->store->size);
	g_autofree char *room = exm_size_human(can_have);

	if (capacity > in->store->size)
		exm_findings_add(findings, EXM_SEVERITY_FATAL, EXM_ERROR_NO_ROOM, "size",
		                 "file_backed_memory is %s, and '%s' has only %s", wanted,
		                 in->config->directory, size);
	else if (capacity > can_have)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "size",
		                 "file_backed_memory is %s, but other files leave only %s of '%s'",
		                 wanted, room, in->config->directory);
	else
		exm_findings_add(findings, EXM_SEVERITY_OK, 0, "size", "%s of %s", wanted, size);
}

static void check_inodes(const ExmStoreInput *in, GPtrArray *findings)
{
	const uint64_t files = in->config->capacity / SMALL_GUEST;

	if (!in->store->endless && in->store->inodes_free < files)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "inodes",
		                 "'%s' has room for %" G_GUINT64_FORMAT
		                 " more files, and for %" G_GUINT64_FORMAT " guests of 64 MiB",
		                 in->config->directory, in->store->inodes_free, files);
}

static void check_promises(const ExmStoreInput *in, GPtrArray *findings)
{
	const uint64_t capacity = in->config->capacity;
	const uint64_t rest = capacity - MIN(capacity, in->committed);
	g_autofree char *left = exm_size_human(in->store->quota_left);

	if (in->store->quota && in->store->quota_left < rest)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "quota",
		                 "a quota leaves %s of '%s'", left, in->config->directory);
	if (in->store->thin)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "thin",
		                 "'%s' is thinly provisioned (%s): reserved blocks may not be there",
		                 in->config->directory, in->store->thin);
}

/* Linux, mm/page-writeback.c, balance_dirty_pages(): a vCPU that writes too fast sleeps there. */
static void check_dirty(const ExmStoreInput *in, GPtrArray *findings)
{
	g_autofree char *limit = exm_size_human(in->store->dirty_limit);

	if (!in->place->in_memory && in->store->dirty_limit < in->config->capacity)
		exm_findings_add(findings, EXM_SEVERITY_WARNING, 0, "dirty-pages",
		                 "guests stand still while more than %s waits to be written "
		                 "(vm.dirty_ratio, vm.dirty_bytes)",
		                 limit);
}

/**
 * exm_store_check() - What is wrong with a store, and what is right
 * @in:       what is known of it
 * @findings: of ExmFinding; grows
 *
 * None of this Nova looks at: it believes the number that it is given.
 */
void exm_store_check(const ExmStoreInput *in, GPtrArray *findings)
{
	check_directory(in, findings);
	if (in->place->kind != EXM_PLACE_DIRECTORY)
		return;
	check_mount(in, findings);
	check_file_system(in, findings);
	check_abilities(in, findings);
	check_size(in, findings);
	check_inodes(in, findings);
	check_promises(in, findings);
	check_dirty(in, findings);
}
