/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c - The key that leaves a console, and what of a log may go to a terminal */

#include "plan/console.h"

#include <string.h>

#include "base/error.h"

#define ESCAPE 0x1b
#define BELL   0x07

/* What a control character and the character on its key differ in. */
#define CONTROL_BIT 0x40

/* Where exm_console_scrollback() is in an escape sequence (ECMA-48, 5.4 and 5.6). */
typedef enum {
	IN_TEXT,
	BEHIND_ESCAPE,
	IN_SHORT_SEQUENCE,
	IN_CONTROL_SEQUENCE,
	IN_STRING,
} State;

/**
 * exm_detach_key_parse() - Read the name of a control character
 * @text:    "^]" and the like
 * @ret_key: the character
 * @error:   USAGE
 */
bool exm_detach_key_parse(const char *text, char *ret_key, GError **error)
{
	const char key = (char)(text[0] == '^' ? g_ascii_toupper(text[1]) : '\0');

	/* From '@' to '_' the control characters stand in the order of these (ASCII). */
	if (key < '@' || key > '_' || text[2])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not a key such as '^]' or '^A' (Ctrl and that key)", text);
	*ret_key = (char)(key ^ CONTROL_BIT);
	return true;
}

/**
 * exm_detach_key_name() - What to press for a control character
 * @key: the character
 *
 * Return: "Ctrl-]" (transfer full).
 */
char *exm_detach_key_name(char key)
{
	return g_strdup_printf("Ctrl-%c", key ^ CONTROL_BIT);
}

static State after_escape(char c)
{
	if (c == '[')
		return IN_CONTROL_SEQUENCE;
	/* DCS, SOS, OSC, PM, APC */
	if (c && strchr("PX]^_", c))
		return IN_STRING;
	return c >= ' ' && c <= '/' ? IN_SHORT_SEQUENCE : IN_TEXT;
}

/* The state behind a character. */
static State advance(State state, char c)
{
	if (c == ESCAPE)
		return BEHIND_ESCAPE;
	/* A broken sequence shall not swallow the rest. */
	if (c == '\n')
		return IN_TEXT;
	switch (state) {
	case BEHIND_ESCAPE:
		return after_escape(c);
	case IN_SHORT_SEQUENCE:
		return c >= '0' && c <= '~' ? IN_TEXT : state;
	case IN_CONTROL_SEQUENCE:
		return c >= '@' && c <= '~' ? IN_TEXT : state;
	case IN_STRING:
		return c == BELL ? IN_TEXT : state;
	case IN_TEXT:
		break;
	}
	return IN_TEXT;
}

static bool is_shown(char c)
{
	return (unsigned char)c >= ' ' || (c && strchr("\b\t\n\r", c));
}

/**
 * exm_console_scrollback() - What of a log can be shown on a terminal as it is
 * @log:    what the guest has written
 * @length: of it
 * @whole:  it begins where the guest began; else it begins somewhere in a line, which is left out
 *
 * Only text and its colours stay: a terminal would obey the rest once more, and its answers to
 * questions would be typed into the guest.
 *
 * Return: the text (transfer full).
 */
GString *exm_console_scrollback(const char *log, size_t length, bool whole)
{
	const char *newline = whole ? NULL : memchr(log, '\n', length);
	const size_t first = newline ? (size_t)(newline - log) + 1 : 0;
	GString *text = g_string_sized_new(length);
	State state = IN_TEXT;
	size_t start = first;

	for (size_t i = first; i < length; i++) {
		const State before = state;

		state = advance(before, log[i]);
		if (state == BEHIND_ESCAPE)
			start = i;
		else if ((before == IN_TEXT || log[i] == '\n') && is_shown(log[i]))
			g_string_append_c(text, log[i]);
		else if (before == IN_CONTROL_SEQUENCE && state == IN_TEXT && log[i] == 'm')
			g_string_append_len(text, log + start, (gssize)(i - start + 1));
	}
	return text;
}
