/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mover.c - Move guests to another host, one at a time, while other things go on */

#include "op/mover.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/spawn.h"

/**
 * struct ExmMover - What moves guests
 * @words:   of the command; the guest's name and the host follow
 * @host:    where guests go
 * @guest:   that which is on its way, or NULL
 * @process: that moves it
 * @output:  file without a name that takes what it says
 */
struct ExmMover {
	GPtrArray *words;
	char *host;
	char *guest;
	ExmProcess *process;
	int output;
};

static void add_own_words(GPtrArray *words, const char *state_directory)
{
	g_ptr_array_add(words, g_file_read_link("/proc/self/exe", NULL));
	g_ptr_array_add(words, g_strdup("migrate"));
	/* Only what goes wrong is of interest. */
	g_ptr_array_add(words, g_strdup("--quiet"));
	g_ptr_array_add(words, g_strdup("--state-dir"));
	g_ptr_array_add(words, g_strdup(state_directory));
}

static bool add_words(GPtrArray *words, const char *const *command, GError **error)
{
	char *program = command[0] ? g_find_program_in_path(command[0]) : NULL;

	if (!program)
		return exm_throw(error, EXM_ERROR_USAGE, "there is no program '%s'",
		                 command[0] ? command[0] : "");
	g_ptr_array_add(words, program);
	for (command++; *command; command++)
		g_ptr_array_add(words, g_strdup(*command));
	return true;
}

/**
 * exm_mover_new() - Get ready to move guests
 * @command:         words that the guest's name and the host are put behind, NULL-terminated; NULL
 *                   for this program's own migrate
 * @state_directory: where guests are
 * @host:            where they go
 * @error:           USAGE where there is no such program
 *
 * Return: what moves them (transfer full), or NULL.
 */
ExmMover *exm_mover_new(const char *const *command, const char *state_directory, const char *host,
                        GError **error)
{
	g_autoptr(ExmMover) mover = g_new0(ExmMover, 1);

	mover->output = -1;
	mover->host = g_strdup(host);
	mover->words = g_ptr_array_new_with_free_func(g_free);
	if (!command)
		add_own_words(mover->words, state_directory);
	else if (!add_words(mover->words, command, error))
		return NULL;
	return g_steal_pointer(&mover);
}

static void forget_guest(ExmMover *mover)
{
	exm_process_free(g_steal_pointer(&mover->process));
	exm_fd_clear(&mover->output);
	g_clear_pointer(&mover->guest, g_free);
}

/**
 * exm_mover_free() - Free what moves guests; a command that still runs is killed
 * @mover: may be NULL
 */
void exm_mover_free(ExmMover *mover)
{
	if (!mover)
		return;
	forget_guest(mover);
	g_ptr_array_unref(mover->words);
	g_free(mover->host);
	g_free(mover);
}

/**
 * exm_mover_start() - Begin to move a guest
 * @mover: what moves it
 * @guest: its name
 * @error: STATE where another one is on its way; SYSTEM
 */
bool exm_mover_start(ExmMover *mover, const char *guest, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	ExmSpawn spawn = { .input = -1 };

	if (mover->process)
		return exm_throw(error, EXM_ERROR_STATE, "guest '%s' is still on its way",
		                 mover->guest);
	mover->output = memfd_create("moved", MFD_CLOEXEC);
	if (mover->output < 0)
		return exm_throw_errno(error, errno, "make a file for what is said");
	for (guint i = 0; i < mover->words->len; i++)
		g_ptr_array_add(argv, mover->words->pdata[i]);
	mover->guest = g_strdup(guest);
	g_ptr_array_add(argv, mover->guest);
	g_ptr_array_add(argv, mover->host);
	g_ptr_array_add(argv, NULL);
	spawn.argv = (const char *const *)argv->pdata;
	spawn.output = mover->output;
	spawn.errors = mover->output;
	mover->process = exm_process_start(&spawn, error);
	if (!mover->process)
		forget_guest(mover);
	return mover->process;
}

/* The last line is the error. */
static char *last_words(int output)
{
	g_autofree char *text = NULL;
	const char *line;
	size_t length;

	if (lseek(output, 0, SEEK_SET) < 0 || !exm_fd_read_all(output, &text, &length, NULL))
		return g_strdup("it says nothing");
	g_strchomp(text);
	line = strrchr(text, '\n');
	return g_strdup(line ? line + 1 : text);
}

/**
 * exm_mover_wait() - Wait until the guest that is on its way has moved, or stays
 * @mover:       what moves it
 * @timeout_ms:  at most that long
 * @ret_guest:   which it was (transfer full)
 * @ret_problem: why it has not moved (transfer full), or NULL
 *
 * Return: false where none is on its way, or one still is; then nothing is set.
 */
bool exm_mover_wait(ExmMover *mover, int timeout_ms, char **ret_guest, char **ret_problem)
{
	int status;

	if (!mover->process || !exm_process_wait(mover->process, timeout_ms, &status))
		return false;
	*ret_problem = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL
	                                                             : last_words(mover->output);
	*ret_guest = g_steal_pointer(&mover->guest);
	forget_guest(mover);
	return true;
}
