/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.c - What a template is, as a value and as JSON */

#include "plan/template.h"

#include <string.h>

#include "base/error.h"
#include "base/record.h"
#include "plan/block.h"
#include "plan/identity.h"
#include "plan/reach.h"

/* Counts up when a member changes its meaning, or one comes that must not be overlooked. */
#define SCHEMA 2

/* Of a manifest without what came with the second: an older exomem can read it too. */
#define FIRST_SCHEMA 1

static const ExmField memory_fields[] = {
	EXM_FIELD(ExmTemplateMemory, "id", STRING, id, true),
	EXM_FIELD(ExmTemplateMemory, "offset", UINT, offset, true),
	EXM_FIELD(ExmTemplateMemory, "size", UINT, size, true),
	EXM_FIELD(ExmTemplateMemory, "path", STRING, path, true),
	EXM_FIELD(ExmTemplateMemory, "inode", UINT, inode, true),
	EXM_FIELD(ExmTemplateMemory, "mtime", UINT, mtime, true),
	EXM_FIELD(ExmTemplateMemory, "allocated", UINT, allocated, true),
	EXM_FIELD(ExmTemplateMemory, "sha256", STRING, sha256, false),
	EXM_FIELD(ExmTemplateMemory, "namespace", STRING, namespace, false),
	EXM_FIELD(ExmTemplateMemory, "claims", STRING, claims, false),
};

static const ExmLayout memory_layout = {
	"memory", sizeof(ExmTemplateMemory), memory_fields, G_N_ELEMENTS(memory_fields), true,
};

static const ExmField disk_fields[] = {
	EXM_FIELD(ExmTemplateDisk, "word", UINT, word, true),
	EXM_FIELD(ExmTemplateDisk, "path", STRING, path, true),
	EXM_FIELD(ExmTemplateDisk, "format", STRING, format, true),
	EXM_FIELD(ExmTemplateDisk, "size", UINT, size, true),
	EXM_FIELD(ExmTemplateDisk, "overlay", STRING, overlay, true),
	EXM_FIELD(ExmTemplateDisk, "length", UINT, length, true),
	EXM_FIELD(ExmTemplateDisk, "inode", UINT, inode, true),
	EXM_FIELD(ExmTemplateDisk, "mtime", UINT, mtime, true),
	EXM_FIELD(ExmTemplateDisk, "own", BOOL, own, false),
};

static const ExmLayout disk_layout = {
	"disk", sizeof(ExmTemplateDisk), disk_fields, G_N_ELEMENTS(disk_fields), true,
};

static const ExmField fields[] = {
	EXM_FIELD(ExmTemplate, "schema", UINT, schema, true),
	EXM_FIELD(ExmTemplate, "name", STRING, name, true),
	EXM_FIELD(ExmTemplate, "created", UINT, created, true),
	EXM_FIELD(ExmTemplate, "parent", STRING, parent, true),
	EXM_FIELD(ExmTemplate, "lineage", STRV, lineage, true),
	EXM_FIELD(ExmTemplate, "qemu", STRING, qemu, true),
	EXM_FIELD(ExmTemplate, "qemu-version", STRING, qemu_version, true),
	EXM_FIELD(ExmTemplate, "qemu-memory", UINT, qemu_memory, false),
	EXM_FIELD(ExmTemplate, "machine", STRING, machine, true),
	EXM_FIELD(ExmTemplate, "cpu", STRING, cpu, false),
	EXM_FIELD(ExmTemplate, "accelerator", STRING, accelerator, true),
	EXM_FIELD(ExmTemplate, "host-cpu", STRV, host_cpu, false),
	EXM_FIELD(ExmTemplate, "working-directory", STRING, working_directory, true),
	EXM_FIELD(ExmTemplate, "command", STRV, command, true),
	EXM_FIELD(ExmTemplate, "ram-size", UINT, ram_size, true),
	EXM_FIELD(ExmTemplate, "paused", BOOL, paused, true),
	EXM_FIELD(ExmTemplate, "vmgenid", BOOL, vmgenid, true),
	EXM_FIELD(ExmTemplate, "identity", BOOL, identity, true),
	EXM_FIELD(ExmTemplate, "sandbox", BOOL, sandbox, false),
	EXM_FIELD(ExmTemplate, "run-as", STRING, run_as, false),
	EXM_FIELD(ExmTemplate, "devices-size", UINT, devices_size, true),
	EXM_FIELD(ExmTemplate, "devices-sha256", STRING, devices_sha256, true),
	{ .name = "memory",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmTemplate, memory),
	  .required = true,
	  .items = &memory_layout },
	{ .name = "disks",
	  .type = EXM_FIELD_LIST,
	  .offset = G_STRUCT_OFFSET(ExmTemplate, disks),
	  .required = true,
	  .items = &disk_layout },
	EXM_FIELD(ExmTemplate, "uuid", STRING, uuid, false),
	EXM_FIELD(ExmTemplate, "generation-id", STRING, generation_id, false),
	EXM_FIELD(ExmTemplate, "blob", STRING, blob, false),
	EXM_FIELD(ExmTemplate, "index", UINT, index, false),
	EXM_FIELD(ExmTemplate, "resting", BOOL, resting, false),
	EXM_FIELD(ExmTemplate, "boot-id", STRING, boot_id, false),
};

