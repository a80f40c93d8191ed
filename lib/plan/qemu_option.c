/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_option.c - Which QEMU options take an argument */

#include "plan/qemu_option.h"

#include <stdlib.h>
#include <string.h>

#include "base/enumtab.h"

/*
 * Every option of qemu-options.hx from QEMU 2.5 to 11.1, whatever the architecture, in byte order.
 * "mempath" is the spelling of the 2012 patch; QEMU never had it.
 */
static const ExmQemuOption options[] = {
	{ "D", true, NULL },
	{ "L", true, NULL },
	{ "M", true, "machine" },
	{ "S", false, NULL },
	{ "accel", true, NULL },
	{ "acpitable", true, NULL },
	{ "action", true, NULL },
	{ "add-fd", true, NULL },
	{ "alt-grab", false, NULL },
	{ "append", true, NULL },
	{ "async-teardown", false, NULL },
	{ "audio", true, NULL },
	{ "audio-help", false, NULL },
	{ "audiodev", true, NULL },
	{ "balloon", true, NULL },
	{ "bios", true, NULL },
	{ "blockdev", true, NULL },
	{ "boot", true, NULL },
	{ "bootp", true, NULL },
	{ "bt", true, NULL },
	{ "cdrom", true, NULL },
	{ "chardev", true, NULL },
	{ "chroot", true, NULL },
	{ "clock", true, NULL },
	{ "compat", true, NULL },
	{ "cpu", true, NULL },
	{ "ctrl-grab", false, NULL },
	{ "curses", false, NULL },
	{ "d", true, NULL },
	{ "daemonize", false, NULL },
	{ "debugcon", true, NULL },
	{ "device", true, NULL },
	{ "dfilter", true, NULL },
	{ "display", true, NULL },
	{ "drive", true, NULL },
	{ "dtb", true, NULL },
	{ "dump-vmstate", true, NULL },
	{ "echr", true, NULL },
	{ "enable-fips", false, NULL },
	{ "enable-hax", false, NULL },
	{ "enable-kvm", false, NULL },
	{ "enable-sync-profile", false, NULL },
	{ "fda", true, NULL },
	{ "fdb", true, NULL },
	{ "fsdev", true, NULL },
	{ "full-screen", false, NULL },
	{ "fw_cfg", true, NULL },
	{ "g", true, NULL },
	{ "gdb", true, NULL },
	{ "global", true, NULL },
	{ "h", false, "help" },
	{ "hda", true, NULL },
	{ "hdachs", true, NULL },
	{ "hdb", true, NULL },
	{ "hdc", true, NULL },
	{ "hdd", true, NULL },
	{ "help", false, NULL },
	{ "icount", true, NULL },
	{ "incoming", true, NULL },
	{ "initrd", true, NULL },
	{ "iscsi", true, NULL },
	{ "jitdump", false, NULL },
	{ "k", true, NULL },
	{ "kernel", true, NULL },
	{ "loadvm", true, NULL },
	{ "localtime", false, NULL },
	{ "m", true, NULL },
	{ "machine", true, NULL },
	{ "mem-path", true, NULL },
	{ "mem-prealloc", false, NULL },
	{ "mempath", true, "mem-path" },
	{ "mon", true, NULL },
	{ "monitor", true, NULL },
	{ "msg", true, NULL },
	{ "mtdblock", true, NULL },
	{ "name", true, NULL },
	{ "net", true, NULL },
	{ "netdev", true, NULL },
	{ "nic", true, NULL },
	{ "no-acpi", false, NULL },
	{ "no-fd-bootchk", false, NULL },
	{ "no-frame", false, NULL },
	{ "no-hpet", false, NULL },
	{ "no-kvm", false, NULL },
	{ "no-kvm-irqchip", false, NULL },
	{ "no-kvm-pit", false, NULL },
	{ "no-kvm-pit-reinjection", false, NULL },
	{ "no-quit", false, NULL },
	{ "no-reboot", false, NULL },
	{ "no-shutdown", false, NULL },
	{ "no-user-config", false, NULL },
	{ "nodefaults", false, NULL },
	{ "nodefconfig", false, NULL },
	{ "nographic", false, NULL },
	{ "numa", true, NULL },
	{ "object", true, NULL },
	{ "old-param", false, NULL },
	{ "only-migratable", false, NULL },
	{ "option-rom", true, NULL },
	{ "overcommit", true, NULL },
	{ "parallel", true, NULL },
	{ "perfmap", false, NULL },
	{ "pflash", true, NULL },
	{ "pidfile", true, NULL },
	{ "plugin", true, NULL },
	{ "portrait", false, NULL },
	{ "preconfig", false, NULL },
	{ "prom-env", true, NULL },
	{ "qmp", true, NULL },
	{ "qmp-pretty", true, NULL },
	{ "qtest", true, NULL },
	{ "qtest-log", true, NULL },
	{ "readconfig", true, NULL },
	{ "realtime", true, NULL },
	{ "redir", true, NULL },
	{ "rotate", true, NULL },
	{ "rtc", true, NULL },
	{ "rtc-td-hack", false, NULL },
	{ "run-with", true, NULL },
	{ "runas", true, NULL },
	{ "s", false, NULL },
	{ "sandbox", true, NULL },
	{ "sd", true, NULL },
	{ "sdl", false, NULL },
	{ "seed", true, NULL },
	{ "semihosting", false, NULL },
	{ "semihosting-config", true, NULL },
	{ "serial", true, NULL },
	{ "set", true, NULL },
	{ "shim", true, NULL },
	{ "show-cursor", false, NULL },
	{ "singlestep", false, NULL },
	{ "smb", true, NULL },
	{ "smbios", true, NULL },
	{ "smp", true, NULL },
	{ "snapshot", false, NULL },
	{ "soundhw", true, NULL },
	{ "spice", true, NULL },
	{ "startdate", true, NULL },
	{ "tb-size", true, NULL },
	{ "tdf", false, NULL },
	{ "tftp", true, NULL },
	{ "tpmdev", true, NULL },
	{ "trace", true, NULL },
	{ "usb", false, NULL },
	{ "usbdevice", true, NULL },
	{ "uuid", true, NULL },
	{ "version", false, NULL },
	{ "vga", true, NULL },
	{ "virtfs", true, NULL },
	{ "virtfs_synth", false, NULL },
	{ "virtioconsole", true, NULL },
	{ "vnc", true, NULL },
	{ "watchdog", true, NULL },
	{ "watchdog-action", true, NULL },
	{ "win2k-hack", false, NULL },
	{ "writeconfig", true, NULL },
	{ "xen-attach", false, NULL },
	{ "xen-create", false, NULL },
	{ "xen-domid", true, NULL },
	{ "xen-domid-restrict", false, NULL },
};

