/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - Connections to the sockets in a guest's directory */

#include "host/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/state.h"

/* How many may wait while QEMU talks to another one. */
#define QUEUE_LENGTH 16

/* How often is asked for a place in that queue. */
#define BUSY_PAUSE_US 5000UL

static bool make_address(const char *path, struct sockaddr_un *ret_address, GError **error)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (g_strlcpy(ret_address->sun_path, path, sizeof(ret_address->sun_path)) >=
	    sizeof(ret_address->sun_path))
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is too long for a socket", path);
	return true;
}

/**
 * exm_control_listen() - Make a socket that QEMU inherits, so that nobody has to wait for it
 * @path:      its name, which must not be there
 * @fd_number: number that the descriptor shall have
 * @ret_fd:    the descriptor, close-on-exec
 * @error:     SYSTEM
 */
bool exm_control_listen(const char *path, int fd_number, int *ret_fd, GError **error)
{
	exm_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	exm_autofd int moved = -1;

	if (!make_address(path, &address, error))
		return false;
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, QUEUE_LENGTH) < 0)
		return exm_throw_errno(error, errno, "listen on '%s'", path);
	moved = fcntl(fd, F_DUPFD_CLOEXEC, fd_number);
	if (moved != fd_number)
		return exm_throw(error, EXM_ERROR_SYSTEM, "descriptor %d is in use", fd_number);
	*ret_fd = g_steal_fd(&moved);
	return true;
}

/**
 * exm_control_check() - Check that a guest still has the directory that its sockets and log are in
 * @vm:    the guest
 * @error: SYSTEM where that was removed while the guest runs; not STATE, which is tried again
 */
bool exm_control_check(const ExmVm *vm, GError **error)
{
	return !vm->lost ||
	       exm_throw(error, EXM_ERROR_SYSTEM,
	                 "the directory of guest '%s' was removed while it runs, with its "
	                 "sockets; 'exomem stop %s' ends it",
	                 vm->name, vm->name);
}

static bool is_process(const ExmVm *vm, pid_t pid)
{
	uint64_t start_time;

	return (uint64_t)pid == vm->pid &&
	       (!exm_state_start_time(pid, &start_time, NULL) || start_time == vm->start_time);
}

/* A guest may have ended since its record was read, and another one may have its name and directory. */
static bool check_peer(const ExmVm *vm, int fd, const char *path, GError **error)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return exm_throw_errno(error, errno, "ask who listens on '%s'", path);
	/* Not recorded yet, or of a process that has no number in this pid namespace. */
	return vm->pid == 0 || peer.pid == 0 || is_process(vm, peer.pid) ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "guest '%s' (pid %d) has ended: pid %d listens on '%s'", vm->name,
	                 (int)vm->pid, (int)peer.pid, path);
}

/* Whoever comes while the queue is full is sent away (unix(7), EAGAIN). */
static bool connect_until(int fd, const struct sockaddr_un *address, gint64 deadline)
{
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno == EAGAIN && g_get_monotonic_time() < deadline)
			g_usleep(BUSY_PAUSE_US);
		else if (errno != EINTR)
			return false;
	}
	return true;
}

/**
 * exm_control_connect() - Connect to a socket of a guest
 * @vm:          the guest
 * @socket_name: EXM_VM_CONSOLE or another one
 * @patience_ms: how long to wait for a place in its queue, in milliseconds
 * @error:       STATE where the guest has no such socket, or another process has; SYSTEM where it
 * has no directory any more
 *
 * The process that listens is the guest's, whose number does not change when it becomes QEMU.
 *
 * Return: a descriptor (transfer full), or -1.
 */
int exm_control_connect(const ExmVm *vm, const char *socket_name, int patience_ms, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)patience_ms * 1000;
	struct sockaddr_un address;
	g_autofree char *path = g_build_filename(vm->directory, socket_name, NULL);
	/* A stopped QEMU accepts nobody: once its queue is full, a blocking connect would hang. */
	exm_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		exm_throw_errno(error, errno, "make a socket");
		return -1;
	}
	if (!exm_control_check(vm, error) || !make_address(path, &address, error))
		return -1;
	if (!connect_until(fd, &address, deadline)) {
		exm_throw(error, EXM_ERROR_STATE, "guest '%s' does not listen on '%s': %s",
		          vm->name, path, strerror(errno));
		return -1;
	}
	if (!check_peer(vm, fd, path, error))
		return -1;
	if (fcntl(fd, F_SETFL, 0) < 0) {
		exm_throw_errno(error, errno, "prepare the socket of guest '%s'", vm->name);
		return -1;
	}
	return g_steal_fd(&fd);
}

/**
 * exm_control_open() - Begin a conversation with a guest's QEMU
 * @vm:          the guest
 * @socket_name: EXM_VM_CONTROL for a brief one, EXM_VM_EVENTS for a long one
 * @deadline_ms: for the whole conversation, in milliseconds; a socket that somebody else talks on
 *               does not answer until he leaves
 * @error:       STATE or SYSTEM
 *
 * Return: the conversation (transfer full), or NULL.
 */
ExmQmp *exm_control_open(const ExmVm *vm, const char *socket_name, int deadline_ms, GError **error)
{
	const int fd = exm_control_connect(vm, socket_name, deadline_ms, error);
	ExmQmp *qmp = fd < 0 ? NULL : exm_qmp_new(fd, deadline_ms, NULL, error);

	if (fd >= 0 && !qmp)
		g_prefix_error(error, "guest '%s': ", vm->name);
	return qmp;
}

/**
 * exm_control_begin() - Begin a conversation with a guest's QEMU that need not run yet
 * @vm:          the guest, whose socket is there
 * @socket_name: EXM_VM_CONTROL
 * @deadline_ms: for the whole conversation, in milliseconds
 * @error:       STATE or SYSTEM
 *
 * Return: the conversation (transfer full), as exm_qmp_begin() leaves it; or NULL.
 */
ExmQmp *exm_control_begin(const ExmVm *vm, const char *socket_name, int deadline_ms, GError **error)
{
	const int fd = exm_control_connect(vm, socket_name, deadline_ms, error);

	return fd < 0 ? NULL : exm_qmp_begin(fd, deadline_ms, error);
}

/**
 * exm_control_status() - What a guest's QEMU says that it does
 * @vm:          the guest
 * @deadline_ms: for the answer, in milliseconds
 * @error:       STATE or SYSTEM
 *
 * Return: "running", "paused", "inmigrate" and so on (qapi/run-state.json, RunState; transfer
 * full), or NULL.
 */
char *exm_control_status(const ExmVm *vm, int deadline_ms, GError **error)
{
	g_autoptr(ExmQmp) qmp = exm_control_open(vm, EXM_VM_CONTROL, deadline_ms, error);
	g_autoptr(ExmJson) answer = qmp ? exm_qmp_execute(qmp, "query-status", NULL, error) : NULL;

	return answer ? g_strdup(exm_json_get_string(answer, "status")) : NULL;
}
