/* SPDX-License-Identifier: GPL-2.0-or-later */
/* step.c - The steps of a plan, as data */

#include "plan/step.h"

#include "base/enumtab.h"
#include "base/quote.h"
#include "base/size.h"

static const char *const names[] = {
	"claim-name", "create-unnamed", "create-file", "open-file",      "lock-file",
	"size-file",  "reserve-blocks", "name-file",   "remove-name",    "listen",
	"configure",  "record-guest",   "keep-log",    "leave-terminal", "exec",
};

static const ExmEnumTable kinds = { "step", names, G_N_ELEMENTS(names) };

/**
 * exm_step_new() - A step
 * @kind: what it does
 * @path: to what
 * @fd:   descriptor number that QEMU inherits, or -1
 *
 * Return: the step (transfer full).
 */
ExmStep *exm_step_new(ExmStepKind kind, const char *path, int fd)
{
	ExmStep *step = g_new0(ExmStep, 1);

	step->kind = kind;
	step->path = g_strdup(path);
	step->fd = fd;
	return step;
}

/**
 * exm_step_free() - Free a step
 * @step: may be NULL
 */
void exm_step_free(ExmStep *step)
{
	if (!step)
		return;
	g_free(step->path);
	g_free(step);
}

/**
 * exm_step_name() - What a step is called in plans, traces and errors
 * @step: the step
 *
 * Return: "create-file" (static).
 */
const char *exm_step_name(const ExmStep *step)
{
	return exm_enum_name(&kinds, (int)step->kind);
}

static char *describe_size(const ExmStep *step)
{
	g_autofree char *human = exm_size_human(step->bytes);

	return g_strdup_printf(", %" G_GUINT64_FORMAT " bytes (%s)", step->bytes, human);
}

static const char *describe_access(const ExmStep *step)
{
	if (step->kind == EXM_STEP_LOCK_FILE)
		return step->shared ? ", shared with other readers" : ", exclusive";
	if (step->kind == EXM_STEP_OPEN_FILE)
		return step->writable ? ", read-write" : ", read-only";
	return "";
}

/**
 * exm_step_describe() - What a step does, for a person
 * @step: the step
 *
 * Return: "/mem/file, 1073741824 bytes (1 GiB)" (transfer full).
 */
char *exm_step_describe(const ExmStep *step)
{
	g_autofree char *path = exm_quote_word(step->path);
	g_autofree char *size = step->bytes ? describe_size(step) : g_strdup("");

	return g_strdup_printf("%s%s%s", path, describe_access(step), size);
}