/**
 * exm_qemu_options() - All options that QEMU has or had
 * @ret_count: how many
 *
 * Return: the options, in byte order.
 */
const ExmQemuOption *exm_qemu_options(size_t *ret_count)
{
	*ret_count = G_N_ELEMENTS(options);
	return options;
}

static int compare_name(const void *key, const void *row)
{
	return strcmp(key, ((const ExmQemuOption *)row)->name);
}

/* QEMU takes one dash or two before any option (system/vl.c, lookup_opt()). */
static const char *skip_dashes(const char *word)
{
	g_assert(word[0] == '-');
	return word[1] == '-' ? word + 2 : word + 1;
}

/**
 * exm_qemu_option_find() - Look up an option of QEMU
 * @word: a word of the command line, with its dashes
 *
 * Return: the option, or NULL where QEMU has none of that name.
 */
const ExmQemuOption *exm_qemu_option_find(const char *word)
{
	return bsearch(skip_dashes(word), options, G_N_ELEMENTS(options), sizeof(options[0]),
	               compare_name);
}

/**
 * exm_qemu_option_canonical() - The name under which exomem looks for an option
 * @option: an option
 *
 * Return: its name without dashes; -M is "machine", -mempath is "mem-path".
 */
const char *exm_qemu_option_canonical(const ExmQemuOption *option)
{
	return option->alias_of ? option->alias_of : option->name;
}

/**
 * exm_qemu_option_nearest() - The option that was probably meant
 * @word: a word with its dashes that is no option
 *
 * Return: a name without dashes, or NULL where none is near.
 */
const char *exm_qemu_option_nearest(const char *word)
{
	const char *names[G_N_ELEMENTS(options)];

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		names[i] = options[i].name;
	return exm_nearest(skip_dashes(word), names, G_N_ELEMENTS(names));
}
