/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB        1024ULL
#define MIB        (1024 * KIB)
#define GIB        (1024 * MIB)
#define PAGE_SIZE  (4 * KIB)
#define MAPPED_END (64 * GIB) /* boot.S maps no more */
#define IMAGE_END  (2 * MIB)  /* tiny.ld checks it */

/* serial.c */
void serial_start(void);
bool serial_has_input(void);
bool serial_read_line(char **ret_line);
void put_text(const char *text);
void put_decimal(uint64_t number);
void put_hex(uint64_t number);
void put_size(uint64_t bytes);

/* interrupt.c */
extern volatile uint64_t ticks;
void interrupts_start(void);
void interrupts_every(uint32_t nanoseconds);
void sleep_until(bool (*is_due)(void));

/* fwcfg.c */
struct fwcfg_file {
	uint16_t selector;
	uint32_t size;
};
bool fwcfg_find(const char *name, struct fwcfg_file *ret_file);
void fwcfg_select(const struct fwcfg_file *file);
void fwcfg_read(void *buffer, size_t size);

/* map.c */
struct range {
	uint64_t start, end;
};
void map_start(uint32_t boot_magic, uint32_t boot_info);
const struct range *map_range(size_t index);
uint64_t map_size(void);

/* memory.c */
void memory_fill(uint64_t size, uint64_t key);
bool memory_verify(uint64_t size, uint64_t key, uint64_t *ret_address);
uint64_t memory_dirty(uint64_t size, uint64_t key);
bool memory_pick(uint64_t size, uint64_t count, uint64_t key, uint64_t *ret_address);
uint64_t memory_sum(uint64_t size);

/* power.c */
_Noreturn void power_off(void);

/* text.c */
bool text_equal(const char *a, const char *b);
size_t text_split(char *line, char **words, size_t max);
bool text_number(const char *text, uint64_t *ret_number);
bool text_size(const char *text, uint64_t *ret_bytes);
