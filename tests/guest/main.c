/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - the commands of the tiny guest, one a line on COM1 */

#include "tiny.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How much of the identity is shown; exomem's is shorter. */
#define IDENTITY_MAX 1024

struct command {
	const char *name;
	const char *arguments;
	bool (*run)(char **arguments); /* false: the arguments are wrong */
};

static bool ticking = true;
static uint64_t last_tick;

static bool parse_memory_size(const char *text, uint64_t *ret_size)
{
	return text_size(text, ret_size) && *ret_size > 0 && *ret_size % PAGE_SIZE == 0 &&
	       *ret_size <= map_size();
}

static void report(const char *done, uint64_t size, uint64_t key)
{
	put_text(done);
	put_size(size);
	put_text(" key ");
	put_decimal(key);
	put_text("\n");
}

static bool run_tick(char **arguments)
{
	bool on = arguments[0] && text_equal(arguments[0], "on");

	if (!on && !(arguments[0] && text_equal(arguments[0], "off")))
		return false;
	ticking = on;
	put_text(on ? "tick on\n" : "tick off\n");
	return true;
}

/* A hundred ticks a second, or one. */
static bool run_beat(char **arguments)
{
	bool on = arguments[0] && text_equal(arguments[0], "on");

	if (!on && !(arguments[0] && text_equal(arguments[0], "off")))
		return false;
	interrupts_every(on ? 10000000 : 1000000000);
	put_text(on ? "beat on\n" : "beat off\n");
	return true;
}

static bool run_fill(char **arguments)
{
	uint64_t size, key;

	if (!parse_memory_size(arguments[0], &size) || !text_number(arguments[1], &key))
		return false;
	memory_fill(size, key);
	report("filled ", size, key);
	return true;
}

static bool run_verify(char **arguments)
{
	uint64_t size, key, address;

	if (!parse_memory_size(arguments[0], &size) || !text_number(arguments[1], &key))
		return false;
	if (memory_verify(size, key, &address)) {
		report("verified ", size, key);
		return true;
	}
	put_text("mismatch at ");
	put_hex(address);
	put_text(" key ");
	put_decimal(key);
	put_text("\n");
	return true;
}

static bool run_dirty(char **arguments)
{
	uint64_t size, key;

	if (!parse_memory_size(arguments[0], &size) || !text_number(arguments[1], &key))
		return false;
	put_text("dirtied ");
	put_decimal(memory_dirty(size, key));
	put_text(" pages key ");
	put_decimal(key);
	put_text("\n");
	return true;
}

static bool run_pick(char **arguments)
{
	uint64_t size, count, key, address;

	if (!parse_memory_size(arguments[0], &size) || !text_number(arguments[1], &count) ||
	    !text_number(arguments[2], &key) || size == 0)
		return false;
	if (memory_pick(size, count, key, &address)) {
		put_text("picked ");
		put_decimal(count);
		put_text(" pages");
	} else {
		put_text("mismatch at ");
		put_hex(address);
	}
	put_text(" key ");
	put_decimal(key);
	put_text("\n");
	return true;
}

static bool run_sum(char **arguments)
{
	uint64_t size;

	if (!parse_memory_size(arguments[0], &size))
		return false;
	put_text("sum ");
	put_size(size);
	put_text(" is ");
	put_hex(memory_sum(size));
	put_text("\n");
	return true;
}

static bool run_identity(char **arguments)
{
	char text[IDENTITY_MAX + 1] = { 0 };
	struct fwcfg_file file;
	size_t length = 0;

	(void)arguments;
	if (fwcfg_find("opt/exomem/identity", &file)) {
		fwcfg_select(&file);
		fwcfg_read(text, file.size < IDENTITY_MAX ? file.size : IDENTITY_MAX);
	}
	for (size_t i = 0; i < IDENTITY_MAX && text[i]; i++) {
		if ((unsigned char)text[i] < ' ')
			text[i] = ' '; /* an answer is one line */
		if (text[i] != ' ')
			length = i + 1;
	}
	text[length] = '\0';
	put_text("identity: ");
	put_text(length ? text : "none");
	put_text("\n");
	return true;
}

static bool run_memory(char **arguments)
{
	const struct range *range;

	(void)arguments;
	put_text("memory:");
	for (size_t i = 0; (range = map_range(i)); i++) {
		put_text(" ");
		put_hex(range->start);
		put_text("-");
		put_hex(range->end);
	}
	put_text("\n");
	return true;
}

static bool run_poweroff(char **arguments)
{
	(void)arguments;
	put_text("poweroff\n");
	power_off();
}

static bool run_help(char **arguments);

static const struct command commands[] = {
	{ "help", "", run_help },
	{ "tick", " on|off", run_tick },
	{ "beat", " on|off", run_beat },
	{ "fill", " SIZE KEY", run_fill },
	{ "verify", " SIZE KEY", run_verify },
	{ "dirty", " SIZE KEY", run_dirty },
	{ "pick", " SIZE COUNT KEY", run_pick },
	{ "sum", " SIZE", run_sum },
	{ "identity", "", run_identity },
	{ "memory", "", run_memory },
	{ "poweroff", "", run_poweroff },
};

static bool run_help(char **arguments)
{
	(void)arguments;
	put_text("commands:");
	for (size_t i = 0; i < COUNT(commands); i++) {
		put_text(i ? ", " : " ");
		put_text(commands[i].name);
		put_text(commands[i].arguments);
	}
	put_text("\n");
	return true;
}

static void run(const struct command *command, char **arguments)
{
	if (command->run(arguments))
		return;
	put_text("error: usage: ");
	put_text(command->name);
	put_text(command->arguments);
	put_text(" (SIZE: whole pages, up to ");
	put_size(map_size());
	put_text(")\n");
}

static void run_line(char *line)
{
	char *words[5];

	if (text_split(line, words, COUNT(words)) == 0)
		return;
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (text_equal(words[0], commands[i].name)) {
			run(&commands[i], words + 1);
			return;
		}
	}
	put_text("unknown: ");
	put_text(words[0]);
	put_text("\n");
}

static bool is_tick_due(void)
{
	return ticks != last_tick;
}

static bool is_something_due(void)
{
	return serial_has_input() || is_tick_due();
}

static void beat(void)
{
	last_tick = ticks;
	if (!ticking)
		return;
	put_text("tick ");
	put_decimal(last_tick);
	put_text("\n");
}

/**
 * main() - Answer commands for ever
 * @boot_magic: what was in EAX at the start
 * @boot_info: what was in EBX
 */
_Noreturn void main(uint32_t boot_magic, uint32_t boot_info);

void main(uint32_t boot_magic, uint32_t boot_info)
{
	char *line;

	map_start(boot_magic, boot_info);
	serial_start();
	interrupts_start();
	put_text("\ntiny: up, "); /* SeaBIOS leaves an unfinished line */
	put_decimal(map_size() / MIB);
	put_text(" MiB of memory\n");
	run_identity(NULL);
	for (;;) {
		sleep_until(is_something_due);
		if (serial_read_line(&line))
			run_line(line);
		if (is_tick_due())
			beat();
	}
}
