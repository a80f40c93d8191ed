/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plan/caps.h"
#include "plan/host.h"
#include "plan/template.h"

/**
 * struct ExmTemplateFacts - What is so, to be held against a template's manifest
 * @caps:      of the QEMU that will run its children
 * @euid:      effective user
 * @files:     of ExmFileFacts, one for each of exm_template_files()
 * @kvm:       /dev/kvm can be used
 * @host_cpu:  flags of this host's processor
 * @boot_id:   of this boot of the host
 */
typedef struct {
	const ExmCaps *caps;
	uint64_t euid;
	GPtrArray *files;
	bool kvm;
	char **host_cpu;
	char *boot_id;
} ExmTemplateFacts;

/**
 * struct ExmTemplateLeniency - What a user says he knows better
 * @trust:      its files may be another user's
 * @other_qemu: its children shall run in another QEMU
 */
typedef struct {
	bool trust;
	bool other_qemu;
} ExmTemplateLeniency;

ExmTemplateFacts *exm_template_facts_new(void);
void exm_template_facts_free(ExmTemplateFacts *facts);
char **exm_template_files(const ExmTemplate *template);
void exm_template_check(const ExmTemplate *template, const ExmTemplateFacts *facts,
                        const ExmTemplateLeniency *leniency, GPtrArray *problems);
bool exm_template_check_host(const ExmTemplate *template, const ExmTemplateFacts *facts,
                             GError **error);
bool exm_template_check_or_throw(const ExmTemplate *template, const ExmTemplateFacts *facts,
                                 const ExmTemplateLeniency *leniency, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExmTemplateFacts, exm_template_facts_free)
