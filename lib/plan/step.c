/* SPDX-License-Identifier: GPL-2.0-or-later */
/* step.c - The steps of a plan, as data */

#include "plan/step.h"

#include "base/enumtab.h"
#include "base/quote.h"
#include "base/size.h"

static const char *const names[] = {
	[EXM_STEP_CLAIM_NAME] = "claim-name",
	[EXM_STEP_ADMIT] = "admit",
	[EXM_STEP_CREATE_UNNAMED] = "create-unnamed",
	[EXM_STEP_CREATE_FILE] = "create-file",
	[EXM_STEP_OPEN_FILE] = "open-file",
	[EXM_STEP_LOCK_FILE] = "lock-file",
	[EXM_STEP_SIZE_FILE] = "size-file",
	[EXM_STEP_RESERVE_BLOCKS] = "reserve-blocks",
	[EXM_STEP_NAME_FILE] = "name-file",
	[EXM_STEP_REMOVE_NAME] = "remove-name",
	[EXM_STEP_CLONE_FILE] = "clone-file",
	[EXM_STEP_COPY_OVERLAY] = "copy-overlay",
	[EXM_STEP_SCRUB] = "scrub",
	[EXM_STEP_CLAIM_NAMESPACE] = "claim-pmem",
	[EXM_STEP_CONFIRM_CLAIMS] = "confirm-pmem",
	[EXM_STEP_LISTEN] = "listen",
	[EXM_STEP_CONFIGURE] = "configure",
	[EXM_STEP_RECORD_GUEST] = "record-guest",
	[EXM_STEP_KEEP_LOG] = "keep-log",
	[EXM_STEP_LEAVE_TERMINAL] = "leave-terminal",
	[EXM_STEP_GUARD_MEMORY] = "guard-memory",
	[EXM_STEP_SANDBOX] = "sandbox",
	[EXM_STEP_READ_EXACTLY] = "read-exactly",
	[EXM_STEP_LIMIT_MEMORY] = "limit-memory",
	[EXM_STEP_MERGE_PAGES] = "merge-pages",
	[EXM_STEP_ENTER_DIRECTORY] = "chdir",
	[EXM_STEP_LOAD_DEVICES] = "load-devices",
	[EXM_STEP_PREFETCH] = "prefetch",
	[EXM_STEP_EXEC] = "exec",
	[EXM_STEP_MAKE_TEMPLATE] = "make-template",
	[EXM_STEP_MAKE_OVERLAY] = "make-overlay",
	[EXM_STEP_LINK_FILE] = "link-file",
	[EXM_STEP_KEEP_MEMORY] = "keep-memory",
	[EXM_STEP_WRITE_MEMORY] = "write-memory",
	[EXM_STEP_SAVE_DEVICES] = "save-devices",
	[EXM_STEP_CHECKSUM_FILE] = "checksum-file",
	[EXM_STEP_MARK_FILE] = "mark-file",
	[EXM_STEP_WRITE_MANIFEST] = "write-manifest",
	[EXM_STEP_LINK_HEIR] = "link-heir",
	[EXM_STEP_COMMIT] = "commit",
	[EXM_STEP_END_GUEST] = "end-guest",
	[EXM_STEP_INHERIT] = "inherit",
	[EXM_STEP_OFFER_CHILD] = "offer-child",
	[EXM_STEP_HOLD_DEVICES] = "hold-devices",
	[EXM_STEP_MAKE_MEMORY] = "make-memory",
	[EXM_STEP_LEND_MEMORY] = "lend-memory",
	[EXM_STEP_START_CHILDREN] = "start-children",
	[EXM_STEP_RECORD_PAGES] = "record-pages",
	[EXM_STEP_SYNC_MEMORY] = "sync-memory",
	[EXM_STEP_MOVE_DISK] = "move-disk",
	[EXM_STEP_CLONE_MEMORY] = "clone-memory",
	[EXM_STEP_RESUME_GUEST] = "resume-guest",
	[EXM_STEP_TAKE_PLACE] = "take-place",
	[EXM_STEP_LOAD_CHILDREN] = "load-children",
	[EXM_STEP_DROP_TEMPLATE] = "drop-template",
	[EXM_STEP_WRITE_TOKEN] = "write-token",
	[EXM_STEP_CHECK] = "check",
	[EXM_STEP_REHEARSE] = "rehearse",
	[EXM_STEP_PREPARE] = "prepare",
	[EXM_STEP_FREEZE_GUEST] = "freeze-guest",
	[EXM_STEP_FLUSH_MEMORY] = "flush-memory",
	[EXM_STEP_SEND_STATE] = "send-state",
	[EXM_STEP_RELEASE_GUEST] = "release-guest",
	[EXM_STEP_TAKE_OVER] = "take-over",
	[EXM_STEP_CLEAN_UP] = "clean-up",
	[EXM_STEP_REMOVE_HANDOVER] = "remove-handover",
};

/* What each kind of step is called in plans, records and errors. */
const ExmEnumTable exm_step_kinds = { "step", names, G_N_ELEMENTS(names) };

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
	return exm_enum_name(&exm_step_kinds, (int)step->kind);
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

/**
 * exm_steps_to_text() - Steps for a person
 * @steps: of ExmStep
 *
 * Return: a heading, and a line for each (transfer full).
 */
char *exm_steps_to_text(const GPtrArray *steps)
{
	g_autoptr(GString) text = g_string_new("# steps\n");

	for (guint i = 0; i < steps->len; i++) {
		const ExmStep *step = steps->pdata[i];
		g_autofree char *what = exm_step_describe(step);

		g_string_append_printf(text, "%-14s  %s\n", exm_step_name(step), what);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/**
 * exm_steps_to_json() - Steps for a program
 * @steps: of ExmStep
 *
 * Return: an array of objects (transfer full), described in exomem-run(1).
 */
ExmJson *exm_steps_to_json(const GPtrArray *steps)
{
	ExmJson *array = json_object_new_array();

	for (guint i = 0; i < steps->len; i++) {
		const ExmStep *step = steps->pdata[i];
		ExmJson *item = json_object_new_object();

		exm_json_set_string(item, "step", exm_step_name(step));
		exm_json_set_string(item, "path", step->path);
		if (step->bytes)
			exm_json_set_uint(item, "bytes", step->bytes);
		if (step->kind == EXM_STEP_LOCK_FILE)
			exm_json_set_bool(item, "shared", step->shared);
		json_object_array_add(array, item);
	}
	return array;
}
