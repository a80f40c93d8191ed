/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - fill memory with a pattern, and look at it again */

#include "tiny.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))

/* A walk over the first bytes of memory, range by range. */
struct walk {
	uint64_t left;
	size_t next;
	uint64_t *word, *end;
};

static bool next_range(struct walk *walk)
{
	const struct range *range = map_range(walk->next++);
	uint64_t length;

	if (!range || walk->left == 0)
		return false;
	length = range->end - range->start;
	if (length > walk->left)
		length = walk->left;
	walk->left -= length;
	walk->word = (uint64_t *)range->start;
	walk->end = (uint64_t *)(range->start + length);
	return true;
}

/* Two multiplications: no two words are alike, and neither are two keys. */
static uint64_t pattern(const uint64_t *word, uint64_t key)
{
	return ((uint64_t)word + key * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
}

/**
 * memory_fill() - Write a pattern made of the key and the address of each word
 * @size: how many bytes, a multiple of the page size
 * @key: the key
 */
void memory_fill(uint64_t size, uint64_t key)
{
	struct walk walk = { .left = size };

	while (next_range(&walk))
		for (; walk.word < walk.end; walk.word++)
			*walk.word = pattern(walk.word, key);
}

/**
 * memory_verify() - Compare memory with what memory_fill() writes
 * @size: how many bytes, a multiple of the page size
 * @key: the key
 * @ret_address: where to put the address of the first word that differs
 * Return: false when one does
 */
bool memory_verify(uint64_t size, uint64_t key, uint64_t *ret_address)
{
	struct walk walk = { .left = size };

	while (next_range(&walk)) {
		for (; walk.word < walk.end; walk.word++) {
			if (*walk.word != pattern(walk.word, key)) {
				*ret_address = (uint64_t)walk.word;
				return false;
			}
		}
	}
	return true;
}

/**
 * memory_dirty() - Write the first word of each page as memory_fill() does
 * @size: how many bytes, a multiple of the page size
 * @key: the key
 * Return: the number of pages written
 */
uint64_t memory_dirty(uint64_t size, uint64_t key)
{
	struct walk walk = { .left = size };

	while (next_range(&walk))
		for (; walk.word < walk.end; walk.word += WORDS_PER_PAGE)
			*walk.word = pattern(walk.word, key);
	return size / PAGE_SIZE;
}

/* The word at so many bytes from the start of what is filled. */
static uint64_t *word_at(uint64_t offset)
{
	const struct range *range;

	for (size_t i = 0; (range = map_range(i)); i++) {
		if (offset < range->end - range->start)
			return (uint64_t *)(range->start + offset);
		offset -= range->end - range->start;
	}
	return NULL;
}

/**
 * memory_pick() - Compare the first word of some pages with what memory_fill() writes
 * @size: how many bytes the pages are spread over, a multiple of the page size
 * @count: how many pages, in no order that could be foreseen from the last ones
 * @key: the key
 * @ret_address: where to put the address of the first word that differs
 * Return: false when one does
 */
bool memory_pick(uint64_t size, uint64_t count, uint64_t key, uint64_t *ret_address)
{
	const uint64_t pages = size / PAGE_SIZE;

	for (uint64_t i = 0; i < count; i++) {
		/* Odd: where there is a power of two of pages, no page comes twice before all have. */
		const uint64_t page = (i * 0x9e3779b97f4a7c15) % pages;
		const uint64_t *word = word_at(page * PAGE_SIZE);

		if (!word || *word != pattern(word, key)) {
			*ret_address = (uint64_t)word;
			return false;
		}
	}
	return true;
}

/**
 * memory_sum() - A checksum that depends on each word and on their order
 * @size: how many bytes, a multiple of the page size
 * Return: the checksum
 */
uint64_t memory_sum(uint64_t size)
{
	struct walk walk = { .left = size };
	uint64_t sum = 0;

	while (next_range(&walk)) {
		for (; walk.word < walk.end; walk.word++) {
			sum = (sum ^ *walk.word) * 0x9e3779b97f4a7c15;
			sum ^= sum >> 32;
		}
	}
	return sum;
}
