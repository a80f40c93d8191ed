/* SPDX-License-Identifier: GPL-2.0-or-later */
/* overlay.c - Empty qcow2 images on top of a disk that many guests share */

#include "host/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* By these QEMU knows the image while it is made, and only then. */
#define NODE_NAME "exomem-overlay"
#define JOB_NAME  "exomem-overlay"

/* The set of descriptors that holds the image meanwhile; a user's own begin at 0. */
#define SET_ID   1702391661
#define SET_PATH "/dev/fdset/1702391661"

/* A job cannot be dismissed before it has concluded, some milliseconds after its start. */
#define FORGET_PAUSE_US 5000UL
#define FORGET_ATTEMPTS 200

/* Zeros are looked for in such pieces; no file system gives blocks to less. */
#define PAGE_SIZE 4096

/* Ends QEMU's work on an image, done or not; also that of an exomem which died over it. */
static void forget(ExmQmp *qmp)
{
	ExmJson *job = json_object_new_object();
	ExmJson *node = json_object_new_object();
	ExmJson *set = json_object_new_object();

	exm_json_set_string(job, "id", JOB_NAME);
	exm_json_put(exm_qmp_execute(qmp, "job-dismiss", job, NULL));
	exm_json_set_string(node, "node-name", NODE_NAME);
	exm_json_put(exm_qmp_execute(qmp, "blockdev-del", node, NULL));
	exm_json_set_uint(set, "fdset-id", SET_ID);
	exm_json_put(exm_qmp_execute(qmp, "remove-fd", set, NULL));
}

/* A sandboxed QEMU could not open it. */
static bool pass_file(ExmQmp *qmp, int fd, GError **error)
{
	ExmJson *arguments = json_object_new_object();

	exm_json_set_uint(arguments, "fdset-id", SET_ID);
	return exm_qmp_send(qmp, "add-fd", arguments, fd, error) && exm_qmp_settle(qmp, error);
}

static bool open_node(ExmQmp *qmp, GError **error)
{
	ExmJson *arguments = json_object_new_object();
	g_autoptr(ExmJson) answer = NULL;

	exm_json_set_string(arguments, "driver", "file");
	exm_json_set_string(arguments, "node-name", NODE_NAME);
	exm_json_set_string(arguments, "filename", SET_PATH);
	answer = exm_qmp_execute(qmp, "blockdev-add", arguments, error);
	return answer;
}

/* Takes the options of blockdev-create. */
static bool start_job(ExmQmp *qmp, ExmJson *options, GError **error)
{
	ExmJson *arguments = json_object_new_object();
	g_autoptr(ExmJson) answer = NULL;

	exm_json_set_string(arguments, "job-id", JOB_NAME);
	json_object_object_add(arguments, "options", options);
	answer = exm_qmp_execute(qmp, "blockdev-create", arguments, error);
	return answer;
}

static bool is_end_of_job(ExmJson *event)
{
	ExmJson *data = exm_json_member(event, "data");

	return g_strcmp0(exm_json_get_string(event, "event"), "JOB_STATUS_CHANGE") == 0 &&
	       g_strcmp0(exm_json_get_string(data, "id"), JOB_NAME) == 0 &&
	       g_strcmp0(exm_json_get_string(data, "status"), "concluded") == 0;
}

static bool wait_for_job(ExmQmp *qmp, GError **error)
{
	for (;;) {
		g_autoptr(ExmJson) event = exm_qmp_next_event(qmp, error);

		if (!event || is_end_of_job(event))
			return event;
	}
}

/* The job in an answer to query-jobs (borrowed), or NULL. */
static ExmJson *find_job(ExmJson *jobs)
{
	for (size_t i = 0; i < exm_json_length(jobs); i++) {
		ExmJson *job = json_object_array_get_idx(jobs, i);

		if (g_strcmp0(exm_json_get_string(job, "id"), JOB_NAME) == 0)
			return job;
	}
	return NULL;
}

/* A job that has failed concludes as well, and stays with its error until it is dismissed. */
static bool check_job(ExmQmp *qmp, GError **error)
{
	g_autoptr(ExmJson) jobs = exm_qmp_execute(qmp, "query-jobs", NULL, error);
	const char *words = exm_json_get_string(find_job(jobs), "error");

	return jobs && (!words || exm_throw(error, EXM_ERROR_SYSTEM, "QEMU: %s", words));
}

