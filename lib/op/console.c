/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c - A terminal on a detached guest's serial line */

#include "op/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/control.h"
#include "host/lock.h"
#include "host/log_reader.h"
#include "host/state.h"
#include "host/terminal.h"
#include "op/reclaim.h"
#include "plan/console.h"

/* How much of the log is shown at first. */
#define SCROLLBACK 65536

/* When an input that is no terminal has ended: the guest answers until it is silent for so long... */
#define SILENCE_US 1000000
/* ... and at most for so long in all. */
#define ANSWER_US 10000000

/* What poll(2) looks at. */
enum { FD_SIGNAL, FD_INPUT, FD_OUTPUT, FD_GUEST, FD_COUNT };

/**
 * struct Flow - Bytes on their way
 * @data:  the bytes
 * @start: the next one to hand on
 * @end:   behind the last one
 */
typedef struct {
	char data[4096];
	size_t start;
	size_t end;
} Flow;

/**
 * struct Session - An attached console
 * @request:     whose, and where to
 * @terminal:    the input, and the signals
 * @guest:       socket of the serial line
 * @key_counts:  the input is a terminal, so the detach key leaves
 * @to_guest:    what was typed
 * @from_guest:  what the guest said
 * @input_ended: when the input ended, or 0
 * @last_word:   when the guest said something last
 * @ended:       the console is left
 * @end:         why
 */
typedef struct {
	const ExmConsoleRequest *request;
	ExmTerminal *terminal;
	int guest;
	bool key_counts;
	Flow to_guest;
	Flow from_guest;
	gint64 input_ended;
	gint64 last_word;
	bool ended;
	ExmConsoleEnd end;
} Session;

static bool is_empty(const Flow *flow)
{
	return flow->start == flow->end;
}

static void fill(Flow *flow, size_t count)
{
	flow->start = 0;
	flow->end = count;
}

static void leave(Session *session, ExmConsoleReason reason, int signal)
{
	session->ended = true;
	session->end = (ExmConsoleEnd){ reason, signal };
}

static void end_input(Session *session)
{
	if (session->key_counts)
		leave(session, EXM_CONSOLE_DETACHED, 0);
	else
		session->input_ended = session->last_word = g_get_monotonic_time();
}

static void send_to_guest(Session *session)
{
	Flow *flow = &session->to_guest;
	const ssize_t count = send(session->guest, flow->data + flow->start,
	                           flow->end - flow->start, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (count >= 0)
		flow->start += (size_t)count;
	else if (errno != EAGAIN && errno != EINTR)
		/* It has ended; what it said before can still be read. */
		fill(flow, 0);
}

static bool read_input(Session *session, GError **error)
{
	Flow *flow = &session->to_guest;
	const ssize_t count = read(session->request->input, flow->data, sizeof(flow->data));
	const char *key = NULL;

	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	/* EIO: a terminal that was hung up. */
	if (count < 0 && errno != EIO)
		return exm_throw_errno(error, errno, "read standard input");
	if (count <= 0) {
		end_input(session);
		return true;
	}
	if (session->key_counts)
		key = memchr(flow->data, session->request->detach_key, (size_t)count);
	fill(flow, key ? (size_t)(key - flow->data) : (size_t)count);
	send_to_guest(session);
	if (key)
		leave(session, EXM_CONSOLE_DETACHED, 0);
	return true;
}

static bool write_output(Session *session, GError **error)
{
	Flow *flow = &session->from_guest;
	const ssize_t count = write(session->request->output, flow->data + flow->start,
	                            flow->end - flow->start);

	if (count < 0 && errno != EINTR && errno != EAGAIN)
		return exm_throw_errno(error, errno, "write standard output");
	flow->start += count < 0 ? 0 : (size_t)count;
	return true;
}

static bool read_guest(Session *session, GError **error)
{
	Flow *flow = &session->from_guest;
	const ssize_t count = recv(session->guest, flow->data, sizeof(flow->data), MSG_DONTWAIT);

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	/* ECONNRESET: it ended without reading all that was typed. */
	if (count < 0 && errno != ECONNRESET)
		return exm_throw_errno(error, errno, "read the console of guest '%s'",
		                       session->request->name);
	session->last_word = g_get_monotonic_time();
	if (count <= 0)
		leave(session, EXM_CONSOLE_GUEST_ENDED, 0);
	else
		fill(flow, (size_t)count);
	return true;
}

/* A descriptor on which nothing is awaited is left out: poll(2) would report its hang-up for ever. */
static void await(struct pollfd *polled, int fd, int events)
{
	*polled = (struct pollfd){ .fd = events ? fd : -1, .events = (short)events };
}

/* When the guest's answer is taken to be over; G_MAXINT64 while there is still input. */
static gint64 answer_deadline(const Session *session)
{
	if (!session->input_ended)
		return G_MAXINT64;
	return MIN(session->last_word + SILENCE_US, session->input_ended + ANSWER_US);
}

static bool wait_for_work(const Session *session, struct pollfd *polled)
{
	const bool typed = !is_empty(&session->to_guest);
	const bool said = !is_empty(&session->from_guest);
	const gint64 deadline = answer_deadline(session);
	const gint64 left_us = deadline - g_get_monotonic_time();
	const int timeout_ms = deadline == G_MAXINT64 ? -1 : (int)(MAX(left_us, 0) / 1000) + 1;

	await(&polled[FD_SIGNAL], exm_terminal_signal_fd(session->terminal), POLLIN);
	await(&polled[FD_INPUT], session->request->input, typed || session->input_ended ? 0 : POLLIN);
	await(&polled[FD_OUTPUT], session->request->output, said ? POLLOUT : 0);
	await(&polled[FD_GUEST], session->guest, (typed ? POLLOUT : 0) | (said ? 0 : POLLIN));
	return poll(polled, FD_COUNT, timeout_ms) > 0;
}

static bool do_work(Session *session, const struct pollfd *polled, GError **error)
{
	const int signal = polled[FD_SIGNAL].revents ? exm_terminal_take_signal(session->terminal)
	                                             : 0;

	if (signal) {
		leave(session, EXM_CONSOLE_SIGNALLED, signal);
		return true;
	}
	if (polled[FD_OUTPUT].revents && !write_output(session, error))
		return false;
	if (polled[FD_GUEST].revents && !is_empty(&session->to_guest))
		send_to_guest(session);
	if (polled[FD_GUEST].revents && is_empty(&session->from_guest) && !read_guest(session, error))
		return false;
	return !polled[FD_INPUT].revents || session->ended || read_input(session, error);
}

static bool copy_until_left(Session *session, GError **error)
{
	struct pollfd polled[FD_COUNT];

	while (!session->ended) {
		if (wait_for_work(session, polled) && !do_work(session, polled, error))
			return false;
		if (!session->ended && g_get_monotonic_time() >= answer_deadline(session))
			leave(session, EXM_CONSOLE_INPUT_ENDED, 0);
	}
	return true;
}

/* QEMU serves one client, and lets a second one wait without a word. */
static bool lock_console(const ExmVm *vm, int *ret_fd, GError **error)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_CONSOLE_LOCK, NULL);
	exm_autofd int fd = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool taken;

	if (fd < 0)
		return exm_throw_errno(error, errno, "make '%s'", path);
	if (!exm_lock_take(fd, false, &taken, error))
		return false;
	if (!taken)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "the console of guest '%s' is in use (pid %d)", vm->name,
		                 (int)exm_lock_holder(fd));
	*ret_fd = g_steal_fd(&fd);
	return true;
}

