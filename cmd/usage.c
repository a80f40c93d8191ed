/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.c - exomem usage: who holds what memory */

#include "op/usage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "words.h"

static struct {
	char *state_directory;
	char *svg;
	gboolean map;
	gboolean watch;
	gboolean json;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, in bytes"),
	EXM_OPTION_FLAG("watch", &opt.watch, "again each second, until it is interrupted"),
	EXM_OPTION_FLAG("map", &opt.map, "draw a guest's memory: untouched, shared, copied"),
	EXM_OPTION_TEXT("svg", &opt.svg, "draw it as a picture, into this file", "FILE"),
	EXM_OPTION_TEXT("state-dir", &opt.state_directory, "guests' state is there", "DIR"),
	EXM_OPTION_END,
};

static uint64_t all_of(const ExmUsageSum *sum)
{
	return sum->files + sum->copied + sum->qemu;
}

static ExmJson *guest_to_json(const ExmUsage *usage)
{
	ExmJson *json = json_object_new_object();

	exm_json_set_string(json, "name", usage->vm->name);
	exm_json_set_string(json, "template", usage->vm->template_path);
	exm_json_set_uint(json, "memory", usage->vm->ram_size);
	exm_json_set_uint(json, "mapped", usage->smaps.mapped);
	exm_json_set_uint(json, "copied", usage->smaps.copied);
	exm_json_set_uint(json, "swapped", usage->smaps.swapped);
	exm_json_set_uint(json, "qemu", usage->smaps.rest);
	exm_json_set_uint(json, "merged", usage->smaps.merged);
	exm_json_set_uint(json, "rss", usage->smaps.rss);
	exm_json_set_uint(json, "pss", usage->smaps.pss);
	exm_json_set_string(json, "lost", usage->lost);
	return json;
}

static void print_json(const GPtrArray *usages, const ExmUsageSum *sum)
{
	g_autoptr(ExmJson) json = json_object_new_object();
	ExmJson *guests = json_object_new_array();

	for (guint i = 0; i < usages->len; i++)
		json_object_array_add(guests, guest_to_json(usages->pdata[i]));
	json_object_object_add(json, "guests", guests);
	exm_json_set_uint(json, "files", sum->files);
	exm_json_set_uint(json, "copied", sum->copied);
	exm_json_set_uint(json, "swapped", sum->swapped);
	exm_json_set_uint(json, "qemu", sum->qemu);
	exm_json_set_uint(json, "merged", sum->merged);
	exm_json_set_uint(json, "blocks", sum->blocks);
	exm_json_set_uint(json, "dirty", sum->dirty);
	exm_json_set_uint(json, "all", all_of(sum));
	exm_json_set_uint(json, "alone", sum->alone);
	exm_output_json(json);
}

static void print_row(int width, const char *name, uint64_t memory, uint64_t mapped,
                      uint64_t copied, uint64_t qemu)
{
	const uint64_t values[] = { memory, mapped, copied, qemu };

	printf("%-*s", width, name);
	for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
		g_autofree char *text = exm_size_human(values[i]);

		printf("  %9s", text);
	}
	printf("\n");
}

static void print_rest(const ExmUsageSum *sum)
{
	g_autofree char *alone = exm_size_human(sum->alone);
	g_autofree char *blocks = exm_size_human(sum->blocks);
	g_autofree char *dirty = exm_size_human(sum->dirty);
	g_autofree char *merged = exm_size_human(sum->merged);
	g_autofree char *swapped = exm_size_human(sum->swapped);

	printf("%s if none of them shared anything\n", alone);
	printf("files: %s of blocks, %s not written yet; merged (KSM): %s; in swap: %s\n", blocks,
	       dirty, merged, swapped);
}

static void warn_of_lost(const ExmUsage *usage)
{
	g_autofree char *text = NULL;

	if (!usage->lost)
		return;
	text = g_strdup_printf("guest '%s': memory file '%s' was deleted, moved or replaced: nobody "
	                       "else finds it",
	                       usage->vm->name, usage->lost);
	exm_output_warning(text);
}

static void print_table(const GPtrArray *usages, const ExmUsageSum *sum)
{
	g_autofree char *files = exm_size_human(sum->files);
	g_autofree char *all = exm_size_human(all_of(sum));
	size_t width = strlen("NAME");

	for (guint i = 0; i < usages->len; i++)
		width = MAX(width, strlen(((const ExmUsage *)usages->pdata[i])->vm->name));
	printf("%-*s  %9s  %9s  %9s  %9s\n", (int)width, "NAME", "MEMORY", "MAPPED", "COPIED",
	       "QEMU");
	for (guint i = 0; i < usages->len; i++) {
		const ExmUsage *usage = usages->pdata[i];

		print_row((int)width, usage->vm->name, usage->vm->ram_size, usage->smaps.mapped,
		          usage->smaps.copied, usage->smaps.rest);
		warn_of_lost(usage);
	}
	printf("%s in all, of which %s are memory files, each counted once\n", all, files);
	print_rest(sum);
}

static bool print_usage(const char *directory, const char *const *words, GError **error)
{
	g_autoptr(GPtrArray) usages = NULL;
	ExmUsageSum sum;

	if (!exm_op_usage(directory, words, &usages, &sum, error))
		return false;
	if (opt.json)
		print_json(usages, &sum);
	else
		print_table(usages, &sum);
	return true;
}

static bool print_again(const char *directory, const char *const *words, GError **error)
{
	const bool is_screen = isatty(STDOUT_FILENO);

	for (;;) {
		/* ECMA-48: to the top, and all below away. */
		if (is_screen)
			printf("\033[H\033[J");
		if (!print_usage(directory, words, error) || !exm_output_finish(error))
			return false;
		g_usleep(G_USEC_PER_SEC);
	}
}

static bool draw(const char *directory, const char *const *words, GError **error)
{
	ExmStripCell cells[EXM_STRIP_CELLS] = { 0 };
	g_autofree char *text = NULL;
	g_autofree char *svg = NULL;
	const char *name;
	uint64_t size;

	if (!exm_words_guest(words, &name, error) ||
	    !exm_op_usage_map(directory, name, cells, &size, error))
		return false;
	text = exm_strip_to_text(cells, size, isatty(STDOUT_FILENO) && !g_getenv("NO_COLOR"));
	svg = exm_strip_to_svg(cells, name, size);
	if (opt.map)
		printf("%s", text);
	return !opt.svg || exm_file_write_atomic(opt.svg, svg, strlen(svg), 0644, error);
}

static bool check_options(GError **error)
{
	const bool draws = opt.map || opt.svg;

	if (draws && (opt.watch || opt.json))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' and '%s' exclude each other",
		                 opt.map ? "--map" : "--svg", opt.watch ? "--watch" : "--json");
	return true;
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;

	if (!check_options(error) || !exm_state_directory(opt.state_directory, &directory, error))
		return false;
	if (opt.map || opt.svg)
		return draw(directory, words, error);
	return opt.watch ? print_again(directory, words, error)
	                 : print_usage(directory, words, error);
}

const ExmCommand exm_command_usage = {
	.name = "usage",
	.summary = "who holds what memory: shared, copied, QEMU's own",
	.usage = "[OPTION]... [GUEST]...",
	.options = options,
	.takes_guest = true,
	.run = run,
};
