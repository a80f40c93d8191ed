/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trust.c - Whether to run what another user wrote: --trust, and the question on a terminal */

#include "trust.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/quote.h"
#include "op/template.h"
#include "plan/reach.h"

#define SHA256_DIGITS 64

/**
 * exm_trust_check() - Check that the value of --trust can be a SHA-256
 * @text:  the value; NULL without the option
 * @error: USAGE
 *
 * A template that was written behind --trust is taken for its value.
 */
bool exm_trust_check(const char *text, GError **error)
{
	if (!text || (strlen(text) == SHA256_DIGITS &&
	              strspn(text, "0123456789abcdefABCDEF") == SHA256_DIGITS))
		return true;
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "--trust: '%s' is not a SHA-256 of 64 hexadecimal digits, as 'exomem "
	                 "template show' prints it",
	                 text);
}

static void print_line(const char *text)
{
	g_autofree char *line = exm_quote_printable(text);

	fprintf(stderr, "%s\n", line);
}

static bool ask(const ExmTemplate *template)
{
	g_auto(GStrv) reach = exm_reach_find((const char *const *)template->command);
	g_autofree char *command = exm_quote_argv((const char *const *)template->command);
	char answer[16] = "";

	print_line(template->distrust);
	fprintf(stderr, "Its QEMU and the command line:\n");
	print_line(template->qemu);
	print_line(command);
	for (char **line = reach; *line; line++)
		print_line(*line);
	fprintf(stderr, "Run it? [y/N] ");
	return fgets(answer, sizeof(answer), stdin) && g_ascii_strncasecmp(answer, "y", 1) == 0;
}

/**
 * exm_trust_ask() - Find out whether the user trusts a template that another user may have written
 * @directory: of the template
 * @trust:     value of --trust, or NULL; becomes the SHA-256 of the manifest (transfer full) where
 *             there is a terminal, and its user answers yes
 *
 * What is run is what was asked about: the manifest is compared with this SHA-256 when it is used.
 */
void exm_trust_ask(const char *directory, char **trust)
{
	g_autoptr(ExmTemplate) template = NULL;

	if (*trust || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return;
	template = exm_op_template_read(directory, NULL);
	if (template && template->distrust && ask(template))
		*trust = g_strdup(template->sha256);
}
