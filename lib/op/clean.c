/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clean.c - Remove what dead guests have left */

#include "op/clean.h"

#include "host/balance_note.h"
#include "host/state.h"

/**
 * exm_op_clean() - Remove what dead guests, and a killed `exomem balance`, have left
 * @state_directory: where guests' directories are
 * @dry_run:         only say what would be removed
 * @warn:            called for each file that exomem did not make and that keeps a directory
 * @ret_names:       of char *: guests whose directories went (transfer full)
 * @error:           STATE where the state directory will not do
 */
bool exm_op_clean(const char *state_directory, bool dry_run, ExmWarn warn, GPtrArray **ret_names,
                  GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) foreign = g_ptr_array_new_with_free_func(g_free);
	ExmRemains remains = { names, foreign };

	if (!exm_state_clean(state_directory, dry_run, &remains, error))
		return false;
	if (!dry_run)
		exm_balance_note_clean(state_directory);
	for (guint i = 0; i < foreign->len; i++) {
		g_autofree char *text = g_strdup_printf("'%s' stays: it was not made by exomem",
		                                        (const char *)foreign->pdata[i]);

		warn(text);
	}
	*ret_names = g_steal_pointer(&names);
	return true;
}
