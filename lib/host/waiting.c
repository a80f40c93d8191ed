/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waiting.c - Children that wait for their device state, and who takes them */

#include "host/waiting.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/lock.h"

static char *path_of(const ExmVm *vm)
{
	return g_build_filename(vm->directory, EXM_VM_WAITING, NULL);
}

/**
 * exm_waiting_offer() - Say that a child waits for whoever takes it
 * @path:  the file in its directory that says so
 * @shape: what it was started like: only who wants such a child takes it
 * @error: SYSTEM or NO_ROOM
 */
bool exm_waiting_offer(const char *path, const char *shape, GError **error)
{
	return exm_file_write_atomic(path, shape, strlen(shape), 0600, error);
}

/**
 * exm_waiting_has() - Whether a guest is a child that waits for whoever takes it
 * @vm:    the guest
 * @shape: that it must have, or NULL for any
 */
bool exm_waiting_has(const ExmVm *vm, const char *shape)
{
	g_autofree char *path = path_of(vm);
	g_autofree char *text = NULL;

	return exm_file_read(path, &text, NULL, NULL) && (!shape || strcmp(text, shape) == 0);
}

/**
 * exm_waiting_take() - Take a child that waits; of several who try, one gets it
 * @vm:    the child
 * @shape: that it must have
 *
 * Return: a descriptor (transfer full) by which it is taken, -1 where it is not to be had. When it
 * is closed before exm_waiting_leave(), the child waits for the next one.
 */
int exm_waiting_take(const ExmVm *vm, const char *shape)
{
	g_autofree char *path = path_of(vm);
	exm_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool taken;

	/* Somebody who had it before may have left it while the lock was waited for. */
	if (fd < 0 || !exm_lock_take(fd, false, &taken, NULL) || !taken ||
	    !exm_waiting_has(vm, shape))
		return -1;
	return g_steal_fd(&fd);
}

/**
 * exm_waiting_leave() - Say that a child that was taken waits no longer
 * @vm: the child
 */
void exm_waiting_leave(const ExmVm *vm)
{
	g_autofree char *path = path_of(vm);

	unlink(path);
}
