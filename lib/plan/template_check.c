/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template_check.c - Whether a template is what it was, and whether this host can run its children */

#include "plan/template_check.h"

#include <string.h>

#include "base/error.h"

/**
 * struct Check - A template that is looked through
 * @template: its manifest
 * @facts:    what is so
 * @leniency: what the user knows better
 * @problems: of GError *, grows
 */
typedef struct {
	const ExmTemplate *template;
	const ExmTemplateFacts *facts;
	const ExmTemplateLeniency *leniency;
	GPtrArray *problems;
} Check;

static void report(const Check *check, ExmErrorCode code, const char *format, ...)
	G_GNUC_PRINTF(3, 4);

static void report(const Check *check, ExmErrorCode code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(check->problems,
	                g_error_new_valist(EXM_ERROR, (gint)code, format, arguments));
	va_end(arguments);
}

static void file_facts_destroy(gpointer data)
{
	exm_file_facts_free(data);
}

/**
 * exm_template_facts_new() - Facts that are still to be filled in
 *
 * Return: the facts (transfer full), without files.
 */
ExmTemplateFacts *exm_template_facts_new(void)
{
	ExmTemplateFacts *facts = g_new0(ExmTemplateFacts, 1);

	facts->files = g_ptr_array_new_with_free_func(file_facts_destroy);
	return facts;
}

/**
 * exm_template_facts_free() - Free facts
 * @facts: may be NULL; the QEMU's answers in it are not its own
 */
void exm_template_facts_free(ExmTemplateFacts *facts)
{
	if (!facts)
		return;
	g_ptr_array_unref(facts->files);
	g_strfreev(facts->host_cpu);
	g_free(facts->boot_id);
	g_free(facts);
}

/**
 * exm_template_files() - What has to be looked at before a template is used
 * @template: the template
 *
 * Return: absolute paths (transfer full): its directory, manifest and device state, the files of
 * its memory, then image and overlay of each disk.
 */
char **exm_template_files(const ExmTemplate *template)
{
	g_autoptr(GPtrArray) paths = g_ptr_array_new();

	g_ptr_array_add(paths, g_strdup(template->directory));
	g_ptr_array_add(paths, exm_template_path(template, EXM_TEMPLATE_MANIFEST));
	g_ptr_array_add(paths, exm_template_path(template, EXM_TEMPLATE_DEVICES));
	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];

		g_ptr_array_add(paths, exm_template_path(template, memory->path));
	}
	for (guint i = 0; i < template->disks->len; i++) {
		const ExmTemplateDisk *disk = template->disks->pdata[i];

		g_ptr_array_add(paths, exm_template_path(template, disk->path));
		g_ptr_array_add(paths, exm_template_path(template, disk->overlay));
	}
	g_ptr_array_add(paths, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
}

static const ExmFileFacts *file_at(const Check *check, const char *name)
{
	g_autofree char *path = exm_template_path(check->template, name);

	for (guint i = 0; i < check->facts->files->len; i++) {
		const ExmFileFacts *file = check->facts->files->pdata[i];

		if (strcmp(file->path, path) == 0)
			return file;
	}
	return NULL;
}

/* Who can write to a template's files decides what a child is; of its words, exm_template_check_trust(). */
static void check_owner(const Check *check)
{
	for (guint i = 0; !check->leniency->trust && i < check->facts->files->len; i++) {
		const ExmFileFacts *file = check->facts->files->pdata[i];
		const bool directory = i == 0;
		const bool own = file->owner == check->facts->euid || file->owner == 0;

		if (!file->exists || (!file->regular && !directory) || (own && !file->others_write))
			continue;
		report(check, EXM_ERROR_STATE,
		       own ? "others can write to '%s': check the template with 'exomem template show', "
		             "then pass '--trust' its SHA-256"
		           : "'%s' belongs to another user: check the template with 'exomem template "
		             "show', then pass '--trust' its SHA-256",
		       file->path);
		return;
	}
}

/* What a file must be for its content to be what was saved. */
typedef struct {
	const char *name;
	uint64_t size;
	uint64_t inode;
	uint64_t mtime;
} Wanted;

static void check_file(const Check *check, const Wanted *wanted)
{
	const ExmFileFacts *file = file_at(check, wanted->name);
	g_autofree char *path = exm_template_path(check->template, wanted->name);

	if (!file || !file->exists || !file->regular)
		report(check, EXM_ERROR_STATE, "'%s' is missing", path);
	else if (!file->readable)
		report(check, EXM_ERROR_STATE, "'%s' is not readable", path);
	else if (wanted->size && file->size != wanted->size)
		report(check, EXM_ERROR_STATE,
		       "'%s' has %" G_GUINT64_FORMAT " bytes, but had %" G_GUINT64_FORMAT
		       " when it was saved",
		       path, file->size, wanted->size);
	else if (wanted->inode && file->inode != wanted->inode)
		report(check, EXM_ERROR_STATE,
		       "'%s' is another file than was saved: it was copied or replaced", path);
	else if (wanted->mtime && file->mtime != wanted->mtime)
		report(check, EXM_ERROR_STATE, "'%s' was changed after it was saved", path);
}