static const ExmLayout layout = { "manifest", sizeof(ExmTemplate), fields, G_N_ELEMENTS(fields),
	                          true };

/**
 * exm_template_new() - A template that is still to be filled in
 *
 * Return: the template (transfer full), without memory and disks.
 */
ExmTemplate *exm_template_new(void)
{
	return exm_record_new(&layout);
}

/**
 * exm_template_makes_file() - Whether a file of a template's directory can be one that exomem made
 * @name: of the file
 *
 * What it cannot have made is never removed.
 */
bool exm_template_makes_file(const char *name)
{
	static const char *const names[] = { EXM_TEMPLATE_HIDDEN, EXM_TEMPLATE_DEVICES, NULL };
	/*
	 * Manifest, token and recording may still have a random end, where their writer was killed;
	 * memory has a mark, and a disk a number.
	 */
	static const char *const beginnings[] = { EXM_TEMPLATE_MANIFEST, EXM_TEMPLATE_TOKEN,
		                                  EXM_TEMPLATE_PREFETCH, EXM_TEMPLATE_HEIR,
		                                  EXM_TEMPLATE_DISK,     EXM_BLOCK_PREFIX };

	for (size_t i = 0; i < G_N_ELEMENTS(beginnings); i++)
		if (g_str_has_prefix(name, beginnings[i]))
			return true;
	return g_strv_contains(names, name);
}

/**
 * exm_template_is_trusted() - Whether a user has named what a manifest holds
 * @template: as it was read
 * @trust:    the SHA-256 that the user names, or NULL
 */
bool exm_template_is_trusted(const ExmTemplate *template, const char *trust)
{
	return trust && template->sha256 && g_ascii_strcasecmp(trust, template->sha256) == 0;
}

static bool throw_distrust(const ExmTemplate *template, GError **error)
{
	g_auto(GStrv) reach = exm_reach_find((const char *const *)template->command);
	g_autofree char *found = g_strjoinv("; ", reach);

	return exm_throw(error, EXM_ERROR_STATE,
	                 "%s, and the command line of '%s' may run programs%s%s%s: check it with "
	                 "'exomem template show', then pass '--trust' its SHA-256 ('exomem clone', "
	                 "'exomem receive')",
	                 template->distrust, template->directory, *found ? " (" : "", found,
	                 *found ? ")" : "");
}

/**
 * exm_template_check_trust() - Whether a template's command line may be run
 * @template: as it was read
 * @trust:    SHA-256 of the manifest that the user has checked, or NULL
 * @error:    STATE where another user may have written it, or the user has checked another
 *
 * For before anything of it is run: it names the QEMU that is asked what it can do.
 */
bool exm_template_check_trust(const ExmTemplate *template, const char *trust, GError **error)
{
	if (trust && !exm_template_is_trusted(template, trust))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "--trust: '%s' is not the SHA-256 of the manifest of '%s': check it "
		                 "with 'exomem template show'",
		                 trust, template->directory);
	return trust || !template->distrust || throw_distrust(template, error);
}

/**
 * exm_template_free() - Free a template's description
 * @template: may be NULL
 */
void exm_template_free(ExmTemplate *template)
{
	if (!template)
		return;
	g_free(template->distrust);
	g_free(template->sha256);
	g_free(template->directory);
	exm_record_free(&layout, template);
}

/**
 * exm_template_add_memory() - Add a block of memory to a template
 * @template: the template
 *
 * Return: the block, empty (borrowed).
 */
ExmTemplateMemory *exm_template_add_memory(ExmTemplate *template)
{
	ExmTemplateMemory *memory = exm_record_new(&memory_layout);

	g_ptr_array_add(template->memory, memory);
	return memory;
}

/**
 * exm_template_add_disk() - Add a writable disk to a template
 * @template: the template
 *
 * Return: the disk, empty (borrowed).
 */
