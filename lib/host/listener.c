/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listener.c - Conversations with guests' monitors in which nothing waits */

#include "host/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "base/trace.h"
#include "host/control.h"

/* No event and no answer to a command without arguments comes near; a peer that never ends a line
 * is no QEMU. */
#define LINE_MAX_SIZE EXM_MIB

/**
 * struct ExmListener - A conversation
 * @fd:       the socket, owned
 * @received: what has come and is not yet read into a message
 */
struct ExmListener {
	int fd;
	GString *received;
};

static char *opening(const char *command, ExmJson *arguments, GError **error)
{
	g_autoptr(ExmJson) said = json_object_new_object();
	g_autofree char *text = NULL;

	if (!command)
		return g_strdup("{\"execute\":\"qmp_capabilities\"}\n");
	exm_json_set_string(said, "execute", command);
	if (arguments)
		json_object_object_add(said, "arguments", json_object_get(arguments));
	exm_json_set_uint(said, "id", 1);
	text = exm_json_print_plain(said, error);
	return text ? g_strdup_printf("{\"execute\":\"qmp_capabilities\"}\n%s\n", text) : NULL;
}

/**
 * exm_listener_new() - Connect to a monitor of a guest, and say all that is to be said
 * @vm:          the guest
 * @socket_name: EXM_VM_CONTROL or EXM_VM_EVENTS
 * @command:     a command, whose answer will have the id 1; NULL for none
 * @arguments:   of the command (borrowed), or NULL
 * @error:       STATE where the guest does not take a connection at this moment; UNSUPPORTED for an
 *               argument that is not UTF-8
 *
 * QEMU takes commands in the order they came, so nobody has to wait for its greeting.
 *
 * Return: the conversation (transfer full), or NULL.
 */
ExmListener *exm_listener_new(const ExmVm *vm, const char *socket_name, const char *command,
                              ExmJson *arguments, GError **error)
{
	g_autoptr(ExmListener) listener = NULL;
	g_autofree char *text = NULL;
	const int fd = exm_control_connect(vm, socket_name, 0, error);

	if (fd < 0)
		return NULL;
	listener = g_new0(ExmListener, 1);
	listener->fd = fd;
	listener->received = g_string_new(NULL);
	text = opening(command, arguments, error);
	if (!text)
		return NULL;
	exm_trace("qmp", "to %s: %s", vm->name, text);
	/* So little fits into the buffer of a new socket at once. */
	if (send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)strlen(text)) {
		exm_throw_errno(error, errno, "cannot talk to guest '%s'", vm->name);
		return NULL;
	}
	return g_steal_pointer(&listener);
}

/**
 * exm_listener_free() - Hang up
 * @listener: may be NULL
 */
void exm_listener_free(ExmListener *listener)
{
	if (!listener)
		return;
	exm_fd_clear(&listener->fd);
	g_string_free(listener->received, TRUE);
	g_free(listener);
}

/**
 * exm_listener_fd() - What to poll for input
 * @listener: the conversation
 */
int exm_listener_fd(const ExmListener *listener)
{
	return listener->fd;
}

/**
 * exm_listener_receive() - Take in what has come, without waiting
 * @listener: the conversation
 *
 * Return: false where the guest has hung up, and all there was has been taken in.
 */
bool exm_listener_receive(ExmListener *listener)
{
	char buffer[4096];
	const ssize_t got = recv(listener->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	g_string_append_len(listener->received, buffer, got);
	return got > 0 && listener->received->len <= LINE_MAX_SIZE;
}

/**
 * exm_listener_next() - Read the next message
 * @listener: the conversation
 *
 * QEMU writes each message as one line (monitor/qmp.c: monitor_qmp_send_json()), unless asked for
 * pretty ones. A line that is no JSON is skipped.
 *
 * Return: the message (transfer full), or NULL where none has come whole.
 */
ExmJson *exm_listener_next(ExmListener *listener)
{
	GString *received = listener->received;
	ExmJson *message = NULL;
	const char *end;

	while (!message && (end = memchr(received->str, '\n', received->len))) {
		const gssize length = end - received->str;

		message = exm_json_parse_plain(received->str, (size_t)length, NULL);
		g_string_erase(received, 0, length + 1);
	}
	if (message)
		exm_trace("qmp", "from QEMU: %s", json_object_get_string(message));
	return message;
}
