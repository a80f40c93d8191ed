/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_parent.c - The process that is the parent of a detached QEMU, and records how it ended */

#include "host/guest_parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "host/budget.h"
#include "host/child_process.h"
#include "host/guest_end.h"
#include "host/lock.h"
#include "plan/end.h"
#include "plan/vm.h"

/* Where the process has its end of the channel; it has no terminal, and nothing else of its parent's. */
#define FD_CHANNEL STDIN_FILENO

/* A QMP message that is longer is passed over: an event SHUTDOWN has 150 bytes. */
#define MESSAGE_MAX 65536

/* How long the log keeper may take to write what QEMU wrote last. */
#define LOG_PATIENCE_US 1000000

/* An OOM kill that is no older than this is taken for the reason of a SIGKILL: memory takes time to free. */
#define OOM_AGE_US G_TIME_SPAN_MINUTE

static const char begins = 'b';
static const char hello[] = "{\"execute\":\"qmp_capabilities\"}\n";

/* Signals that are meant for others: the guest's end would not be recorded. */
static const int ignored_signals[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };

/**
 * struct Parent - What the process needs
 * @guest:     its child, which becomes QEMU
 * @directory: path of the guest's directory, until @folder is open
 * @folder:    the guest's directory, whose lock says that the end is not recorded yet
 * @process:   a pidfd of the child
 * @channel:   FD_CHANNEL, a QMP monitor as soon as the child is QEMU; -1 when QEMU has closed it
 * @events:    memory.events of the child's control group, or -1
 * @group:     path of that file
 * @kills:     what @events counted last
 * @killed_at: monotonic microseconds at which @kills grew, or 0
 * @oom:       what exm_budget_describe() said then; a group may be gone before its last process is
 * @message:   beginning of a QMP message
 * @shutdown:  reason of the last event SHUTDOWN, or NULL
 * @greeted:   whether the child has become QEMU and said so
 */
typedef struct {
	pid_t guest;
	const char *directory;
	int folder;
	int process;
	int channel;
	int events;
	char *group;
	uint64_t kills;
	gint64 killed_at;
	char *oom;
	GString *message;
	char *shutdown;
	bool greeted;
} Parent;

/* For the signal handler. */
static volatile sig_atomic_t guest_pid;

/* The guest is not reaped before the process ends, so that no other process has its number. */
static void kill_guest(G_GNUC_UNUSED int signal_number)
{
	kill((pid_t)guest_pid, SIGKILL);
}

static void set_signals(const Parent *parent)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ignored_signals); i++)
		signal(ignored_signals[i], SIG_IGN);
	guest_pid = parent->guest;
	signal(EXM_GUEST_PARENT_KILL, kill_guest);
}

