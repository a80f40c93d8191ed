/* SPDX-License-Identifier: GPL-2.0-or-later */
/* power.c - end the machine */

#include "tiny.h"

#include "port.h"

/* pc and q35: SeaBIOS puts PM1_CNT here; QEMU takes SLP_TYP 0 for S5 (hw/acpi/core.c). */
enum {
	PM1_CONTROL = 0x604,
	PM1_SLEEP = 1 << 13,
};

/* microvm: S5 and SLP_EN for its generic event device (QEMU's include/hw/i386/microvm.h) */
#define GED_SLEEP_CONTROL 0xfea00200UL
#define GED_SLEEP         (5 << 2 | 1 << 5)

static uint64_t give_up_at;

static bool is_time_to_give_up(void)
{
	return ticks >= give_up_at;
}

/* Port configuration access, which pc and q35 have, and microvm has not even with PCIe. */
static bool has_pci_ports(void)
{
	port_write32(0xcf8, 0x80000000);
	return port_read32(0xcfc) != 0xffffffff;
}

static _Noreturn void triple_fault(void)
{
	const struct {
		uint16_t limit;
		uint64_t address;
	} __attribute__((packed)) no_table = { 0, 0 };

	__asm__ volatile("lidt %0; int3" : : "m"(no_table));
	__builtin_unreachable();
}

/**
 * power_off() - End the machine: by ACPI, or by a reset where it has none (-no-reboot ends that)
 */
void power_off(void)
{
	if (has_pci_ports())
		port_write16(PM1_CONTROL, PM1_SLEEP);
	else
		*(volatile uint8_t *)GED_SLEEP_CONTROL = GED_SLEEP;
	interrupts_every(1000000000);
	give_up_at = ticks + 2;
	sleep_until(is_time_to_give_up);
	triple_fault();
}
