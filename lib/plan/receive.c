/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.c - Whether a guest can be taken from another host, and the run that takes it */

#include "plan/receive.h"

#include <string.h>

#include "base/error.h"
#include "plan/path_map.h"
#include "plan/rehearsal.h"
#include "plan/vm.h"

static void map_text(char **text, const GPtrArray *maps)
{
	char *mapped = exm_path_map_apply(maps, *text);

	g_free(*text);
	*text = mapped;
}

/**
 * exm_receive_map_paths() - Say a guest's paths as this host has them
 * @handover: the guest
 * @maps:     of ExmPathMap
 */
void exm_receive_map_paths(ExmTemplate *handover, const GPtrArray *maps)
{
	map_text(&handover->working_directory, maps);
	for (char **word = handover->command; *word; word++)
		map_text(word, maps);
	for (guint i = 0; i < handover->memory->len; i++)
		map_text(&((ExmTemplateMemory *)handover->memory->pdata[i])->path, maps);
}

/* QEMU takes states of older versions, by their machine types, and none of newer ones. */
static bool check_version(const ExmTemplate *handover, const ExmCaps *caps, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(handover->qemu_version, ".", 3);
	const guint count = g_strv_length(parts);
	const int major = count > 0 ? (int)g_ascii_strtoll(parts[0], NULL, 10) : 0;
	const int minor = count > 1 ? (int)g_ascii_strtoll(parts[1], NULL, 10) : 0;

	return exm_caps_at_least(caps, major, minor) ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "guest '%s' runs in QEMU %s, and '%s' is older (%s): name another by '--qemu'",
	                 handover->name, handover->qemu_version, caps->path, caps->version);
}

static bool check_name(const ExmTemplate *handover, const GPtrArray *guests, GError **error)
{
	for (guint i = 0; i < guests->len; i++) {
		const ExmVm *vm = guests->pdata[i];

		if (strcmp(vm->name, handover->name) == 0)
			return exm_throw(error, EXM_ERROR_STATE, "name '%s' is taken (pid %d)",
			                 vm->name, (int)vm->pid);
	}
	return true;
}

static bool check_memory(const ExmTemplate *handover, const GPtrArray *files, GError **error)
{
	for (guint i = 0; i < handover->memory->len; i++) {
		const ExmTemplateMemory *memory = handover->memory->pdata[i];
		const ExmFileFacts *file = files->pdata[i];

		if (!file->exists || !file->regular)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "'%s' is missing here: where it is called otherwise, say so by "
			                 "'--path-map'",
			                 file->path);
		if (!file->readable || !file->writable)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "this user may not read and write '%s'", file->path);
		if (file->size != memory->size)
			return exm_throw(error, EXM_ERROR_STATE,
			                 "'%s' has %" G_GUINT64_FORMAT " bytes here, and the guest has "
			                 "%" G_GUINT64_FORMAT,
			                 file->path, file->size, memory->size);
		if (file->template_name)
			return exm_throw(error, EXM_ERROR_STATE, "'%s' belongs to template '%s'",
			                 file->path, file->template_name);
	}
	return true;
}

/**
 * exm_receive_check() - Whether a guest can be taken
 * @handover: the guest
 * @facts:    what is so here
 * @error:    UNSUPPORTED: another QEMU, machine or processor; STATE: name, memory
 */
bool exm_receive_check(const ExmTemplate *handover, const ExmReceiveFacts *facts, GError **error)
{
	return check_version(handover, facts->caps, error) &&
	       exm_template_check_host(handover, facts->here, error) &&
	       check_name(handover, facts->guests, error) &&
	       check_memory(handover, facts->files, error);
}

/* As the user asked for it at first, but that the files are there by now. */
static ExmMemoryOption *memory_of(const ExmTemplate *handover, const ExmGuest *guest,
                                  bool is_private, GError **error)
{
	const ExmTemplateMemory *first = handover->memory->pdata[0];
	ExmMemoryOption *option = exm_memory_option_parse(guest->memory ? guest->memory : "/", error);

	if (!option)
		return NULL;
	g_free(option->path);
	option->path = g_path_get_dirname(first->path);
	option->mode = EXM_MODE_OPEN;
	option->mapping = is_private ? EXM_MAPPING_PRIVATE : EXM_MAPPING_SHARED;
	option->no_fallback = true;
	option->any_fs = true;
	/* Its blocks are there, and to touch each page would be to read all of it. */
	option->prealloc = is_private ? EXM_SWITCH_UNSET : EXM_SWITCH_OFF;
	option->prealloc_threads = 0;
	if (is_private)
		option->discard = EXM_SWITCH_UNSET;
	return option;
}

/**
 * exm_receive_run() - The run of a guest that is taken from another host
 * @handover:  the guest (borrowed by what is returned)
 * @request:   what the user said
 * @rehearsal: it is only tried: with nothing behind its devices, and never run
 * @error:     UNSUPPORTED
 *
 * It waits for its device state, and rests when that is loaded.
 *
 * Return: the request (transfer full), or NULL.
 */
ExmRunRequest *exm_receive_run(const ExmTemplate *handover, const ExmReceiveRequest *request,
                               bool rehearsal, GError **error)
{
	const char *const *command = (const char *const *)handover->command;
	g_auto(GStrv) tried = rehearsal ? exm_rehearsal_words(command, error) : NULL;
	g_autoptr(ExmRunRequest) run = g_new0(ExmRunRequest, 1);
	const bool is_private = rehearsal || request->is_private;

	if (rehearsal && !tried)
		return NULL;
	run->line = exm_qemu_line_parse(rehearsal ? (const char *const *)tried : command, error);
	run->guest = run->line ? exm_guest_read(run->line, error) : NULL;
	run->memory = run->guest ? memory_of(handover, run->guest, is_private, error) : NULL;
	if (!run->memory)
		return NULL;
	run->guest->prealloc = false;
	run->guest->ram_size = handover->ram_size;
	run->name = rehearsal ? g_strconcat(handover->name, EXM_REHEARSAL_SUFFIX, NULL)
	                      : g_strdup(handover->name);
	run->state_directory = g_strdup(request->state_directory);
	run->template = handover;
	run->index = (uint32_t)handover->index;
	run->identity = handover->identity || handover->vmgenid;
	run->detach = true;
	run->paused = true;
	run->waiting = true;
	run->trust_mount = request->trust_mount;
	return g_steal_pointer(&run);
}