/* As a shell reports it. */
static G_GNUC_NORETURN void exit_as_guest(const Parent *parent)
{
	int status = 0;

	if (TEMP_FAILURE_RETRY(waitpid(parent->guest, &status, 0)) < 0)
		_exit(1);
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void watch_events(Parent *parent)
{
	exm_fd_clear(&parent->events);
	g_free(parent->group);
	parent->kills = 0;
	parent->group = exm_budget_events(parent->guest);
	parent->events = parent->group ? open(parent->group, O_RDONLY | O_CLOEXEC) : -1;
	if (parent->events >= 0 && !exm_budget_kills(parent->events, &parent->kills))
		exm_fd_clear(&parent->events);
}

/* In the guest's directory from now on, whatever becomes of its path. Returns 0 or an errno. */
static int take_up(Parent *parent)
{
	bool taken;

	parent->folder = open(parent->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (parent->folder < 0)
		return errno;
	if (!exm_lock_take(parent->folder, false, &taken, NULL) || !taken)
		return EBUSY;
	parent->process = pidfd_open(parent->guest, 0);
	if (parent->process < 0 || setsid() < 0 || chdir("/") < 0)
		return errno;
	set_signals(parent);
	watch_events(parent);
	prctl(PR_SET_NAME, "exomem-guest");
	/* From now on the guest stays when the process ends that started it. */
	prctl(PR_SET_PDEATHSIG, 0);
	return 0;
}

/* A group that is gone would be reported by poll(2) without end. */
static void read_kills(Parent *parent)
{
	uint64_t kills = 0;

	if (parent->events >= 0 && !exm_budget_kills(parent->events, &kills))
		exm_fd_clear(&parent->events);
	if (kills > parent->kills) {
		parent->kills = kills;
		parent->killed_at = g_get_monotonic_time();
		g_free(parent->oom);
		parent->oom = exm_budget_describe(parent->group);
	}
}

static void take_message(Parent *parent)
{
	g_autoptr(ExmJson) json = NULL;

	if (!strstr(parent->message->str, "\"SHUTDOWN\""))
		return;
	json = exm_json_parse_plain(parent->message->str, parent->message->len, NULL);
	if (g_strcmp0(exm_json_get_string(json, "event"), "SHUTDOWN") != 0)
		return;
	g_free(parent->shutdown);
	parent->shutdown = g_strdup(exm_json_get_string(exm_json_member(json, "data"), "reason"));
}

/* Returns whether there may be more. */
static bool read_channel(Parent *parent)
{
	static char block[4096];
	const ssize_t count = TEMP_FAILURE_RETRY(
		recv(parent->channel, block, sizeof(block), MSG_DONTWAIT));

	if (count < 0 && errno == EAGAIN)
		return false;
	if (count <= 0) {
		parent->channel = -1;
		return false;
	}
	if (!parent->greeted)
		/* It may have gone to a group of its own before. */
		watch_events(parent);
	parent->greeted = true;
	for (ssize_t i = 0; i < count; i++) {
		if (block[i] == '\n') {
			take_message(parent);
			g_string_truncate(parent->message, 0);
		} else if (parent->message->len < MESSAGE_MAX) {
			g_string_append_c(parent->message, block[i]);
		}
	}
	return true;
}

static void watch(Parent *parent)
{
	bool ended = false;

	while (!ended) {
		struct pollfd polled[] = {
			{ .fd = parent->process, .events = POLLIN },
			{ .fd = parent->channel, .events = POLLIN },
			{ .fd = parent->events, .events = POLLPRI },
		};

		if (poll(polled, G_N_ELEMENTS(polled), -1) < 0)
			continue;
		ended = polled[0].revents != 0;
		if (polled[2].revents)
			read_kills(parent);
		if (polled[1].revents)
			read_channel(parent);
	}
	while (parent->channel >= 0 && read_channel(parent))
		;
}

/* A group of the guest's own has lost no other process. It may have been made after the guest began. */
static char *find_oom(Parent *parent)
{
	exm_autofd int record = openat(parent->folder, EXM_VM_CGROUP,
	                               O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	g_autofree char *own = record < 0 ? NULL : exm_budget_own_events(record);
	exm_autofd int events = own ? open(own, O_RDONLY | O_CLOEXEC) : -1;
	uint64_t kills = 0;

	if (events >= 0 && exm_budget_kills(events, &kills))
		return kills ? exm_budget_describe(own) : NULL;
	read_kills(parent);
	if (parent->killed_at && g_get_monotonic_time() - parent->killed_at < OOM_AGE_US)
		return g_steal_pointer(&parent->oom);
	return NULL;
}

/* What can be seen of the end while the guest is still a zombie, so that its number is its own. */
static void record_end(Parent *parent)
{
	g_autofree char *line = exm_guest_end_line(parent->folder, LOG_PATIENCE_US);
	g_autofree char *announced = exm_guest_end_announced(parent->folder);
	g_autofree char *memory = NULL;
	g_autofree char *oom = find_oom(parent);
	g_autoptr(ExmEnd) end = NULL;
	siginfo_t info = { 0 };
	ExmEndFacts facts = {
		.time = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC),
		.shutdown = parent->shutdown,
		.announced = announced,
		.line = line,
		.out_of_memory = oom,
	};

	if (waitid(P_PID, (id_t)parent->guest, &info, WEXITED | WNOWAIT) < 0)
		return;
	if (info.si_code == CLD_EXITED)
		facts.status = info.si_status;
	else
		facts.signal = info.si_status;
	if (facts.signal == SIGBUS)
		memory = exm_guest_end_memory(parent->folder);
	facts.memory = memory;
	end = exm_end_new(&facts);
	exm_guest_end_write(parent->folder, end);
}

/* QMP begins behind the answer: QEMU reads it when it has a monitor. */
static bool answer(const Parent *parent, int problem)
{
	char text[sizeof(problem) + sizeof(hello)];
	const size_t length = sizeof(problem) + (problem == 0 ? strlen(hello) : 0);

	memcpy(text, &problem, sizeof(problem));
	memcpy(text + sizeof(problem), hello, sizeof(hello));
	return TEMP_FAILURE_RETRY(write(parent->channel, text, length)) == (ssize_t)length;
}

/* Until the child asks to begin, both end with the process that started them. */
static G_GNUC_NORETURN void be_parent(Parent *parent)
{
	char word;
	int problem;

	if (TEMP_FAILURE_RETRY(read(parent->channel, &word, 1)) != 1)
		exit_as_guest(parent);
	problem = take_up(parent);
	if (!answer(parent, problem) || problem != 0) {
		/* The child does not wait for an answer that cannot come. */
		close(parent->channel);
		exit_as_guest(parent);
	}
	watch(parent);
	record_end(parent);
	exit_as_guest(parent);
}

/* All else would be held open, and locked, for as long as the guest lives. */
static bool keep_only_channel(int channel)
{
	static const int kept[] = { FD_CHANNEL, -1 };

	return dup2(channel, FD_CHANNEL) == FD_CHANNEL && exm_fd_close_all_but(kept);
}

/**
 * struct Start - What the child is given
 * @work:    what it does
 * @user:    passed to @work
 * @ours:    the parent's end of the channel
 * @channel: the child's end
 */
typedef struct {
	ExmGuestWork work;
	void *user;
	int ours;
	int channel;
} Start;

static void work_in_child(void *user)
{
	const Start *start = user;

	close(start->ours);
	start->work(start->channel, start->user);
}

/**
 * exm_guest_parent_run() - Fork the process that becomes a guest, and stay as its parent until it ends
 * @directory: of the guest; it need not be there yet
 * @work:      what the child does
 * @user:      passed to @work
 * @error:     SYSTEM
 *
 * This process, called "exomem-guest" then, exits as its child does, or with 128 and the number of
 * the signal that killed the child. Before exm_guest_parent_begin() the child is killed when this
 * process ends.
 *
 * Return: false, where the process cannot be forked; else it does not return.
 */
bool exm_guest_parent_run(const char *directory, ExmGuestWork work, void *user, GError **error)
{
	Parent parent = { .directory = directory, .folder = -1, .process = -1, .events = -1 };
	Start start = { .work = work, .user = user };
	const ExmChildProcess process = {
		.work = work_in_child,
		.user = &start,
		.death_signal = SIGKILL,
	};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return exm_throw_errno(error, errno, "make a socket");
	start.ours = ends[0];
	start.channel = ends[1];
	if (!exm_child_process_start(&process, &parent.guest, error))
		return false;
	if (!keep_only_channel(ends[0])) {
		/* The child sees the end of the channel, and fails. */
		close(ends[0]);
		close(FD_CHANNEL);
		exit_as_guest(&parent);
	}
	parent.channel = FD_CHANNEL;
	parent.message = g_string_new(NULL);
	be_parent(&parent);
}

/**
 * exm_guest_parent_begin() - Have the parent watch the guest, whose directory is there now
 * @channel: the child's end, which QEMU is to have as a QMP monitor
 * @error:   SYSTEM
 */
bool exm_guest_parent_begin(int channel, GError **error)
{
	int problem = EPIPE;

	if (send(channel, &begins, 1, MSG_NOSIGNAL) != 1 ||
	    TEMP_FAILURE_RETRY(recv(channel, &problem, sizeof(problem), MSG_WAITALL)) !=
	            sizeof(problem))
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 "the process that is to watch the guest has ended");
	return problem == 0 || exm_throw_errno(error, problem, "watch the guest");
}
