/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance_note.c - What `exomem balance` leaves for those who start guests */

#include "host/balance_note.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "host/directory.h"
#include "host/lock.h"
#include "host/state_root.h"

/* In a state directory, beside guests, whose names never begin with a dot; exomem-balance(1). */
#define NOTE_FILE ".balance.json"
#define LOCK_FILE ".balance.lock"

/* Longer than one who asks whether it is held needs for that. */
#define PATIENCE_US 500000

/* One that was killed while it wrote its note has left it under a random name. */
static void remove_unfinished(const char *state_directory)
{
	g_autoptr(ExmDirectory) entries = exm_directory_open_at(AT_FDCWD, state_directory);
	const struct dirent *entry;

	while (entries && (entry = exm_directory_next(entries)))
		if (g_str_has_prefix(entry->d_name, NOTE_FILE "."))
			unlinkat(dirfd(entries), entry->d_name, 0);
}

/**
 * exm_balance_note_lock() - Be the one who balances
 * @state_directory: made where it is missing
 * @ret_fd:          until it is closed; what the note says counts as long
 * @error:           STATE where somebody else does
 */
bool exm_balance_note_lock(const char *state_directory, int *ret_fd, GError **error)
{
	g_autofree char *path = g_build_filename(state_directory, LOCK_FILE, NULL);
	exm_autofd int fd = -1;
	bool taken;

	if (!exm_state_root_make(state_directory, error))
		return false;
	fd = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return exm_throw_errno(error, errno, "make '%s'", path);
	if (!exm_lock_wait(fd, false, PATIENCE_US, &taken, error))
		return false;
	if (!taken)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'exomem balance' is at work here already (pid %d)",
		                 (int)exm_lock_holder(fd));
	remove_unfinished(state_directory);
	*ret_fd = g_steal_fd(&fd);
	return true;
}

/**
 * exm_balance_note_write() - Tell those who start guests
 * @state_directory: whose lock is held
 * @state:           of the host, by the policy
 * @refuses:         no new guests
 * @error:           SYSTEM or NO_ROOM
 */
bool exm_balance_note_write(const char *state_directory, const char *state, bool refuses,
                            GError **error)
{
	g_autofree char *path = g_build_filename(state_directory, NOTE_FILE, NULL);
	g_autoptr(ExmJson) json = json_object_new_object();
	g_autofree char *text = NULL;

	exm_json_set_uint(json, "schema", 1);
	exm_json_set_string(json, "state", state);
	exm_json_set_bool(json, "refuses", refuses);
	exm_json_set_uint(json, "pid", (uint64_t)getpid());
	text = exm_json_print(json, false);
	return exm_file_write_atomic(path, text, strlen(text), 0600, error);
}

/**
 * exm_balance_note_remove() - Take back what was told
 * @state_directory: whose lock is held
 */
void exm_balance_note_remove(const char *state_directory)
{
	g_autofree char *path = g_build_filename(state_directory, NOTE_FILE, NULL);

	unlink(path);
}

/**
 * exm_balance_note_clean() - Remove the note of an `exomem balance` that was killed
 * @state_directory: the directory of the note; the note need not exist
 */
void exm_balance_note_clean(const char *state_directory)
{
	g_autofree char *path = g_build_filename(state_directory, LOCK_FILE, NULL);
	exm_autofd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	bool taken;

	if (fd < 0 || !exm_lock_take(fd, false, &taken, NULL) || !taken)
		return;
	remove_unfinished(state_directory);
	exm_balance_note_remove(state_directory);
}

static bool is_held(const char *state_directory)
{
	g_autofree char *path = g_build_filename(state_directory, LOCK_FILE, NULL);
	exm_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool taken;

	/* Two who ask at once must not take each other for the one. */
	return fd >= 0 && exm_lock_take(fd, true, &taken, NULL) && !taken;
}

/**
 * exm_balance_note_refusal() - Why no guest is to be started
 * @state_directory: where it would be
 *
 * What one has left that was killed does not count: the lock is the kernel's.
 *
 * Return: the reason (transfer full), or NULL.
 */
char *exm_balance_note_refusal(const char *state_directory)
{
	g_autofree char *path = g_build_filename(state_directory, NOTE_FILE, NULL);
	g_autofree char *text = NULL;
	g_autoptr(ExmJson) json = NULL;
	size_t length;

	if (!exm_file_read(path, &text, &length, NULL))
		return NULL;
	json = exm_json_parse(text, length, NULL);
	if (!json || !exm_json_get_bool(json, "refuses") || !is_held(state_directory))
		return NULL;
	return g_strdup_printf("'exomem balance' (pid %" G_GUINT64_FORMAT
	                       ") lets no new guest in: state %s",
	                       exm_json_get_uint(json, "pid"), exm_json_get_string(json, "state"));
}
