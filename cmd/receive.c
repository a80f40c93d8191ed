/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.c - exomem receive: take a guest that another host hands over */

#include "op/receive.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "plan/path_map.h"
#include "trust.h"

static struct {
	char *qemu;
	char **path_maps;
	char *state_directory;
	char *config;
	gboolean overcommit;
	gboolean private;
	gboolean paused;
	char *trust;
	gboolean trust_mount;
	gboolean quiet;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("config", &opt.config, "read this configuration", "FILE"),
	EXM_OPTION_FLAG("overcommit", &opt.overcommit, "take it even where it does not fit"),
	EXM_OPTION_LIST("path-map", &opt.path_maps, "what is called so there is called so here",
	                "THERE=HERE"),
	EXM_OPTION_FLAG("paused", &opt.paused, "it does not run until 'cont' over QMP"),
	EXM_OPTION_FLAG("private", &opt.private, "what it writes goes to memory of its own"),
	EXM_OPTION_TEXT("qemu", &opt.qemu, "run it in this QEMU", "PATH"),
	EXM_OPTION_SHORT_FLAG("quiet", 'q', &opt.quiet, "print nothing"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_TEXT("trust", &opt.trust,
	                "take a state that another user wrote, with this manifest", "SHA256"),
	EXM_OPTION_FLAG("trust-mount", &opt.trust_mount,
	                "warn of a file system that would be refused"),
	EXM_OPTION_END,
};

static bool read_path_maps(ExmReceiveRequest *request, GError **error)
{
	for (char **text = opt.path_maps; text && *text; text++) {
		ExmPathMap *map = exm_path_map_parse(*text, error);

		if (!map)
			return false;
		g_ptr_array_add(request->path_maps, map);
	}
	return true;
}

/* What QEMU or anybody else prints must not come between the words of the two. */
static bool serve(const ExmReceiveRequest *request, const ExmSources *sources, GError **error)
{
	exm_autofd int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	exm_autofd int output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	exm_autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (input < 0 || output < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'-' is for the other end of 'exomem migrate', on standard input and "
		                 "output");
	return exm_op_receive_serve(request, sources, VERSION, g_steal_fd(&input),
	                            g_steal_fd(&output), error);
}

static bool receive(ExmReceiveRequest *request, const char *word, const ExmSources *sources,
                    GError **error)
{
	g_autofree char *directory = g_canonicalize_filename(word, NULL);
	g_autofree char *name = NULL;

	exm_trust_ask(directory, &opt.trust);
	request->trust = opt.trust;
	if (!exm_op_receive(request, directory, sources, exm_output_warning, &name, error))
		return false;
	if (!opt.quiet)
		printf("%s\n", name);
	return true;
}

static void map_free(gpointer map)
{
	exm_path_map_free(map);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	g_autofree char *state_directory = NULL;
	g_autoptr(GPtrArray) maps = g_ptr_array_new_with_free_func(map_free);
	const ExmSources sources = { .cache_directory = cache, .qemu = opt.qemu };
	ExmReceiveRequest request = {
		.is_private = opt.private,
		.paused = opt.paused,
		.trust_mount = opt.trust_mount,
		.path_maps = maps,
		.overcommit = opt.overcommit,
	};
	g_autoptr(ExmConfig) config = NULL;
	g_autoptr(ExmMemoryConfig) store = NULL;

	if (!exm_trust_check(opt.trust, error))
		return false;
	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "name the directory that 'exomem migrate' has left");
	if (words[1])
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is one word too many", words[1]);
	if (!read_path_maps(&request, error) ||
	    !exm_state_directory_for_change(opt.state_directory, false, &state_directory, error))
		return false;
	config = exm_config_load(opt.config, NULL, error);
	if (!config || !exm_store_load(config, &store, error))
		return false;
	request.store = store;
	request.state_directory = state_directory;
	return strcmp(words[0], "-") == 0 ? serve(&request, &sources, error)
	                                  : receive(&request, words[0], &sources, error);
}

const ExmCommand exm_command_receive = {
	.name = "receive",
	.summary = "take a guest that another host hands over",
	.usage = "[OPTION]... DIR|-",
	.options = options,
	.run = run,
};
