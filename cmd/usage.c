/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.c - exomem usage: who holds what memory */

#include "op/usage.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "command.h"
#include "options.h"
#include "output.h"

static struct {
	char *state_directory;
	gboolean json;
} opt;

static const GOptionEntry options[] = {
	EXM_OPTION_FLAG("json", &opt.json, "print JSON, in bytes"),
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
	exm_json_set_uint(json, "rss", usage->smaps.rss);
	exm_json_set_uint(json, "pss", usage->smaps.pss);
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
	exm_json_set_uint(json, "all", all_of(sum));
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
	}
	printf("%s in all, of which %s are memory files, each counted once\n", all, files);
}

static bool run(const char *const *words, GError **error)
{
	g_autofree char *directory = NULL;
	g_autoptr(GPtrArray) usages = NULL;
	ExmUsageSum sum;

	if (!exm_state_directory(opt.state_directory, &directory, error) ||
	    !exm_op_usage(directory, words, &usages, &sum, error))
		return false;
	if (opt.json)
		print_json(usages, &sum);
	else
		print_table(usages, &sum);
	return true;
}

const ExmCommand exm_command_usage = {
	.name = "usage",
	.summary = "who holds what memory: shared, copied, QEMU's own",
	.usage = "[OPTION]... [GUEST]...",
	.options = options,
	.takes_guest = true,
	.run = run,
};
