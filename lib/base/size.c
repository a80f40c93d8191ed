/* SPDX-License-Identifier: GPL-2.0-or-later */
/* size.c - Byte counts: read as QEMU reads them, printed exactly or for people */

#include "base/size.h"

#include <string.h>

#include "base/error.h"

#define SIZE_HINT "write it like 512M or 8G"

/* Wide enough for the product of any two byte counts. */
typedef unsigned __int128 Wide;

/* A size as it is written, cut into its parts; the pointers borrow from the text. */
typedef struct {
	const char *whole;
	size_t whole_length;
	const char *fraction;
	size_t fraction_length;
	unsigned int base;
	uint64_t scale;
} SizeText;

/* In the order of their powers of 1024. */
static const char suffixes[] = "BKMGTPE";
static const char *const human_units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

static bool suffix_scale(char suffix, uint64_t *ret_scale)
{
	const char *found = suffix == '\0' ? NULL : strchr(suffixes, g_ascii_toupper(suffix));

	if (found == NULL)
		return false;
	*ret_scale = UINT64_C(1) << (10 * (found - suffixes));
	return true;
}

/*
 * The form is that of do_strtosz() in QEMU 7.2's util/cutils.c, where "1.k" is a size and "1e3"
 * is none, but for a suffix behind a hex number, which QEMU has deprecated since 5.2.
 */
static bool cut_size(const char *text, uint64_t unit, SizeText *ret_size)
{
	const bool hex = g_ascii_strncasecmp(text, "0x", 2) == 0;
	SizeText size = { .base = hex ? 16 : 10, .scale = unit };

	size.whole = hex ? text + 2 : text;
	size.whole_length = strspn(size.whole, hex ? "0123456789abcdefABCDEF" : "0123456789");
	text = size.whole + size.whole_length;
	if (!hex && *text == '.') {
		size.fraction = text + 1;
		size.fraction_length = strspn(size.fraction, "0123456789");
		text = size.fraction + size.fraction_length;
	}
	if (!hex && suffix_scale(*text, &size.scale))
		text++;
	if (size.whole_length == 0 || *text != '\0')
		return false;
	*ret_size = size;
	return true;
}

static bool has_fraction(const SizeText *size)
{
	return size->fraction_length > 0 && strspn(size->fraction, "0") < size->fraction_length;
}

static bool read_whole(const SizeText *size, Wide *ret_whole)
{
	Wide whole = 0;

	for (size_t i = 0; i < size->whole_length; i++) {
		whole = whole * size->base + (Wide)g_ascii_xdigit_value(size->whole[i]);
		if (whole > UINT64_MAX)
			return false;
	}
	*ret_whole = whole;
	return true;
}

/*
 * Long multiplication on paper, from the last digit to the first: what is carried out of the
 * first place is the whole part of the product, what stays in it are its tenths. So the result
 * is exact for any number of digits; one half is rounded up, as QEMU does.
 */
static Wide scale_fraction(const SizeText *size)
{
	Wide carry = 0, tenths = 0;

	for (size_t i = size->fraction_length; i > 0; i--) {
		const Wide digit = (Wide)g_ascii_digit_value(size->fraction[i - 1]);
		const Wide product = digit * size->scale + carry;

		tenths = product % 10;
		carry = product / 10;
	}
	return tenths >= 5 ? carry + 1 : carry;
}

/**
 * exm_size_parse() - Read a byte count as QEMU reads it
 * @text:      decimal digits, an optional fraction, an optional suffix of B K M G T P E (powers of
 *             1024); or "0x" and hex digits
 * @unit:      what a number without a suffix counts: 1, or EXM_MIB as for QEMU's -m
 * @ret_bytes: the count, never 0
 * @error:     EXM_ERROR_USAGE
 *
 * A fraction of a unit is rounded to the nearest byte, one half upwards.
 *
 * Return: true, or false with @error set
 */
bool exm_size_parse(const char *text, uint64_t unit, uint64_t *ret_bytes, GError **error)
{
	SizeText size;
	Wide bytes;

	if (!cut_size(text, unit, &size))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a size (" SIZE_HINT ")", text);
	if (size.scale == 1 && has_fraction(&size))
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not a whole number of bytes (" SIZE_HINT ")", text);
	if (!read_whole(&size, &bytes))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is too large for a size", text);
	bytes = bytes * size.scale + scale_fraction(&size);
	if (bytes > UINT64_MAX)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is too large for a size", text);
	if (bytes == 0)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' must be more than zero", text);
	*ret_bytes = (uint64_t)bytes;
	return true;
}

/**
 * exm_size_print() - Write a byte count exactly, as short as QEMU reads it back
 * @bytes: the count
 *
 * Return: (transfer full): "8G", "1536M", "4097"; a count of bytes has no suffix, so it is read
 * back only where a plain number counts bytes
 */
char *exm_size_print(uint64_t bytes)
{
	size_t power = 0;

	while (bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		power++;
	}
	if (power == 0)
		return g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
	return g_strdup_printf("%" G_GUINT64_FORMAT "%c", bytes, suffixes[power]);
}

/**
 * exm_size_human() - Write a byte count for people
 * @bytes: the count
 *
 * Return: (transfer full): "8 GiB", "1.5 GiB", "347 MiB", "17 bytes"; rounded to one place behind
 * the point, and to none from 100 on
 */
char *exm_size_human(uint64_t bytes)
{
	size_t power = 0;
	Wide unit = 1, tenths;

	if (bytes < 1024)
		return g_strdup_printf("%u %s", (unsigned int)bytes, bytes == 1 ? "byte" : "bytes");
	/* Half a unit below 1024 would be printed as "1024 MiB". */
	while (power + 1 < G_N_ELEMENTS(human_units) && bytes + unit / 2 >= unit * 1024) {
		unit *= 1024;
		power++;
	}
	tenths = ((Wide)bytes * 10 + unit / 2) / unit;
	if (tenths < 1000 && tenths % 10 != 0)
		return g_strdup_printf("%u.%u %s", (unsigned int)(tenths / 10),
		                       (unsigned int)(tenths % 10), human_units[power]);
	return g_strdup_printf("%u %s", (unsigned int)((bytes + unit / 2) / unit),
	                       human_units[power]);
}

/**
 * exm_size_align_up() - Round a byte count up to a multiple
 * @bytes:     the count
 * @align:     the multiple; a power of two
 * @ret_bytes: the rounded count
 *
 * Return: true, or false where the result is more than 64 bits hold
 */
bool exm_size_align_up(uint64_t bytes, uint64_t align, uint64_t *ret_bytes)
{
	g_assert(align != 0 && (align & (align - 1)) == 0);
	if (bytes > UINT64_MAX - (align - 1))
		return false;
	*ret_bytes = (bytes + align - 1) & ~(align - 1);
	return true;
}
