/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interrupt.c - an interrupt a second or more often, one for serial input, and sleep between them */

#include "tiny.h"

#include "port.h"

/*
 * The local APIC and the first I/O APIC: the timer and the interrupt router that pc, q35 and
 * microvm all have, with or without a PIT and a PIC.
 */
#define LOCAL_APIC 0xfee00000UL
#define IO_APIC    0xfec00000UL

enum {
	EOI = 0xb0,
	SPURIOUS = 0xf0,
	TIMER = 0x320,
	INITIAL_COUNT = 0x380,
	DIVIDE = 0x3e0,
	PERIODIC = 1 << 17,
	DIVIDE_BY_1 = 0xb,
	/* QEMU (hw/intc/apic.c) and KVM (APIC_BUS_CYCLE_NS) both count nanoseconds. */
	COUNTS_PER_SECOND = 1000000000,
	SERIAL_LINE = 4,
};

enum {
	TIMER_VECTOR = 0x20,
	SERIAL_VECTOR = 0x21,
	SPURIOUS_VECTOR = 0x2f,
	VECTORS = 0x30,
};

struct gate {
	uint16_t address_low, selector, flags, address_mid;
	uint32_t address_high, reserved;
};

struct interrupt_frame;
typedef void interrupt_handler(struct interrupt_frame *frame);

volatile uint64_t ticks;
static struct gate gates[VECTORS];

static void apic_write(unsigned long address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

__attribute__((interrupt)) static void on_timer(struct interrupt_frame *frame)
{
	(void)frame;
	ticks++;
	apic_write(LOCAL_APIC + EOI, 0);
}

/* Waking up is all it is for: main() then reads the port. */
__attribute__((interrupt)) static void on_serial(struct interrupt_frame *frame)
{
	(void)frame;
	apic_write(LOCAL_APIC + EOI, 0);
}

__attribute__((interrupt)) static void on_spurious(struct interrupt_frame *frame)
{
	(void)frame;
}

static void set_gate(size_t vector, interrupt_handler *handler)
{
	uint64_t address = (uint64_t)handler;

	gates[vector] = (struct gate){
		.address_low = (uint16_t)address,
		.selector = 0x08,
		.flags = 0x8e00,
		.address_mid = (uint16_t)(address >> 16),
	};
}

static void route_serial(void)
{
	const uint32_t entry = 0x10 + 2 * SERIAL_LINE;

	apic_write(IO_APIC, entry + 1);
	apic_write(IO_APIC + 0x10, 0); /* to processor 0 */
	apic_write(IO_APIC, entry);
	apic_write(IO_APIC + 0x10, SERIAL_VECTOR);
}

/**
 * interrupts_start() - Let the timer and the serial port interrupt from now on
 */
void interrupts_start(void)
{
	const struct {
		uint16_t limit;
		uint64_t address;
	} __attribute__((packed)) table = { sizeof(gates) - 1, (uint64_t)gates };

	set_gate(TIMER_VECTOR, on_timer);
	set_gate(SERIAL_VECTOR, on_serial);
	set_gate(SPURIOUS_VECTOR, on_spurious);
	__asm__ volatile("lidt %0" : : "m"(table));

	/* The PIC, where there is one, stays silent. */
	port_write8(0x21, 0xff);
	port_write8(0xa1, 0xff);

	apic_write(LOCAL_APIC + SPURIOUS, 0x100 | SPURIOUS_VECTOR);
	apic_write(LOCAL_APIC + DIVIDE, DIVIDE_BY_1);
	apic_write(LOCAL_APIC + TIMER, PERIODIC | TIMER_VECTOR);
	interrupts_every(COUNTS_PER_SECOND);
	route_serial();
	__asm__ volatile("sti");
}

/**
 * interrupts_every() - Choose how often the timer interrupts
 * @nanoseconds: between two of them; a second at first
 */
void interrupts_every(uint32_t nanoseconds)
{
	apic_write(LOCAL_APIC + INITIAL_COUNT, nanoseconds);
}

/**
 * sleep_until() - Halt the processor until there is something to do
 * @is_due: tells that there is; asked at first and after each interrupt
 */
void sleep_until(bool (*is_due)(void))
{
	__asm__ volatile("cli");
	while (!is_due())
		/* sti works one instruction late, so no interrupt is lost before the hlt. */
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	__asm__ volatile("sti");
}
