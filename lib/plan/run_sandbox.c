/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_sandbox.c - What `exomem run --sandbox` adds to a plan */

#include "base/error.h"
#include "plan/builder.h"
#include "plan/sandbox.h"

/* QEMU, system/qemu-seccomp.c, parse_sandbox(): all of these since 2.11 */
#define SECCOMP "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
/* The filter would keep QEMU itself from becoming another user, who cannot become root again. */
#define SECCOMP_USER "on,obsolete=deny,spawn=deny,resourcecontrol=deny"

static const char *filter_for(const ExmBuilder *builder)
{
	return exm_builder_user(builder) ? SECCOMP_USER : SECCOMP;
}

static bool has_own_filter(const ExmBuilder *builder)
{
	const GPtrArray *words = builder->request->line->words;

	for (guint i = 0; i < words->len; i++)
		if (exm_qemu_word_is(words->pdata[i], "sandbox"))
			return true;
	return false;
}

/* As QEMU will read it, with the guest's identity and what was added. */
static ExmQemuLine *read_whole_line(const ExmPlan *plan, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	for (guint i = 1; i < plan->argv->len; i++)
		g_ptr_array_add(words, plan->argv->pdata[i]);
	g_ptr_array_add(words, NULL);
	return exm_qemu_line_parse((const char *const *)words->pdata, error);
}

static bool throw_without_landlock(const ExmTemplate *template, GError **error)
{
	const char *cure = !template         ? ", or leave '--sandbox' out"
	                   : !template->uuid ? ", or clone with '--no-sandbox'"
	                                     : "";

	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "'--sandbox' needs a kernel with Landlock: use Linux 5.13 or later with "
	                 "'landlock' in its parameter 'lsm='%s",
	                 cure);
}

/**
 * exm_builder_add_sandbox() - Restrict QEMU to what its command line names
 * @builder: the plan under construction, with QEMU's whole command line
 * @error:   UNSUPPORTED where the kernel has no Landlock; USAGE for an option that would fail
 *
 * A -sandbox of the user's stays as it is. The step is the last one but exec: those before it open
 * files that QEMU may not.
 */
bool exm_builder_add_sandbox(ExmBuilder *builder, GError **error)
{
	ExmPlan *plan = builder->plan;
	g_autoptr(ExmQemuLine) line = NULL;
	g_autofree char *conflict = NULL;

	if (!builder->request->sandbox)
		return true;
	if (builder->facts->host->landlock == 0)
		return throw_without_landlock(builder->request->template, error);
	line = read_whole_line(plan, error);
	if (!line)
		return false;
	conflict = exm_sandbox_conflict(line, plan->configuration);
	if (conflict)
		return exm_throw(error, EXM_ERROR_USAGE, "%s", conflict);
	if (!has_own_filter(builder))
		exm_builder_add_argument(builder, "-sandbox", filter_for(builder));
	plan->sandbox = exm_sandbox_paths(plan->qemu, line);
	exm_builder_add_step(builder, EXM_STEP_SANDBOX, plan->qemu, -1);
	return true;
}
