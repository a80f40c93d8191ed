/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - words, numbers and sizes */

#include "tiny.h"

/**
 * text_equal() - Whether two strings are the same
 * @a: one
 * @b: the other
 * Return: true when they are
 */
bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/**
 * text_split() - Cut a line into words at its spaces, in place
 * @line: the line
 * @words: where to put the words; the rest of the array is set to NULL
 * @max: the room in it; words beyond it are only counted
 * Return: the number of words in the line
 */
size_t text_split(char *line, char **words, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < max; i++)
		words[i] = NULL;
	for (;;) {
		while (*line == ' ')
			*line++ = '\0';
		if (!*line)
			return count;
		if (count < max)
			words[count] = line;
		count++;
		while (*line && *line != ' ')
			line++;
	}
}

static bool take_number(const char **text, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *digit = *text;

	for (; *digit >= '0' && *digit <= '9'; digit++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number))
			return false;
	if (digit == *text)
		return false;
	*text = digit;
	*ret_number = number;
	return true;
}

/**
 * text_number() - Read a decimal number
 * @text: the text, all of which must be digits; NULL is no number
 * @ret_number: where to put it
 * Return: false when it is none
 */
bool text_number(const char *text, uint64_t *ret_number)
{
	return text && take_number(&text, ret_number) && !*text;
}

/**
 * text_size() - Read a size: a decimal number, and K, M or G if wanted
 * @text: the text; NULL is no size
 * @ret_bytes: where to put the number of bytes
 * Return: false when it is none
 */
bool text_size(const char *text, uint64_t *ret_bytes)
{
	static const struct {
		const char *suffix;
		uint64_t bytes;
	} units[] = { { "", 1 }, { "K", KIB }, { "M", MIB }, { "G", GIB } };
	uint64_t number;

	if (!text || !take_number(&text, &number))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (text_equal(text, units[i].suffix))
			return !__builtin_mul_overflow(number, units[i].bytes, ret_bytes);
	return false;
}
