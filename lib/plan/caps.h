/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

/**
 * struct ExmMachine - One machine type of a QEMU binary, as query-machines tells it
 * @name:       versioned name: "pc-q35-7.2"
 * @alias:      short name: "q35", or NULL
 * @ram_id:     id that QEMU itself gives to main memory ("pc.ram"), or NULL where it has none
 * @is_default: taken where the user names no machine
 */
typedef struct {
	char *name;
	char *alias;
	char *ram_id;
	bool is_default;
} ExmMachine;

/**
 * struct ExmCaps - What one QEMU binary can do, as it said itself over QMP
 * @path:                   resolved path of the binary
 * @version:                "7.2.22"
 * @major, @minor, @micro:  the same as numbers
 * @package:                the packager's suffix, perhaps empty
 * @target:                 architecture of the guest: "x86_64"
 * @machines:               of ExmMachine
 * @accelerators:           built in: "tcg", "kvm"
 * @file_properties:        of memory-backend-file
 * @ram_properties:         of memory-backend-ram
 * @migration_capabilities: as query-migrate-capabilities lists them
 * @transports:             of a migration stream: "exec", "fd", "file", …
 * @devices:                those that exomem asks for and this binary has
 * @objects:                types of -object, likewise
 */
typedef struct {
	char *path;
	char *version;
	int major;
	int minor;
	int micro;
	char *package;
	char *target;
	GPtrArray *machines;
	char **accelerators;
	char **file_properties;
	char **ram_properties;
	char **migration_capabilities;
	char **transports;
	char **devices;
	char **objects;
} ExmCaps;

/* The devices whose presence a probe looks up, NULL-terminated. */
extern const char *const exm_caps_wanted_devices[];

/* The types of -object whose presence a probe looks up, NULL-terminated. */
extern const char *const exm_caps_wanted_objects[];

/**
 * struct ExmGate - A feature that Nova allows from a certain QEMU on
 * @key:   "file-backing", in JSON
 * @name:  "file backing", for a person
 * @major: with @minor the first version that has it
 */
typedef struct {
	const char *key;
	const char *name;
	int major;
	int minor;
} ExmGate;

ExmMachine *exm_machine_new(const char *name, const char *alias, const char *ram_id, bool is_default);
void exm_machine_free(ExmMachine *machine);
ExmCaps *exm_caps_new(void);
void exm_caps_free(ExmCaps *caps);
ExmJson *exm_caps_to_json(const ExmCaps *caps);
ExmCaps *exm_caps_from_json(ExmJson *json, GError **error);
const ExmMachine *exm_caps_machine(const ExmCaps *caps, const char *type);
bool exm_caps_has(char *const *list, const char *name);
bool exm_caps_at_least(const ExmCaps *caps, int major, int minor);
const ExmGate *exm_caps_gates(size_t *ret_count);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmMachine, exm_machine_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmCaps, exm_caps_free)
