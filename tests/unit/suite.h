/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <check.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/*
 * A suite and its one test case are named after the module they test, so that CK_RUN_CASE=size
 * runs tests/unit/test_size.c. A new suite is declared here and listed in main.c.
 */
Suite *error_suite(void);
Suite *size_suite(void);
Suite *keyval_suite(void);
Suite *end_suite(void);
Suite *enumtab_suite(void);
Suite *quote_suite(void);
Suite *rehearsal_suite(void);
Suite *fd_suite(void);
Suite *json_suite(void);
Suite *trace_suite(void);
Suite *caps_suite(void);
Suite *host_suite(void);
Suite *qmp_suite(void);
Suite *spawn_suite(void);
Suite *probe_suite(void);
Suite *console_suite(void);
Suite *log_suite(void);
Suite *memory_option_suite(void);
Suite *operation_suite(void);
Suite *vm_suite(void);
Suite *call_guard_suite(void);
Suite *memory_file_suite(void);
Suite *checksum_suite(void);
Suite *qemu_keys_suite(void);
Suite *capacity_suite(void);
Suite *strip_suite(void);
Suite *child_process_suite(void);
Suite *detach_suite(void);
Suite *directory_suite(void);
Suite *clash_suite(void);
Suite *reach_suite(void);
Suite *disk_suite(void);
Suite *stream_suite(void);
Suite *memory_writer_suite(void);
Suite *overlay_suite(void);
Suite *pidfd_suite(void);
Suite *pmem_check_suite(void);
Suite *claim_suite(void);
Suite *receive_suite(void);
Suite *record_suite(void);
Suite *template_suite(void);
Suite *template_check_suite(void);
Suite *template_store_suite(void);
Suite *clone_suite(void);
Suite *save_suite(void);
Suite *fork_suite(void);
Suite *state_suite(void);
Suite *config_suite(void);
Suite *safe_open_suite(void);
Suite *scrub_suite(void);
Suite *policy_suite(void);
Suite *prefetch_suite(void);
Suite *page_cache_suite(void);
Suite *mapping_suite(void);
Suite *mount_suite(void);
Suite *balance_suite(void);
Suite *balloon_suite(void);
Suite *pressure_suite(void);
Suite *incoming_suite(void);
Suite *io_uring_suite(void);
Suite *landlock_suite(void);
Suite *sandbox_suite(void);
Suite *stream_head_suite(void);
Suite *conversation_suite(void);
Suite *write_back_suite(void);

/* The call that was to succeed did. */
#define assert_no_error(error) \
	ck_assert_msg((error) == NULL, "%s", (error) == NULL ? "" : (error)->message)

/* The error is exomem's, has this code, and its message contains this text. */
#define assert_error(error, wanted, part)                                                         \
	do {                                                                                      \
		ck_assert_msg((error) != NULL, "no error where '%s' was to come", (part));        \
		ck_assert_msg((error)->domain == EXM_ERROR && (error)->code == (int)(wanted),     \
		              "code %d instead of %d: %s", (error)->code, (int)(wanted),          \
		              (error)->message);                                                  \
		ck_assert_msg(strstr((error)->message, (part)) != NULL, "no '%s' in: %s", (part), \
		              (error)->message);                                                  \
	} while (0)

/* The text is this one; it is freed, for functions that return a new one. */
#define assert_text_and_free(call, wanted)                \
	do {                                              \
		g_autofree char *text_to_free = (call);   \
		ck_assert_str_eq(text_to_free, (wanted)); \
	} while (0)
