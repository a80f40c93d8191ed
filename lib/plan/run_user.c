/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_user.c - What `exomem run --run-as` adds to a plan */

#include <string.h>

#include "base/error.h"
#include "base/keyval.h"
#include "plan/builder.h"

/**
 * exm_builder_user() - As which user QEMU is to run the guest
 * @builder: the plan under construction
 *
 * A child, and a guest from another host, has the user of its parent where root starts it.
 *
 * Return: the user's name (borrowed), or NULL for the one who starts it.
 */
const char *exm_builder_user(const ExmBuilder *builder)
{
	const ExmRunRequest *request = builder->request;

	if (request->run_as)
		return request->run_as;
	return request->template && builder->facts->host->euid == 0 ? request->template->run_as
	                                                            : NULL;
}

static bool check_own_options(const ExmBuilder *builder, GError **error)
{
	const GPtrArray *words = builder->request->line->words;

	for (guint i = 0; i < words->len; i++) {
		const ExmQemuWord *word = words->pdata[i];

		if (exm_qemu_word_is(word, "runas") || exm_qemu_word_is(word, "run-with"))
			return exm_throw(error, EXM_ERROR_USAGE,
			                 "'--run-as' and '-%s' exclude each other: leave one out",
			                 exm_qemu_word_is(word, "runas") ? "runas" : "run-with");
	}
	return true;
}

/**
 * exm_builder_add_user() - Have QEMU run the guest as another user
 * @builder: the plan under construction
 * @error:   UNSUPPORTED where it is not root who starts it; USAGE
 *
 * QEMU opens what its command line names as root, and becomes that user before the guest runs: by
 * -run-with since 9.1, by -runas until 9.2 (docs/about/removed-features.rst). It says itself where
 * there is no such user.
 */
bool exm_builder_add_user(ExmBuilder *builder, GError **error)
{
	const char *user = exm_builder_user(builder);
	g_autofree char *escaped = user ? exm_keyval_escape(user) : NULL;
	g_autofree char *value = g_strdup_printf("user=%s", escaped ? escaped : "");

	if (!user)
		return true;
	if (builder->facts->host->euid != 0)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'--run-as %s': only root can start a guest as another user", user);
	if (!*user)
		return exm_throw(error, EXM_ERROR_USAGE, "'--run-as' is empty: name a user");
	if (!check_own_options(builder, error))
		return false;
	if (exm_caps_at_least(builder->facts->caps, 9, 1))
		exm_builder_add_argument(builder, "-run-with", value);
	else
		exm_builder_add_argument(builder, "-runas", user);
	builder->plan->run_as = g_strdup(user);
	return true;
}
