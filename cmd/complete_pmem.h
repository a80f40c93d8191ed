/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/**
 * typedef ExmOffer - Called for each word that could be meant
 * @word:        the word
 * @description: what it is
 * @user:        as it was given
 */
typedef void (*ExmOffer)(const char *word, const char *description, void *user);

/**
 * struct ExmCompletePmem - Names of persistent memory that are wanted
 * @config: --config, or NULL
 * @claims: --claims, or NULL
 * @pool:   --pool, or NULL
 * @offer:  called for each
 * @user:   for @offer
 */
typedef struct {
	const char *config;
	const char *claims;
	const char *pool;
	ExmOffer offer;
	void *user;
} ExmCompletePmem;

void exm_complete_pmem_release(const ExmCompletePmem *wanted);
void exm_complete_pmem_scrub(const ExmCompletePmem *wanted);
void exm_complete_pmem_spec(const ExmCompletePmem *wanted, const char *typed);
