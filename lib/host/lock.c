/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock.c - flock(2) on a file, and who holds it */

#include "host/lock.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/fd.h"

/* Between two tries: most hold a lock for less. */
#define PAUSE_US 500UL

/**
 * exm_lock_take() - Take a file's lock without waiting
 * @fd:        the lock belongs to this descriptor and its duplicates, across exec
 * @shared:    others may hold it too
 * @ret_taken: false where somebody else holds it
 * @error:     SYSTEM where the file system has no locks
 */
bool exm_lock_take(int fd, bool shared, bool *ret_taken, GError **error)
{
	int result;

	do {
		result = flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
	} while (result < 0 && errno == EINTR);
	if (result < 0 && errno != EWOULDBLOCK)
		return exm_throw_errno(error, errno, "lock");
	*ret_taken = result == 0;
	return true;
}

/**
 * exm_lock_wait() - Take a file's lock, from one who is about to let go of it
 * @fd:          as in exm_lock_take()
 * @shared:      as in exm_lock_take()
 * @patience_us: microseconds
 * @ret_taken:   false where somebody else has held it all the time
 * @error:       SYSTEM where the file system has no locks
 */
bool exm_lock_wait(int fd, bool shared, int64_t patience_us, bool *ret_taken, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + patience_us;

	while (exm_lock_take(fd, shared, ret_taken, error)) {
		if (*ret_taken || g_get_monotonic_time() > deadline)
			return true;
		g_usleep(PAUSE_US);
	}
	return false;
}

/* Field of a line of /proc/locks, counted from 0. */
enum { FIELD_TYPE = 1, FIELD_PID = 4, FIELD_FILE = 5, FIELD_COUNT = 8 };

static void lock_free(gpointer data)
{
	ExmLock *lock = data;

	g_free(lock->file);
	g_free(lock);
}

static void add_line(const char *line, GPtrArray *locks)
{
	g_autofree char *packed = g_strdup(line);
	g_auto(GStrv) fields = NULL;
	ExmLock *lock;

	/* Columns are padded with spaces. */
	for (char *space; (space = strstr(packed, "  "));)
		memmove(space, space + 1, strlen(space));
	fields = g_strsplit(packed, " ", -1);
	if (g_strv_length(fields) < FIELD_COUNT || strcmp(fields[FIELD_TYPE], "FLOCK") != 0)
		return;
	lock = g_new0(ExmLock, 1);
	lock->pid = (pid_t)g_ascii_strtoll(fields[FIELD_PID], NULL, 10);
	lock->file = g_strdup(fields[FIELD_FILE]);
	g_ptr_array_add(locks, lock);
}

/**
 * exm_locks_read() - Read which processes hold which flock(2) locks
 *
 * From /proc/locks (Linux, fs/locks.c, lock_get_status()): "1: FLOCK  ADVISORY  WRITE 1234
 * fe:00:10952717 0 EOF", with the device in hexadecimal. The kernel names the process that took the
 * lock.
 *
 * Return: of ExmLock (transfer full); those of other pid namespaces are missing.
 */
GPtrArray *exm_locks_read(void)
{
	GPtrArray *locks = g_ptr_array_new_with_free_func(lock_free);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!exm_file_read("/proc/locks", &text, NULL, NULL))
		return locks;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		add_line(*line, locks);
	return locks;
}

/**
 * exm_lock_name() - Name a file as /proc/locks does
 * @status: of the file
 *
 * Return: "fe:00:10952717" (transfer full).
 */
char *exm_lock_name(const struct stat *status)
{
	return g_strdup_printf("%02x:%02x:%lu", major(status->st_dev), minor(status->st_dev),
	                       (unsigned long)status->st_ino);
}

/**
 * exm_lock_holder() - Who holds a file's lock
 * @fd: the file
 *
 * Return: its pid, or 0 where the kernel does not say: another host, another pid namespace, or a
 * file system whose files have device numbers of their own.
 */
pid_t exm_lock_holder(int fd)
{
	g_autoptr(GPtrArray) locks = NULL;
	g_autofree char *file = NULL;
	struct stat status;

	if (fstat(fd, &status) < 0)
		return 0;
	file = exm_lock_name(&status);
	locks = exm_locks_read();
	for (guint i = 0; i < locks->len; i++)
		if (strcmp(((const ExmLock *)locks->pdata[i])->file, file) == 0)
			return ((const ExmLock *)locks->pdata[i])->pid;
	return 0;
}
