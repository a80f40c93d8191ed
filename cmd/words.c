/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.c - What several verbs read from their command line */

#include "words.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

/* 23 days, which an int has milliseconds for. */
#define SECONDS_MAX 2000000.0

/**
 * exm_words_none() - Make sure that nothing but options was said
 * @words: what stands beside the options
 * @error: USAGE
 */
bool exm_words_none(const char *const *words, GError **error)
{
	return !words[0] || exm_throw(error, EXM_ERROR_USAGE, "'%s' is not expected", words[0]);
}

/**
 * exm_words_guest() - Read the name of a guest, and nothing behind it
 * @words:    what stands beside the options
 * @ret_name: the name (borrowed)
 * @error:    USAGE
 */
bool exm_words_guest(const char *const *words, const char **ret_name, GError **error)
{
	if (!words[0])
		return exm_throw(error, EXM_ERROR_USAGE, "name a guest; 'exomem list' shows them");
	if (!exm_words_none(words + 1, error))
		return false;
	*ret_name = words[0];
	return true;
}

/**
 * exm_words_seconds() - Read a time
 * @option: whose argument it is: "--timeout"
 * @text:   seconds, perhaps with a fraction; NULL where the option was not given
 * @ms:     milliseconds; stays as it is where the option was not given
 * @error:  USAGE
 */
bool exm_words_seconds(const char *option, const char *text, int *ms, GError **error)
{
	double seconds;
	char *end;

	if (!text)
		return true;
	/* strtod() would take signs, exponents, hexadecimal numbers and "nan" too. */
	seconds = g_ascii_strtod(text, &end);
	if (!g_ascii_isdigit(*text) || *end || strspn(text, "0123456789.") != strlen(text))
		return exm_throw(error, EXM_ERROR_USAGE, "%s: '%s' is not a number of seconds",
		                 option, text);
	if (seconds > SECONDS_MAX)
		return exm_throw(error, EXM_ERROR_USAGE, "%s: '%s' is too long a time", option, text);
	*ms = (int)(seconds * 1000 + 0.5);
	return true;
}

/**
 * exm_words_count() - Read how many
 * @option: whose argument it is: "-n"
 * @text:   a whole number from 1 on; NULL where the option was not given
 * @max:    the largest
 * @count:  stays as it is where the option was not given
 * @error:  USAGE
 */
bool exm_words_count(const char *option, const char *text, uint64_t max, uint64_t *count,
                     GError **error)
{
	guint64 number;

	if (!text)
		return true;
	if (!g_ascii_string_to_unsigned(text, 10, 1, max, &number, NULL))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "%s: '%s' is not a number from 1 to %" G_GUINT64_FORMAT, option,
		                 text, max);
	*count = number;
	return true;
}

/**
 * exm_words_size() - Read how many bytes
 * @option: whose argument it is: "--fits"
 * @text:   as QEMU's -m takes it, MiB without a letter; NULL where the option was not given
 * @bytes:  more than none; stays as it is where the option was not given
 * @error:  USAGE
 */
bool exm_words_size(const char *option, const char *text, uint64_t *bytes, GError **error)
{
	uint64_t size = 0;

	if (!text)
		return true;
	if (!exm_size_parse(text, EXM_MIB, &size, error)) {
		g_prefix_error(error, "%s: ", option);
		return false;
	}
	if (size == 0)
		return exm_throw(error, EXM_ERROR_USAGE, "%s: '%s' is nothing", option, text);
	*bytes = size;
	return true;
}