/* What is in the place of its memory by now was put there by somebody else. */
static bool outlived_boot(const Check *check)
{
	const char *saved = check->template->boot_id;

	if (!saved || g_strcmp0(saved, check->facts->boot_id) == 0)
		return true;
	report(check, EXM_ERROR_STATE,
	       "its memory was on a file system that is itself in memory, and the host has been "
	       "started again since: remove it by 'exomem template remove'");
	return false;
}

static void check_files(const Check *check)
{
	const ExmTemplate *template = check->template;
	const Wanted devices = { EXM_TEMPLATE_DEVICES, template->devices_size, 0, 0 };

	if (!outlived_boot(check))
		return;
	check_file(check, &devices);
	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];
		const Wanted wanted = { memory->path, memory->size, memory->inode, memory->mtime };

		/* A device is found by its namespace, whatever it is called by then. */
		if (!memory->namespace)
			check_file(check, &wanted);
	}
	for (guint i = 0; i < template->disks->len; i++) {
		const ExmTemplateDisk *disk = template->disks->pdata[i];
		const Wanted image = { disk->path, disk->length, disk->inode, disk->mtime };
		const Wanted overlay = { disk->overlay, 0, 0, 0 };

		check_file(check, &image);
		check_file(check, &overlay);
	}
}

/* QEMU, migration/savevm.c: machine types must match; x-ignore-shared is not a stable interface. */
static void check_qemu(const Check *check)
{
	const ExmTemplate *template = check->template;
	const ExmCaps *caps = check->facts->caps;

	if (!check->leniency->other_qemu && strcmp(caps->version, template->qemu_version) != 0)
		report(check, EXM_ERROR_UNSUPPORTED,
		       "saved by QEMU %s, but '%s' is %s: say '--qemu %s' to try it",
		       template->qemu_version, caps->path, caps->version, caps->path);
	else if (!exm_caps_machine(caps, template->machine))
		report(check, EXM_ERROR_UNSUPPORTED,
		       "saved on '%s', which is not a machine of '%s' (QEMU %s)", template->machine,
		       caps->path, caps->version);
}

static void check_processor(const Check *check)
{
	const ExmTemplate *template = check->template;
	const ExmTemplateFacts *facts = check->facts;
	g_autoptr(GString) missing = g_string_new(NULL);

	if (strcmp(template->accelerator, "kvm") == 0 && !facts->kvm)
		report(check, EXM_ERROR_UNSUPPORTED, "saved under KVM, which this host has not");
	for (char **flag = template->host_cpu; flag && *flag; flag++)
		if (!exm_caps_has(facts->host_cpu, *flag))
			g_string_append_printf(missing, " +%s", *flag);
	if (missing->len > 0)
		report(check, EXM_ERROR_UNSUPPORTED, "saved on '%s' with%s: this host lacks it",
		       template->machine, missing->str);
}

static void (*const checks[])(const Check *) = {
	check_owner,
	check_files,
	check_qemu,
	check_processor,
};

/**
 * exm_template_check() - Look a template through
 * @template: the template
 * @facts:    what is so
 * @leniency: what the user knows better
 * @problems: of GError * (transfer full), grows by all that is wrong
 */
void exm_template_check(const ExmTemplate *template, const ExmTemplateFacts *facts,
                        const ExmTemplateLeniency *leniency, GPtrArray *problems)
{
	const Check check = { template, facts, leniency, problems };

	for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
		checks[i](&check);
}

static void problem_free(gpointer problem)
{
	g_error_free(problem);
}

/**
 * exm_template_check_host() - Whether this host has what a template's children need
 * @template: the template
 * @facts:    what is so; its files do not count
 * @error:    UNSUPPORTED: the machine is not one of this QEMU, or the processor is another
 */
bool exm_template_check_host(const ExmTemplate *template, const ExmTemplateFacts *facts,
                             GError **error)
{
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(problem_free);
	const ExmTemplateLeniency leniency = { .other_qemu = true };
	const Check check = { template, facts, &leniency, problems };

	check_qemu(&check);
	check_processor(&check);
	if (problems->len == 0)
		return true;
	g_propagate_error(error, g_error_copy(problems->pdata[0]));
	return false;
}

/**
 * exm_template_check_or_throw() - Whether children of a template can run
 * @template: the template
 * @facts:    what is so
 * @leniency: what the user knows better
 * @error:    the first thing that is wrong: STATE or UNSUPPORTED
 */
bool exm_template_check_or_throw(const ExmTemplate *template, const ExmTemplateFacts *facts,
                                 const ExmTemplateLeniency *leniency, GError **error)
{
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(problem_free);

	exm_template_check(template, facts, leniency, problems);
	if (problems->len == 0)
		return true;
	g_propagate_prefixed_error(error, g_error_copy(problems->pdata[0]),
	                           "template '%s': ", template->name);
	return false;
}
