/* SPDX-License-Identifier: GPL-2.0-or-later */
/* incoming.c - Guests that wait for their device state, and which process is to load it */

#include "host/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/pidfd.h"
#include "host/state.h"

/**
 * exm_incoming_note() - Write down which process loads the state of an incoming guest
 * @directory: of the guest
 * @leader:    the process
 * @then:      EXM_INCOMING_RESUMES or EXM_INCOMING_RESTS before the state is loaded that the guest
 *             has alone from then on, or may run with; else NULL
 * @error:     SYSTEM or NO_ROOM
 */
bool exm_incoming_note(const char *directory, pid_t leader, const char *then, GError **error)
{
	g_autofree char *path = g_build_filename(directory, EXM_VM_INCOMING, NULL);
	g_autofree char *text = NULL;
	uint64_t start = 0;

	if (!exm_state_start_time(leader, &start, error))
		return false;
	text = g_strdup_printf("%d %" G_GUINT64_FORMAT " %s\n", (int)leader, start, then ? then : "");
	return exm_file_write_atomic(path, text, strlen(text), 0600, error);
}

static char *read_note(int directory)
{
	exm_autofd int fd = openat(directory, EXM_VM_INCOMING,
	                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = NULL;

	return fd >= 0 && exm_fd_read_all(fd, &text, NULL, NULL) ? text : NULL;
}

/**
 * exm_incoming_is_abandoned() - Whether nobody will load the state of an incoming guest any more
 * @directory: descriptor of the guest's directory
 *
 * Such a guest has never run. Where nothing is known of the process that is to load the state, the
 * guest is not abandoned.
 */
bool exm_incoming_is_abandoned(int directory)
{
	g_autofree char *text = read_note(directory);
	g_auto(GStrv) words = g_strsplit(text ? text : "", " ", 3);
	const gint64 leader = words[0] ? g_ascii_strtoll(words[0], NULL, 10) : 0;
	uint64_t start = 0;
	exm_autofd int process = -1;

	if (g_strv_length(words) < 2 || leader <= 0 || leader > G_MAXINT)
		return false;
	process = pidfd_open((pid_t)leader, 0);
	if (process < 0)
		return errno == ESRCH;
	/* One that nobody has reaped has ended, too. */
	return exm_state_start_time((pid_t)leader, &start, NULL) &&
	       (start != g_ascii_strtoull(words[1], NULL, 10) || exm_pidfds_wait(&process, 1, 0));
}

/**
 * exm_incoming_then() - What becomes of an incoming guest that has its state
 * @directory: descriptor of the guest's directory
 *
 * Return: EXM_INCOMING_RESUMES or EXM_INCOMING_RESTS (static); NULL for one that has never run, and
 * whose state can be loaded by another QEMU.
 */
const char *exm_incoming_then(int directory)
{
	g_autofree char *text = read_note(directory);

	if (text && strstr(text, " " EXM_INCOMING_RESUMES "\n"))
		return EXM_INCOMING_RESUMES;
	return text && strstr(text, " " EXM_INCOMING_RESTS "\n") ? EXM_INCOMING_RESTS : NULL;
}

/**
 * exm_incoming_leave() - Note that a guest has its state, and may run from now on
 * @vm: the guest
 */
void exm_incoming_leave(const ExmVm *vm)
{
	g_autofree char *path = g_build_filename(vm->directory, EXM_VM_INCOMING, NULL);

	unlink(path);
}
