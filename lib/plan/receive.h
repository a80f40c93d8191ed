/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/caps.h"
#include "plan/memory_config.h"
#include "plan/run.h"
#include "plan/template.h"
#include "plan/template_check.h"

/* Ends the name of a guest that is only tried: no other may have the name. */
#define EXM_REHEARSAL_SUFFIX ".rehearsal"

/**
 * struct ExmReceiveRequest - What the user of `exomem receive` said, checked for form
 * @state_directory: where guests' directories are
 * @is_private:      what the guest writes goes to memory of its own, and its files stay as they are
 * @paused:          it does not run until it is told to
 * @trust:           SHA-256 of a manifest that another user may have written; NULL for none (borrowed)
 * @trust_mount:     take a file system whose locks or mappings are not known to be good enough
 * @path_maps:       of ExmPathMap
 * @store:           what is configured of memory in files (borrowed), or NULL where that is off
 * @overcommit:      take it even where it does not fit
 */
typedef struct {
	char *state_directory;
	bool is_private;
	bool paused;
	const char *trust;
	bool trust_mount;
	GPtrArray *path_maps;
	const ExmMemoryConfig *store;
	bool overcommit;
} ExmReceiveRequest;

/**
 * struct ExmReceiveFacts - What has to be known before a guest is taken
 * @caps:     of the QEMU that it will run in
 * @here:     what a template's children need too
 * @files:    of ExmFileFacts, one for each block of its memory
 * @guests:   of ExmVm, those that live on this host
 */
typedef struct {
	const ExmCaps *caps;
	const ExmTemplateFacts *here;
	const GPtrArray *files;
	const GPtrArray *guests;
} ExmReceiveFacts;

bool exm_receive_check_form(const ExmTemplate *handover, GError **error);
bool exm_receive_check_same(const ExmTemplate *checked, const ExmTemplate *handover, GError **error);
void exm_receive_map_paths(ExmTemplate *handover, const GPtrArray *maps);
bool exm_receive_check(const ExmTemplate *handover, const ExmReceiveFacts *facts, GError **error);
ExmRunRequest *exm_receive_run(const ExmTemplate *handover, const ExmReceiveRequest *request,
                               bool rehearsal, GError **error);
