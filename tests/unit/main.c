/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - Runs the unit tests; check's CK_* variables choose which and how */

#include <stdio.h>

#include "suite.h"

static Suite *(*const suites[])(void) = {
	error_suite,      size_suite,           keyval_suite,
	enumtab_suite,    quote_suite,          rehearsal_suite,
	fd_suite,         json_suite,           trace_suite,
	caps_suite,       host_suite,           qmp_suite,
	spawn_suite,      probe_suite,          console_suite,
	log_suite,        memory_option_suite,  vm_suite,
	call_guard_suite, memory_file_suite,    checksum_suite,
	qemu_keys_suite,  clash_suite,          disk_suite,
	stream_suite,     memory_writer_suite,  overlay_suite,
	pidfd_suite,      pmem_check_suite,     record_suite,
	template_suite,   template_check_suite, template_store_suite,
	clone_suite,      incoming_suite,       stream_head_suite,
	save_suite,       fork_suite,           state_suite,
	config_suite,     scrub_suite,          capacity_suite,
	strip_suite,      policy_suite,         balance_suite,
	balloon_suite,    pressure_suite,       prefetch_suite,
	page_cache_suite, conversation_suite,   child_process_suite,
	detach_suite,     write_back_suite,     end_suite,
	mapping_suite,    mount_suite,          claim_suite,
	directory_suite,  safe_open_suite,      reach_suite,
	io_uring_suite,   sandbox_suite,        landlock_suite,
	receive_suite,    operation_suite,
};

int main(void)
{
	SRunner *runner = srunner_create(NULL);
	int failed, run;

	for (size_t i = 0; i < G_N_ELEMENTS(suites); i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	/* A CK_RUN_CASE that names nothing must not look like a success. */
	if (run == 0)
		fprintf(stderr, "unit: no test was run\n");
	return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
