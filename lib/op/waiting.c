/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waiting.c - Take children that wait, so that nobody has to wait for them */

#include "op/waiting.h"

#include <string.h>

#include "base/fd.h"
#include "host/pidfd.h"
#include "host/waiting.h"
#include "op/load.h"

static bool is_of(const ExmVm *vm, const ExmTemplate *template)
{
	return g_strcmp0(vm->template_path, template->directory) == 0;
}

/**
 * exm_waiting_count() - How many children of a template wait for whoever takes them
 * @guests:   of ExmVm, those that live
 * @template: the template
 * @shape:    what they are like
 */
guint exm_waiting_count(const GPtrArray *guests, const ExmTemplate *template, const char *shape)
{
	guint count = 0;

	for (guint i = 0; i < guests->len; i++)
		if (is_of(guests->pdata[i], template) && exm_waiting_has(guests->pdata[i], shape))
			count++;
	return count;
}

/* How long a QEMU that has hung up may take to be gone. */
#define END_MS 2000

/*
 * One that cannot be loaded is of no use to the next one either. It may have been killed by others
 * while it waited: whether it is gone already.
 */
static bool end(const ExmVm *vm)
{
	exm_autofd int process = -1;
	bool gone;

	if (!exm_pidfd_open(vm, &process, NULL) || process < 0)
		return true;
	gone = exm_pidfds_wait(&process, 1, END_MS);
	if (!gone)
		exm_pidfd_kill(process, NULL);
	return gone;
}

/**
 * exm_waiting_run() - Let children run that wait for it
 * @guests:   of ExmVm, those that live
 * @template: the template
 * @request:  how many, and what they are like
 * @cloned:   called for each that runs
 * @error:    STATE where the device state is damaged; SYSTEM where a child cannot load it
 *
 * Return: how many run, perhaps none; those before the one that failed.
 */
guint exm_waiting_run(const GPtrArray *guests, const ExmTemplate *template,
                      const ExmCloneRequest *request, ExmCloned cloned, GError **error)
{
	g_autofree char *shape = exm_clone_shape(request);
	g_autofree char *state = NULL;
	size_t length = 0;
	guint count = 0;

	for (guint i = 0; i < guests->len && count < request->count; i++) {
		const ExmVm *vm = guests->pdata[i];
		exm_autofd int taken = is_of(vm, template) ? exm_waiting_take(vm, shape) : -1;
		g_autoptr(GError) problem = NULL;

		if (taken < 0)
			continue;
		if (!state && !exm_load_read(template, &state, &length, error))
			break;
		if (!exm_load_state(vm, state, length, !request->paused, &problem)) {
			if (end(vm))
				continue;
			g_propagate_prefixed_error(error, g_steal_pointer(&problem),
			                           "child '%s': ", vm->name);
			break;
		}
		exm_waiting_leave(vm);
		cloned(vm->name);
		count++;
	}
	return count;
}