/* Takes the options. */
static bool make_image(ExmQmp *qmp, int fd, ExmJson *options, GError **error)
{
	g_autoptr(ExmJson) owned = options;

	forget(qmp);
	return pass_file(qmp, fd, error) && open_node(qmp, error) &&
	       start_job(qmp, g_steal_pointer(&owned), error) && wait_for_job(qmp, error) &&
	       check_job(qmp, error);
}

/* QEMU syncs an image that it has made when it closes it, and drops the result (block.c). */
static bool sync_image(int fd, GError **error)
{
	return TEMP_FAILURE_RETRY(fsync(fd)) == 0 || exm_throw_errno(error, errno, "cannot sync it");
}

/**
 * exm_overlay_create() - Let a QEMU make an empty qcow2 image on top of another image
 * @qmp:            the conversation; other events that come meanwhile are lost
 * @path:           the new image, absolute; it must not be there
 * @backing_path:   the image below, absolute, of 1023 bytes at most; it is not opened
 * @backing_format: "qcow2", "raw", …
 * @virtual_size:   bytes of the disk, a multiple of 512
 * @error:          SYSTEM; nothing is left behind
 *
 * The guest may run. The image is that of `qemu-img create -f qcow2 -b`, without starting a program:
 * qemu-img needs some 10 ms, a running QEMU 5 to 7. Its content is synced, its name is not.
 */
bool exm_overlay_create(ExmQmp *qmp, const char *path, const char *backing_path,
                        const char *backing_format, uint64_t virtual_size, GError **error)
{
	exm_autofd int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	ExmJson *options;
	bool made;

	if (fd < 0)
		return exm_throw_errno(error, errno, "make '%s'", path);
	options = json_object_new_object();
	exm_json_set_string(options, "driver", "qcow2");
	exm_json_set_string(options, "file", NODE_NAME);
	exm_json_set_uint(options, "size", virtual_size);
	exm_json_set_string(options, "backing-file", backing_path);
	exm_json_set_string(options, "backing-fmt", backing_format);
	made = make_image(qmp, fd, options, error) && sync_image(fd, error);
	forget(qmp);
	if (made)
		return true;
	unlink(path);
	g_prefix_error(error, "make the overlay '%s': ", path);
	return false;
}

/**
 * exm_overlay_forget() - Cancel the creation of an overlay whose exomem process was killed
 * @qmp: the connection to the QEMU that creates it
 *
 * Otherwise QEMU would keep the image open. Waits up to a second for the job to conclude.
 */
void exm_overlay_forget(ExmQmp *qmp)
{
	for (int i = 0; i < FORGET_ATTEMPTS; i++) {
		g_autoptr(ExmJson) jobs = NULL;

		forget(qmp);
		jobs = exm_qmp_execute(qmp, "query-jobs", NULL, NULL);
		if (!find_job(jobs))
			return;
		g_usleep(FORGET_PAUSE_US);
	}
}

static bool is_zero(const char *page, size_t length)
{
	static const char zeros[PAGE_SIZE];

	return memcmp(page, zeros, length) == 0;
}

static bool copy_pages(int from_fd, const char *from, int to_fd, GError **error)
{
	char page[PAGE_SIZE];
	off_t at = 0;
	ssize_t got;

	while ((got = TEMP_FAILURE_RETRY(pread(from_fd, page, sizeof(page), at))) > 0) {
		ssize_t put = got;

		if (!is_zero(page, (size_t)got))
			put = TEMP_FAILURE_RETRY(pwrite(to_fd, page, (size_t)got, at));
		if (put != got)
			return exm_throw_errno(error, put < 0 ? errno : ENOSPC, "copy '%s'", from);
		at += got;
	}
	return got == 0 || exm_throw_errno(error, errno, "read '%s'", from);
}

/**
 * exm_overlay_copy() - Copy an image that holds little, and give no blocks to zeros
 * @from:  the image, which nobody should write meanwhile
 * @to_fd: an empty file, open for writing
 * @error: NO_ROOM or SYSTEM
 *
 * An empty qcow2 image has 192 KiB and more, of which three pages are not zeros.
 */
bool exm_overlay_copy(const char *from, int to_fd, GError **error)
{
	exm_autofd int from_fd = open(from, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (from_fd < 0 || fstat(from_fd, &status) < 0)
		return exm_throw_errno(error, errno, "open '%s'", from);
	if (ftruncate(to_fd, status.st_size) < 0)
		return exm_throw_errno(error, errno, "set the size of a copy of '%s'", from);
	return copy_pages(from_fd, from, to_fd, error);
}
