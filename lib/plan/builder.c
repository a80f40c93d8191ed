/* SPDX-License-Identifier: GPL-2.0-or-later */
/* builder.c - A plan grows by steps and by words of QEMU's command line */

#include "plan/builder.h"

/**
 * exm_builder_add_step() - Add a step to the plan
 * @builder: the plan under construction
 * @kind:    what it does
 * @path:    to what
 * @fd:      descriptor number that QEMU inherits, or -1
 *
 * Return: the step (borrowed), to fill in the rest.
 */
ExmStep *exm_builder_add_step(ExmBuilder *builder, ExmStepKind kind, const char *path, int fd)
{
	ExmStep *step = exm_step_new(kind, path, fd);

	g_ptr_array_add(builder->plan->steps, step);
	return step;
}

/**
 * exm_builder_add_argument() - Add an option to QEMU's command line
 * @builder: the plan under construction
 * @word:    the option, with its dash
 * @value:   its argument
 */
void exm_builder_add_argument(const ExmBuilder *builder, const char *word, const char *value)
{
	g_ptr_array_add(builder->plan->argv, g_strdup(word));
	g_ptr_array_add(builder->plan->argv, g_strdup(value));
}
