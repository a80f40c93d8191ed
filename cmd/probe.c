/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - exomem probe: what this QEMU can do */

#include "op/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "command.h"
#include "options.h"
#include "output.h"

#define COLUMNS    80
#define NAME_WIDTH 15

static struct {
	char *qemu;
	gboolean json;
	gboolean refresh;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_TEXT("qemu", &opt.qemu, "ask this QEMU", "BINARY"),
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, and every machine type"),
	EXM_OPTION_FLAG("refresh", &opt.refresh, "ask even where an answer is recorded"),
	EXM_OPTION_END,
};

static void print_fact(const char *name, const char *value)
{
	printf("%-*s%s\n", NAME_WIDTH, name, value);
}

/* The words beside the name, over as many lines as they need. */
static void print_words(const char *name, char *const *words)
{
	int column = printf("%-*s", NAME_WIDTH, name);

	if (!*words)
		printf("none");
	for (; *words; words++) {
		if (column + (int)strlen(*words) >= COLUMNS)
			column = printf("\n%*s", NAME_WIDTH, "") - 1;
		column += printf(column > NAME_WIDTH ? " %s" : "%s", *words);
	}
	printf("\n");
}

static void print_facts(const ExmCaps *caps, bool cached)
{
	g_autofree char *version = *caps->package
	                                   ? g_strdup_printf("%s (%s)", caps->version, caps->package)
	                                   : g_strdup(caps->version);

	print_fact("binary", caps->path);
	print_fact("version", version);
	print_fact("target", caps->target);
	print_fact("answer", cached ? "recorded earlier" : "asked just now");
	print_words("accelerators", caps->accelerators);
	print_words("devices", caps->devices);
	print_words("objects", caps->objects);
	print_words("transports", caps->transports);
	print_words("file backend", caps->file_properties);
	print_words("ram backend", caps->ram_properties);
	print_words("migration", caps->migration_capabilities);
}

/* "pc-q35-6.1": kept for guests that began on an older QEMU. */
static bool is_old_version(const ExmMachine *machine)
{
	const char *dash = strrchr(machine->name, '-');

	return dash && !machine->alias && !machine->is_default && g_ascii_isdigit(dash[1]) &&
	       strchr(dash, '.');
}

static void print_machine(const ExmMachine *machine)
{
	printf("  %-18s %-10s %s%s\n", machine->name, machine->alias ? machine->alias : "-",
	       machine->ram_id ? machine->ram_id : "-", machine->is_default ? " (default)" : "");
}

static void print_machines(const GPtrArray *machines)
{
	unsigned int folded = 0;

	printf("\n  %-18s %-10s %s\n", "machine", "alias", "main memory");
	for (guint i = 0; i < machines->len; i++) {
		const ExmMachine *machine = machines->pdata[i];

		if (is_old_version(machine))
			folded++;
		else
			print_machine(machine);
	}
	if (folded)
		printf("  and %u of older versions, which --json lists\n", folded);
}

static void print_gates(const ExmCaps *caps)
{
	size_t count;
	const ExmGate *gates = exm_caps_gates(&count);

	printf("\n");
	for (size_t i = 0; i < count; i++)
		printf("%s needs QEMU %d.%d: %s\n", gates[i].name, gates[i].major, gates[i].minor,
		       exm_caps_at_least(caps, gates[i].major, gates[i].minor) ? "met" : "not met");
}

static void print_table(const ExmCaps *caps, bool cached)
{
	print_facts(caps, cached);
	print_machines(caps->machines);
	print_gates(caps);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *cache = exm_cache_directory();
	g_autoptr(ExmCaps) caps = NULL;
	bool cached;

	if (words[0])
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' is not expected (--qemu names a binary)", words[0]);
	caps = exm_op_probe(opt.qemu ? opt.qemu : exm_default_qemu(), cache, opt.refresh, &cached,
	                    error);
	if (!caps)
		return false;
	if (opt.json) {
		g_autoptr(ExmJson) json = exm_caps_to_json(caps);

		exm_output_json(json);
	} else {
		print_table(caps, cached);
	}
	return true;
}

const ExmCommand exm_command_probe = {
	.name = "probe",
	.summary = "what this QEMU can do",
	.usage = "[OPTION]...",
	.options = options,
	.run = run,
};
