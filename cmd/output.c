/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - What is printed, and where to */

#include "output.h"

#include <errno.h>
#include <stdio.h>

#include "base/error.h"

/* The verb that speaks, or NULL before there is one. */
static const char *verb;

/**
 * exm_output_set_verb() - Name the verb that errors and warnings come from
 * @name: the verb (kept)
 */
void exm_output_set_verb(const char *name)
{
	verb = name;
}

static void print_line(const char *kind, const char *text)
{
	fprintf(stderr, "exomem%s%s: %s%s\n", verb ? " " : "", verb ? verb : "", kind, text);
}

/**
 * exm_output_error() - Print the one line of an error
 * @error: the error
 */
void exm_output_error(const GError *error)
{
	print_line("", error->message);
}

/**
 * exm_output_warning() - Print a warning
 * @warning: one line
 */
void exm_output_warning(const char *warning)
{
	print_line("warning: ", warning);
}

/**
 * exm_output_json() - Print JSON for a program that reads it
 * @json: any value
 */
void exm_output_json(ExmJson *json)
{
	g_autofree char *text = exm_json_print(json, true);

	printf("%s\n", text);
}

/**
 * exm_output_finish() - Make sure that what was printed has arrived
 * @error: SYSTEM or NO_ROOM: a full disk or a closed pipe is no success
 */
bool exm_output_finish(GError **error)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return exm_throw_errno(error, errno, "write standard output");
	return true;
}