static bool check_console(const ExmVm *vm, GError **error)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_CONSOLE, NULL);

	if (!vm->detached)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' was not started by --detach: its console is where it was "
		                 "started",
		                 vm->name);
	if (!exm_control_check(vm, error))
		return false;
	if (access(path, F_OK) < 0)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' has no console: start it with -nographic or -serial stdio",
		                 vm->name);
	return true;
}

static bool read_log_end(const ExmVm *vm, GString *text)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_LOG, NULL);
	g_autoptr(ExmLogReader) reader = exm_log_reader_new(path, NULL);
	char block[4096];
	size_t length;
	bool whole;

	if (!reader)
		return true;
	whole = exm_log_reader_skip(reader, SCROLLBACK);
	while (exm_log_reader_read(reader, block, sizeof(block), &length, NULL) && length > 0)
		g_string_append_len(text, block, (gssize)length);
	return whole;
}

/* A log that cannot be read is no reason to have no console. */
static bool show_scrollback(const ExmVm *vm, int output, GError **error)
{
	g_autoptr(GString) log = g_string_new(NULL);
	const bool whole = read_log_end(vm, log);
	g_autoptr(GString) text = exm_console_scrollback(log->str, log->len, whole);

	return exm_fd_write_all(output, text->str, text->len, "standard output", error);
}

/**
 * exm_op_console() - Be a guest's terminal
 * @request: whose, and where to
 * @ret_end: why it was left
 * @error:   STATE where there is no such guest, it has no console, or somebody else is there
 *
 * A guest that was paused to disk is woken.
 *
 * Whatever happens, the terminal has its modes back when this returns.
 *
 * An input that is no terminal is typed into the guest to its end, whatever characters it has, and
 * the guest's answer is awaited. It gets no scrollback, so that nothing but the answer comes.
 */
bool exm_op_console(const ExmConsoleRequest *request, ExmConsoleEnd *ret_end, GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(request->state_directory, request->name, error);
	Session session = {
		.request = request,
		.key_counts = exm_terminal_is_one(request->input),
	};
	g_autoptr(ExmTerminal) terminal = NULL;
	exm_autofd int guest = -1;
	exm_autofd int lock = -1;

	if (!vm || !check_console(vm, error) || !lock_console(vm, &lock, error))
		return false;
	guest = exm_control_connect(vm, EXM_VM_CONSOLE, 0, error);
	if (guest < 0 || (exm_guest_is_asleep(vm) && !exm_wake_up(vm, error)))
		return false;
	if (session.key_counts && !show_scrollback(vm, request->output, error))
		return false;
	request->attached(session.key_counts);
	terminal = exm_terminal_new(request->input, error);
	if (!terminal)
		return false;
	session.terminal = terminal;
	session.guest = guest;
	if (!copy_until_left(&session, error))
		return false;
	*ret_end = session.end;
	return true;
}
