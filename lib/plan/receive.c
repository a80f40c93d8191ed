/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.c - Whether a guest can be taken from another host, and the run that takes it */

#include "plan/receive.h"

#include <string.h>

#include "base/error.h"
#include "plan/path_map.h"
#include "plan/rehearsal.h"
#include "plan/vm.h"

static bool is_canonical(const char *path)
{
	g_autofree char *same = g_canonicalize_filename(path, "/");

	return strcmp(path, same) == 0;
}

static bool check_path(const char *what, const char *path, GError **error)
{
	return is_canonical(path) ||
	       exm_throw(error, EXM_ERROR_STATE, "the %s '%s' is not an absolute path without '..'",
	                 what, path);
}

static bool is_uuid_or_none(const char *text)
{
	return !text || g_uuid_string_is_valid(text);
}

static bool check_blocks(const ExmTemplate *handover, GError **error)
{
	for (guint i = 0; i < handover->memory->len; i++) {
		const ExmTemplateMemory *block = handover->memory->pdata[i];

		if (!check_path("memory file", block->path, error))
			return false;
		if (exm_template_memory(handover, block->id) != block)
			return exm_throw(error, EXM_ERROR_STATE, "memory '%s' is there twice",
			                 block->id);
	}
	return true;
}

/**
 * exm_receive_check_form() - Whether what another host says of a guest can be true of one
 * @handover: the guest, with that host's paths
 * @error:    STATE
 *
 * Types and names were checked when it was read (exm_template_from_json()).
 */
bool exm_receive_check_form(const ExmTemplate *handover, GError **error)
{
	if (!handover->uuid)
		return exm_throw(error, EXM_ERROR_STATE, "it is a template, and no guest");
	if (!is_uuid_or_none(handover->uuid) || !is_uuid_or_none(handover->generation_id))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "'%s' is not the UUID of a guest, or '%s' not a generation ID",
		                 handover->uuid,
		                 handover->generation_id ? handover->generation_id : "");
	if (handover->index > G_MAXUINT32)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "%" G_GUINT64_FORMAT " is not the index of a guest",
		                 handover->index);
	if (!g_ascii_isdigit(*handover->qemu_version))
		return exm_throw(error, EXM_ERROR_STATE, "'%s' is not the version of a QEMU",
		                 handover->qemu_version);
	return check_path("directory", handover->directory, error) &&
	       check_path("working directory", handover->working_directory, error) &&
	       check_blocks(handover, error);
}

static bool has_same_memory(const ExmTemplate *checked, const ExmTemplate *handover)
{
	if (checked->memory->len != handover->memory->len)
		return false;
	for (guint i = 0; i < checked->memory->len; i++) {
		const ExmTemplateMemory *one = checked->memory->pdata[i];
		const ExmTemplateMemory *other = handover->memory->pdata[i];

		if (strcmp(one->id, other->id) != 0 || strcmp(one->path, other->path) != 0 ||
		    one->size != other->size || one->offset != other->offset)
			return false;
	}
	return true;
}

/**
 * exm_receive_check_same() - Whether a guest that comes is the one that was checked
 * @checked:  what was said of it before it stopped
 * @handover: what is said of it now
 * @error:    STATE; files that were left out then were not checked
 *
 * Its state, and what tells whether its memory has changed, become known only when it stops.
 */
bool exm_receive_check_same(const ExmTemplate *checked, const ExmTemplate *handover, GError **error)
{
	const bool same = strcmp(checked->name, handover->name) == 0 &&
	                  strcmp(checked->uuid, handover->uuid) == 0 &&
	                  g_strv_equal((const char *const *)checked->command,
	                               (const char *const *)handover->command) &&
	                  checked->ram_size == handover->ram_size &&
	                  has_same_memory(checked, handover);

	return same || exm_throw(error, EXM_ERROR_STATE,
	                         "guest '%s' (%s) is another guest than '%s', which was checked",
	                         handover->name, handover->uuid, checked->name);
}

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
	run->sandbox = handover->sandbox;
	return g_steal_pointer(&run);
}
