/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - What is printed, and where to */

#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/size.h"

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

/* A progress bar stands where the next line begins. */
static bool bar_drawn;

static void clear_bar(void)
{
	/* ECMA-48: to the start of the line, and all of it away. */
	if (bar_drawn)
		fprintf(stderr, "\r\033[K");
	bar_drawn = false;
}

static void print_line(const char *kind, const char *text)
{
	/* One line, also where it names what somebody else has named. */
	g_autofree char *line = exm_quote_printable(text);

	clear_bar();
	fprintf(stderr, "exomem%s%s: %s%s\n", verb ? " " : "", verb ? verb : "", kind, line);
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

/* A bar is drawn anew so often at most, and not for what is over at once. */
#define PROGRESS_PAUSE_US 100000
#define BAR_WIDTH         40

/**
 * exm_output_progress() - Draw how far long work is, where somebody can see it
 * @what: one word
 * @done: bytes
 * @all:  bytes
 */
void exm_output_progress(const char *what, uint64_t done, uint64_t all)
{
	static gint64 next;
	const gint64 now = g_get_monotonic_time();
	const int filled = all ? (int)(done * BAR_WIDTH / all) : BAR_WIDTH;
	g_autofree char *shown = NULL;

	if (next == 0)
		next = now + PROGRESS_PAUSE_US;
	if (now < next || !isatty(STDERR_FILENO))
		return;
	next = now + PROGRESS_PAUSE_US;
	shown = exm_size_human(done);
	fprintf(stderr, "\r%s [%-*.*s] %s ", what, BAR_WIDTH, filled,
	        "########################################", shown);
	bar_drawn = true;
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
	clear_bar();
	if (fflush(stdout) != 0 || ferror(stdout))
		return exm_throw_errno(error, errno, "write standard output");
	return true;
}

/**
 * exm_output_end() - Add how a guest ended to what is printed of the guest
 * @json: an object; gets the members "ended", "reason", "how" and, where it is known, "exit-status"
 * @end:  how it ended
 */
void exm_output_end(ExmJson *json, const ExmEnd *end)
{
	g_autofree char *text = exm_end_text(end);

	exm_json_set_uint(json, "ended", end->time);
	exm_json_set_string(json, "reason", exm_end_reason(end));
	exm_json_set_string(json, "how", text);
	if (end->reason != EXM_END_UNKNOWN)
		exm_json_set_uint(json, "exit-status", (uint64_t)exm_end_exit_status(end));
}
