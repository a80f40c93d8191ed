/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* Files in a template's directory. */
#define EXM_TEMPLATE_MANIFEST "manifest.json" /* an ExmTemplate */
#define EXM_TEMPLATE_HIDDEN   "manifest.used" /* the same of one whose guest is going on */
#define EXM_TEMPLATE_DEVICES  "devices"       /* the migration stream; each child locks it */
#define EXM_TEMPLATE_HEIR     "heir." /* begins links to templates whose disks stand on its own */
#define EXM_TEMPLATE_DISK     "disk"  /* begins the names of its disk images */
#define EXM_TEMPLATE_TOKEN    "token" /* by which a destination knows that it sees the same files */
#define EXM_TEMPLATE_PREFETCH "prefetch.json" /* an ExmRecording */

/**
 * struct ExmTemplateMemory - One block of a template's memory
 * @id:        of its backend
 * @offset:    bytes from the start of the guest's memory
 * @size:      bytes
 * @path:      the file: absolute, or its name in the template's directory
 * @inode:     of the file
 * @mtime:     of the file, in nanoseconds since 1970
 * @allocated: bytes of blocks the file has
 * @sha256:    of the file's content in hexadecimal, or NULL
 * @namespace: uuid of the namespace of persistent memory whose device it is; NULL for a file
 * @claims:    where it is remembered who has that; NULL for a file
 */
typedef struct {
	char *id;
	uint64_t offset;
	uint64_t size;
	char *path;
	uint64_t inode;
	uint64_t mtime;
	uint64_t allocated;
	char *sha256;
	char *namespace;
	char *claims;
} ExmTemplateMemory;

/**
 * struct ExmTemplateDisk - One writable disk of the guest that a template was
 * @word:    its place in the words of the command line
 * @path:    the image that stays as it is: absolute, or its name in the template's directory
 * @format:  of the image
 * @size:    bytes that the guest sees
 * @overlay: name of an empty qcow2 overlay over it in the template's directory, for children to copy
 * @length:  bytes of the image file
 * @inode:   of the image file
 * @mtime:   of the image file, in nanoseconds since 1970
 * @own:     the image is the template's, and goes with it
 */
typedef struct {
	uint64_t word;
	char *path;
	char *format;
	uint64_t size;
	char *overlay;
	uint64_t length;
	uint64_t inode;
	uint64_t mtime;
	bool own;
} ExmTemplateDisk;

/**
 * struct ExmTemplate - What manifest.json says of a template; described in exomem-template(5)
 * @schema:            of the JSON that was read; exm_template_to_json() writes its own
 * @name:              of the template
 * @directory:         its directory, which is where the manifest was found
 * @created:           when it was saved, in seconds since 1970
 * @parent:            name of the guest that it was
 * @lineage:           names of the templates that the guest descended from, oldest first
 * @qemu:              path of the binary
 * @qemu_version:      "7.2.22"
 * @qemu_memory:       bytes that the parent's QEMU had for itself, without guest memory; 0 if not known
 * @machine:           versioned machine type: "pc-q35-7.2"
 * @cpu:               CPU model as the user wrote it, or NULL
 * @accelerator:       "tcg" or "kvm"
 * @host_cpu:          flags of the host's processor where the accelerator passes them on, or NULL
 * @working_directory: of QEMU
 * @command:           the user's words for QEMU, placeholders not replaced
 * @ram_size:          bytes of main memory
 * @paused:            it was paused when its state was written, and rests when that is loaded
 * @vmgenid:           it has a device by which a child learns that it is one
 * @identity:          it has an identity in fw_cfg
 * @sandbox:           the guest's QEMU was restricted to its files, and so are its children's
 * @run_as:            name of the user that the guest's QEMU became, and its children's; or NULL
 * @devices_size:      bytes of the migration stream
 * @devices_sha256:    of the stream, in hexadecimal
 * @memory:            of ExmTemplateMemory
 * @disks:             of ExmTemplateDisk
 * @uuid:              of a guest that is handed over and stays the one it is; NULL for a template,
 *                     whose children have their own. The rest is of such a guest too
 * @generation_id:     GUID of its vmgenid device, or NULL
 * @blob:              its identity as fw_cfg has it, or NULL
 * @index:             which child it is of its parent
 * @resting:           its user had paused it
 * @boot_id:           of a template whose memory does not outlive a restart of the host: the boot
 * in which it was saved; else NULL
 * @distrust:          who else than root and this user may have written the manifest, as
 * exm_safe_open_directory() says it; NULL for nobody, and never in JSON
 * @sha256:            of the manifest as it was read, in hexadecimal; never in it. It names the
 * checksum of the device state, and number, size and time of memory and disks
 */
typedef struct {
	uint64_t schema;
	char *name;
	char *directory;
	uint64_t created;
	char *parent;
	char **lineage;
	char *qemu;
	char *qemu_version;
	uint64_t qemu_memory;
	char *machine;
	char *cpu;
	char *accelerator;
	char **host_cpu;
	char *working_directory;
	char **command;
	uint64_t ram_size;
	bool paused;
	bool vmgenid;
	bool identity;
	bool sandbox;
	char *run_as;
	uint64_t devices_size;
	char *devices_sha256;
	GPtrArray *memory;
	GPtrArray *disks;
	char *uuid;
	char *generation_id;
	char *blob;
	uint64_t index;
	bool resting;
	char *boot_id;
	char *distrust;
	char *sha256;
} ExmTemplate;

ExmTemplate *exm_template_new(void);
bool exm_template_makes_file(const char *name);
bool exm_template_is_trusted(const ExmTemplate *template, const char *trust);
bool exm_template_check_trust(const ExmTemplate *template, const char *trust, GError **error);
void exm_template_free(ExmTemplate *template);
ExmTemplateMemory *exm_template_add_memory(ExmTemplate *template);
ExmTemplateDisk *exm_template_add_disk(ExmTemplate *template);
const ExmTemplateMemory *exm_template_memory(const ExmTemplate *template, const char *id);
const ExmTemplateDisk *exm_template_disk(const ExmTemplate *template, guint word);
char *exm_template_path(const ExmTemplate *template, const char *path);
const ExmTemplateMemory *exm_template_device(const ExmTemplate *template);
ExmJson *exm_template_to_json(const ExmTemplate *template);
ExmTemplate *exm_template_from_json(ExmJson *json, const char *directory, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmTemplate, exm_template_free)
