/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operation.c - The record of a save, fork or migration under way, by which another process undoes it */

#include "op/operation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "host/lock.h"
#include "op/forking.h"
#include "plan/operation.h"

/*
 * The record begins with the number of steps that were begun, in a line of its own that is written
 * over with one write(2) before each step; the rest never changes. Its lock is held by the process
 * that does the operation and by the one that watches it: whoever gets the lock knows that both are
 * gone.
 */
#define BEGUN_FORMAT "%010u\n"
#define BEGUN_LENGTH 11

/* In place of that number, when nothing is left to do. */
#define DONE G_MAXUINT

/* How long one who asks whether an operation was killed may hold its lock. */
#define LOCK_PATIENCE_US 50000

static char *describe(const ExmFreeze *freeze)
{
	g_autoptr(ExmOperation) operation = exm_operation_new(freeze->kind->operation, freeze->plan);
	g_autoptr(ExmJson) json = NULL;

	operation->pid = (uint64_t)getpid();
	if (freeze->fork)
		exm_operation_add_fork(operation, freeze->fork->plan, freeze->fork->children);
	json = exm_operation_to_json(operation);
	return exm_json_print(json, false);
}

static bool write_record(int fd, const char *path, const char *text, GError **error)
{
	g_autofree char *begun = g_strdup_printf(BEGUN_FORMAT, 0U);
	bool taken;

	return exm_lock_take(fd, false, &taken, error) &&
	       exm_fd_write_all(fd, begun, BEGUN_LENGTH, path, error) &&
	       exm_fd_write_all(fd, text, strlen(text), path, error);
}

static bool throw_busy(const ExmVm *vm, const char *path, GError **error)
{
	exm_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const pid_t pid = fd < 0 ? 0 : exm_lock_holder(fd);

	if (pid)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' is being saved, forked or migrated by process %d",
		                 vm->name, (int)pid);
	return exm_throw(error, EXM_ERROR_STATE,
	                 "an operation on guest '%s' was interrupted and cannot be undone; remove "
	                 "'%s' to go on without that",
	                 vm->name, path);
}

/* Where the file system allows it without a name, so that a kill leaves nothing (open(2)). */
static int make_record(const char *directory, char *temporary)
{
	const int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : mkostemp(temporary, O_CLOEXEC);
}

/* The record is whole and locked when it gets its name. */
static bool name_record(const ExmFreeze *freeze, int fd, GError **error)
{
	const ExmVm *vm = freeze->plan->vm;
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_OPERATION, NULL);
	g_autofree char *descriptor = g_strdup_printf("/proc/self/fd/%d", fd);

	if (linkat(AT_FDCWD, descriptor, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
		return true;
	return errno == EEXIST ? throw_busy(vm, path, error)
	                       : exm_throw_errno(error, errno, "make '%s'", path);
}

/**
 * exm_operation_begin() - Write down what it takes to undo an operation that is about to begin
 * @freeze: the operation; gets the record, which exm_operation_end() removes
 * @error:  STATE where another process has begun one on this guest; NO_ROOM; SYSTEM
 */
bool exm_operation_begin(ExmFreeze *freeze, GError **error)
{
	const char *directory = freeze->plan->vm->directory;
	g_autofree char *temporary = g_build_filename(directory, EXM_VM_OPERATION ".XXXXXX", NULL);
	g_autofree char *text = describe(freeze);
	exm_autofd int folder = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	exm_autofd int fd = folder < 0 ? -1 : make_record(directory, temporary);
	bool named;

	if (fd < 0)
		return exm_throw_errno(error, errno, "make '%s'", temporary);
	named = write_record(fd, temporary, text, error) && name_record(freeze, fd, error);
	unlink(temporary);
	if (!named)
		return false;
	freeze->folder = g_steal_fd(&folder);
	freeze->record = g_steal_fd(&fd);
	return true;
}

/**
 * exm_operation_note() - Write down that a step is about to begin
 * @freeze: the operation
 * @begun:  number of steps begun, with this one
 * @error:  SYSTEM
 */
bool exm_operation_note(const ExmFreeze *freeze, guint begun, GError **error)
{
	g_autofree char *text = g_strdup_printf(BEGUN_FORMAT, begun);

	return TEMP_FAILURE_RETRY(pwrite(freeze->record, text, BEGUN_LENGTH, 0)) == BEGUN_LENGTH ||
	       exm_throw_errno(error, errno, "write to the record of the operation");
}

/**
 * exm_operation_begun() - How many steps of an operation have begun
 * @freeze: the operation
 *
 * Return: 0 also where nothing is left to undo or complete.
 */
guint exm_operation_begun(const ExmFreeze *freeze)
{
	char text[BEGUN_LENGTH + 1] = "";
	guint begun;

	if (TEMP_FAILURE_RETRY(pread(freeze->record, text, BEGUN_LENGTH, 0)) != BEGUN_LENGTH)
		return 0;
	begun = (guint)g_ascii_strtoull(text, NULL, 10);
	return begun == DONE ? 0 : MIN(begun, freeze->plan->steps->len);
}

/* The guest's directory may have another name by now, or be gone with the guest. */
static bool is_in_place(const ExmFreeze *freeze)
{
	struct stat ours;
	struct stat there;

	return fstat(freeze->record, &ours) == 0 &&
	       fstatat(freeze->folder, EXM_VM_OPERATION, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/**
 * exm_operation_end() - Remove the record of an operation of which nothing is left to do
 * @freeze: the operation
 */
void exm_operation_end(ExmFreeze *freeze)
{
	exm_operation_note(freeze, DONE, NULL);
	if (is_in_place(freeze))
		unlinkat(freeze->folder, EXM_VM_OPERATION, 0);
	exm_fd_clear(&freeze->folder);
	exm_fd_clear(&freeze->record);
}

/**
 * exm_operation_open() - Open the record of an operation that was killed, and take its lock
 * @folder: the guest's directory
 *
 * Return: a descriptor (transfer full), or -1 where there is no such record.
 */
int exm_operation_open(int folder)
{
	exm_autofd int fd = openat(folder, EXM_VM_OPERATION,
	                           O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool taken = false;
	struct stat status;

	if (fd < 0 || !exm_lock_wait(fd, false, LOCK_PATIENCE_US, &taken, NULL) || !taken ||
	    fstat(fd, &status) < 0 || status.st_nlink == 0)
		return -1;
	return g_steal_fd(&fd);
}

/**
 * exm_operation_is_interrupted() - Whether an operation on a guest was killed and can be undone
 * @vm: the guest
 */
bool exm_operation_is_interrupted(const ExmVm *vm)
{
	exm_autofd int folder = open(vm->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	exm_autofd int fd = folder < 0 ? -1 : exm_operation_open(folder);

	return fd >= 0;
}

/**
 * exm_operation_read() - Read the record of an operation
 * @fd: of exm_operation_open()
 *
 * Return: the operation (transfer full), or NULL where the record is not whole.
 */
ExmOperation *exm_operation_read(int fd)
{
	g_autofree char *text = NULL;
	g_autoptr(ExmJson) json = NULL;
	size_t length = 0;

	if (!exm_fd_read_all(fd, &text, &length, NULL) || length < BEGUN_LENGTH)
		return NULL;
	json = exm_json_parse(text + BEGUN_LENGTH, length - BEGUN_LENGTH, NULL);
	return json ? exm_operation_from_json(json, NULL) : NULL;
}
