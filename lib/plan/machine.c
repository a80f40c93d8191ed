/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.c - What QEMU does not tell of its machine types */

#include "plan/machine.h"

#include <string.h>

/* Families by the start of their names, and the first version that counts; 0 for all. */
typedef struct {
	const char *prefix;
	int major;
	int minor;
} Family;

/*
 * The device came with QEMU 2.9 and wants fw_cfg with DMA and ACPI tables that know of it
 * (hw/acpi/vmgenid.c; ACPI_VMGENID is selected by the PC machines alone).
 */
static const Family vmgenid_families[] = {
	{ "pc-i440fx-", 2, 9 },
	{ "pc-q35-", 2, 9 },
};

/* Callers of fw_cfg_init_io_dma() and fw_cfg_init_mem_wide() in QEMU's hw/. */
static const Family fw_cfg_families[] = {
	{ "microvm", 0, 0 },
	{ "pc-i440fx-", 0, 0 },
	{ "pc-q35-", 0, 0 },
	{ "virt", 0, 0 },
};

static bool is_recent(const char *version, const Family *family)
{
	char *end;
	const gint64 major = g_ascii_strtoll(version, &end, 10);
	const gint64 minor = *end == '.' ? g_ascii_strtoll(end + 1, NULL, 10) : 0;

	if (family->major == 0)
		return true;
	return major > family->major || (major == family->major && minor >= family->minor);
}

static bool is_among(const ExmMachine *machine, const Family *families, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (g_str_has_prefix(machine->name, families[i].prefix))
			return is_recent(machine->name + strlen(families[i].prefix), &families[i]);
	return false;
}

/**
 * exm_machine_takes_vmgenid() - Whether a vmgenid device means something on a machine
 * @machine: the machine type
 */
bool exm_machine_takes_vmgenid(const ExmMachine *machine)
{
	return is_among(machine, vmgenid_families, G_N_ELEMENTS(vmgenid_families));
}

/**
 * exm_machine_has_fw_cfg() - Whether a guest on a machine can read fw_cfg files
 * @machine: the machine type
 */
bool exm_machine_has_fw_cfg(const ExmMachine *machine)
{
	return is_among(machine, fw_cfg_families, G_N_ELEMENTS(fw_cfg_families));
}

/**
 * exm_machine_takes_nvdimm() - Whether a machine can have NVDIMMs
 * @machine: the machine type
 * @target:  architecture of the guest, as QEMU calls it
 *
 * mc->nvdimm_supported in QEMU's hw/: pc and q35, since 2.6; arm's virt and pseries, since 5.0. The
 * virt of other architectures has none, nor has microvm.
 */
bool exm_machine_takes_nvdimm(const ExmMachine *machine, const char *target)
{
	static const struct {
		const char *target;
		const char *prefix;
	} rows[] = {
		{ "aarch64", "virt-" },  { "arm", "virt-" },      { "i386", "pc-i440fx-" },
		{ "i386", "pc-q35-" },   { "ppc64", "pseries-" }, { "x86_64", "pc-i440fx-" },
		{ "x86_64", "pc-q35-" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (strcmp(rows[i].target, target) == 0 &&
		    g_str_has_prefix(machine->name, rows[i].prefix))
			return true;
	return false;
}
