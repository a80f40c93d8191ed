/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct ExmCommand - One verb; help, dispatch, completion and the man-page check all read this
 * @name:       "run"; names that begin with "__" are for our own tools and not listed
 * @summary:    one line for `exomem help`
 * @usage:      what follows the verb: "[OPTION]... QEMU-OPTION..."
 * @options:    its options, closed by an empty row; the storage is static in the verb's file
 * @takes_line: the first word that is none of its options starts QEMU's own command line
 * @takes_guest: its first word is the name of a guest, which completion offers
 * @takes_template: its first word is the name of a template
 * @takes_number: a word may be a negative number
 * @run:        does it; @words is NULL-terminated and holds what is left beside the options. False
 *              with an error where it failed.
 */
typedef struct {
	const char *name;
	const char *summary;
	const char *usage;
	const GOptionEntry *options;
	bool takes_line;
	bool takes_guest;
	bool takes_template;
	bool takes_number;
	bool (*run)(const char *const *words, GError **error);
} ExmCommand;

/* The table: NULL-terminated, in the order of `exomem help`. */
extern const ExmCommand *const exm_commands[];

const ExmCommand *exm_command_find(const char *name);
bool exm_command_find_or_throw(const char *name, const ExmCommand **ret_command, GError **error);

extern const ExmCommand exm_command_capacity;
extern const ExmCommand exm_command_balance;
extern const ExmCommand exm_command_balloon;
extern const ExmCommand exm_command_clean;
extern const ExmCommand exm_command_clone;
extern const ExmCommand exm_command_fork;
extern const ExmCommand exm_command_complete;
extern const ExmCommand exm_command_completion;
extern const ExmCommand exm_command_config;
extern const ExmCommand exm_command_console;
extern const ExmCommand exm_command_events;
extern const ExmCommand exm_command_help;
extern const ExmCommand exm_command_list;
extern const ExmCommand exm_command_logs;
extern const ExmCommand exm_command_migrate;
extern const ExmCommand exm_command_options;
extern const ExmCommand exm_command_pmem;
extern const ExmCommand exm_command_prefetch;
extern const ExmCommand exm_command_probe;
extern const ExmCommand exm_command_qmp;
extern const ExmCommand exm_command_receive;
extern const ExmCommand exm_command_reclaim;
extern const ExmCommand exm_command_run;
extern const ExmCommand exm_command_save;
extern const ExmCommand exm_command_show;
extern const ExmCommand exm_command_stop;
extern const ExmCommand exm_command_template;
extern const ExmCommand exm_command_usage;
extern const ExmCommand exm_command_wait;
extern const ExmCommand exm_command_wake;
