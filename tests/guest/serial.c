/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serial.c - lines to and from COM1 */

#include "tiny.h"

#include "port.h"

enum {
	COM1 = 0x3f8,
	DATA = COM1 + 0,
	INTERRUPT_ENABLE = COM1 + 1,
	LINE_CONTROL = COM1 + 3,
	MODEM_CONTROL = COM1 + 4,
	LINE_STATUS = COM1 + 5,
};

static char line[256];
static size_t line_length;

/**
 * serial_start() - Make COM1 tell by interrupt 4 that it has input
 *
 * The FIFO stays off: without it QEMU holds input back until we take it, so a long command loses
 * nothing, and switching it on would drop what came before.
 */
void serial_start(void)
{
	port_write8(LINE_CONTROL, 0x03);     /* 8n1 */
	port_write8(MODEM_CONTROL, 0x0b);    /* DTR, RTS, and OUT2, which lets interrupts out */
	port_write8(INTERRUPT_ENABLE, 0x01); /* data received */
}

/**
 * serial_has_input() - Whether a character waits
 * Return: true when it does
 */
bool serial_has_input(void)
{
	return port_read8(LINE_STATUS) & 0x01;
}

/**
 * serial_read_line() - Take the characters that wait, up to the end of a line
 * @ret_line: where to put the line, good until the next call
 * Return: false when the line is not complete yet; what does not fit is dropped
 */
bool serial_read_line(char **ret_line)
{
	while (serial_has_input()) {
		char c = (char)port_read8(DATA);

		if (c == '\n' || c == '\r') {
			line[line_length] = '\0';
			line_length = 0;
			*ret_line = line;
			return true;
		}
		if (c == '\b' || c == 0x7f)
			line_length -= line_length > 0;
		else if (line_length < sizeof(line) - 1)
			line[line_length++] = c;
	}
	return false;
}

static void put_char(char c)
{
	while (!(port_read8(LINE_STATUS) & 0x20))
		;
	port_write8(DATA, (uint8_t)c);
}

/**
 * put_text() - Print a string
 * @text: the string
 */
void put_text(const char *text)
{
	while (*text)
		put_char(*text++);
}

static void put_number(uint64_t number, uint64_t base)
{
	char digits[21];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	put_text(digits + i);
}

/**
 * put_decimal() - Print a number
 * @number: the number
 */
void put_decimal(uint64_t number)
{
	put_number(number, 10);
}

/**
 * put_hex() - Print a number as 0x...
 * @number: the number
 */
void put_hex(uint64_t number)
{
	put_text("0x");
	put_number(number, 16);
}

/**
 * put_size() - Print a size in MiB, or in KiB where it is not a whole number of those
 * @bytes: the size, a multiple of 1 KiB
 */
void put_size(uint64_t bytes)
{
	bool whole = bytes % MIB == 0;

	put_decimal(bytes / (whole ? MIB : KIB));
	put_text(whole ? " MiB" : " KiB");
}