ExmTemplateDisk *exm_template_add_disk(ExmTemplate *template)
{
	ExmTemplateDisk *disk = exm_record_new(&disk_layout);

	g_ptr_array_add(template->disks, disk);
	return disk;
}

/**
 * exm_template_memory() - A block of a template's memory
 * @template: the template
 * @id:       of the block's backend
 *
 * Return: the block (borrowed), or NULL where it has none such.
 */
const ExmTemplateMemory *exm_template_memory(const ExmTemplate *template, const char *id)
{
	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];

		if (strcmp(memory->id, id) == 0)
			return memory;
	}
	return NULL;
}

/**
 * exm_template_disk() - A writable disk of a template
 * @template: the template
 * @word:     place in the words of the command line
 *
 * Return: the disk (borrowed), or NULL where that word is none.
 */
const ExmTemplateDisk *exm_template_disk(const ExmTemplate *template, guint word)
{
	for (guint i = 0; i < template->disks->len; i++) {
		const ExmTemplateDisk *disk = template->disks->pdata[i];

		if (disk->word == word)
			return disk;
	}
	return NULL;
}

/**
 * exm_template_path() - Where a file of a template is
 * @template: the template
 * @path:     as the manifest has it: absolute, or a name in the template's directory
 *
 * Return: its path (transfer full).
 */
char *exm_template_path(const ExmTemplate *template, const char *path)
{
	return g_canonicalize_filename(path, template->directory);
}

/**
 * exm_template_device() - The device that a template's memory is
 * @template: the template
 *
 * There is one of it, and it cannot be mapped privately (Linux, drivers/dax/device.c, check_vma()):
 * such a template is a guest that rests. Its one child goes on in that memory and with its disks,
 * and the template is gone when it does.
 *
 * Return: the one block (borrowed), or NULL for memory in files.
 */
const ExmTemplateMemory *exm_template_device(const ExmTemplate *template)
{
	const ExmTemplateMemory *first = template->memory->len ? template->memory->pdata[0] : NULL;

	return first && first->namespace ? first : NULL;
}

/**
 * exm_template_to_json() - Write a manifest
 * @template: the template
 *
 * Return: an object (transfer full), described in exomem-template(5).
 */
ExmJson *exm_template_to_json(const ExmTemplate *template)
{
	ExmJson *json = exm_record_to_json(&layout, template);

	exm_json_set_uint(json, "schema", template->boot_id ? SCHEMA : FIRST_SCHEMA);
	if (!template->uuid) {
		json_object_object_del(json, "index");
		json_object_object_del(json, "resting");
	}
	return json;
}

static bool is_name_or_absolute(const char *path)
{
	return g_path_is_absolute(path) || (*path && !strchr(path, '/') && *path != '.');
}

/* Names must not lead out of the template's directory, nor to nothing. */
static bool check_members(const ExmTemplate *template)
{
	bool good = template->memory->len > 0 && exm_name_check(template->name, NULL) &&
	            exm_name_check(template->parent, NULL);

	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];

		good = good && memory->size > 0 && is_name_or_absolute(memory->path) &&
		       !memory->namespace == !memory->claims;
	}
	for (guint i = 0; i < template->disks->len; i++) {
		const ExmTemplateDisk *disk = template->disks->pdata[i];

		good = good && disk->word < g_strv_length(template->command) &&
		       is_name_or_absolute(disk->path) && *disk->overlay &&
		       !strchr(disk->overlay, '/') && *disk->overlay != '.';
	}
	return good;
}

/**
 * exm_template_from_json() - Read a manifest
 * @json:      what exm_template_to_json() wrote
 * @directory: where it was found
 * @error:     STATE where it is not whole, or of a newer schema
 *
 * Return: the template (transfer full), or NULL.
 */
ExmTemplate *exm_template_from_json(ExmJson *json, const char *directory, GError **error)
{
	g_autoptr(GError) reason = NULL;
	g_autoptr(ExmTemplate) template = NULL;
	const uint64_t schema = exm_json_get_uint(json, "schema");

	if (schema > SCHEMA) {
		exm_throw(error, EXM_ERROR_STATE,
		          "template '%s' was saved by a newer exomem (schema %" G_GUINT64_FORMAT
		          "; this one knows %d)",
		          directory, schema, SCHEMA);
		return NULL;
	}
	template = exm_record_from_json(&layout, json, &reason);
	if (!template || !check_members(template)) {
		exm_throw(error, EXM_ERROR_STATE, "the manifest of template '%s' is not whole: %s",
		          directory, reason ? reason->message : "a name or size in it is wrong");
		return NULL;
	}
	template->directory = g_strdup(directory);
	return g_steal_pointer(&template);
}
