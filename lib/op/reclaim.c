/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reclaim.c - Push a guest's pages out, all of them and the guest asleep, and wake it */

#include "op/reclaim.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/control.h"
#include "host/guest_memory.h"
#include "host/pressure.h"
#include "host/reclaim.h"
#include "host/state.h"

/* How long QEMU may take to answer, which frees memory of a balloon page by page meanwhile. */
#define ANSWER_MS 10000

static bool check_way_out(const ExmVm *vm, ExmOut out, GError **error)
{
	ExmSample host = { 0 };

	if (out == EXM_OUT_NOWHERE)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "memory of guest '%s' is huge pages or a device: it cannot be pushed "
		                 "out",
		                 vm->name);
	if (out == EXM_OUT_FILE || !exm_pressure_read(NULL, &host, NULL) || host.swap_free > 0)
		return true;
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "memory of guest '%s' is in no file of its own on a disk, and there is no free "
	                 "swap to push it to",
	                 vm->name);
}

/**
 * exm_reclaim_guest() - Push pages of a guest out
 * @vm:         the guest
 * @bytes:      how much at most
 * @ret_result: what that did
 * @error:      UNSUPPORTED where they have nowhere to go; SYSTEM
 *
 * A control group that the guest has to itself does it, where there is one: the kernel knows which
 * pages are coldest.
 */
bool exm_reclaim_guest(const ExmVm *vm, uint64_t bytes, ExmReclaimed *ret_result, GError **error)
{
	ExmReclaimed result = { .out = exm_guest_memory_out(vm) };

	if (!check_way_out(vm, result.out, error) ||
	    !exm_reclaim_group(vm, bytes, &result.group, &result.freed, error) ||
	    (!result.group && !exm_reclaim(vm, bytes, &result.freed, error)))
		return false;
	*ret_result = result;
	return true;
}

/**
 * exm_op_reclaim() - Push pages of a guest out
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @bytes:           how much at most
 * @ret_result:      what that did
 * @error:           STATE where there is no such guest; as for exm_reclaim_guest()
 */
bool exm_op_reclaim(const char *state_directory, const char *name, uint64_t bytes,
                    ExmReclaimed *ret_result, GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);

	return vm && exm_reclaim_guest(vm, bytes, ret_result, error);
}

static char *marker_of(const ExmVm *vm)
{
	return g_build_filename(vm->directory, EXM_VM_ASLEEP, NULL);
}

/**
 * exm_guest_is_asleep() - Whether a guest was put to sleep
 * @vm: the guest
 */
bool exm_guest_is_asleep(const ExmVm *vm)
{
	g_autofree char *marker = marker_of(vm);

	return access(marker, F_OK) == 0;
}

static bool tell(const ExmVm *vm, const char *command, GError **error)
{
	g_autoptr(ExmQmp) qmp = exm_control_open(vm, EXM_VM_CONTROL, ANSWER_MS, error);
	g_autoptr(ExmJson) answer = qmp ? exm_qmp_execute(qmp, command, NULL, error) : NULL;

	return answer != NULL;
}

static bool check_running(const ExmVm *vm, GError **error)
{
	g_autofree char *status = exm_control_status(vm, ANSWER_MS, error);

	return status && (strcmp(status, "running") == 0 ||
	                  exm_throw(error, EXM_ERROR_STATE, "guest '%s' does not run", vm->name));
}

/**
 * exm_put_to_sleep() - Pause a guest, and push all of it out to its file
 * @vm:         the guest
 * @ret_result: what that did
 * @error:      UNSUPPORTED where its memory is in no file of its own on a disk; STATE where it does
 *              not run; SYSTEM. It goes on then.
 */
bool exm_put_to_sleep(const ExmVm *vm, ExmReclaimed *ret_result, GError **error)
{
	g_autofree char *marker = marker_of(vm);

	if (exm_guest_memory_out(vm) != EXM_OUT_FILE)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "memory of guest '%s' is in no file of its own on a disk", vm->name);
	if (!check_running(vm, error) || !exm_file_write_atomic(marker, "", 0, 0600, error))
		return false;
	if (tell(vm, "stop", error) && exm_reclaim_guest(vm, G_MAXINT64, ret_result, error))
		return true;
	tell(vm, "cont", NULL);
	unlink(marker);
	return false;
}

/**
 * exm_wake_up() - Let a guest that was put to sleep go on
 * @vm:    the guest
 * @error: SYSTEM
 */
bool exm_wake_up(const ExmVm *vm, GError **error)
{
	g_autofree char *marker = marker_of(vm);

	if (!tell(vm, "cont", error))
		return false;
	return unlink(marker) == 0 || errno == ENOENT ||
	       exm_throw_errno(error, errno, "remove '%s'", marker);
}

/**
 * exm_op_sleep() - Pause a guest, and push all of it out to its file
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @ret_result:      what that did
 * @error:           STATE where there is no such guest; as for exm_put_to_sleep()
 */
bool exm_op_sleep(const char *state_directory, const char *name, ExmReclaimed *ret_result,
                  GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);

	return vm && exm_put_to_sleep(vm, ret_result, error);
}

/**
 * exm_op_wake() - Let a guest that was put to sleep go on
 * @state_directory: where guests' directories are
 * @name:            the guest's
 * @error:           STATE where there is no such guest, or it does not sleep
 */
bool exm_op_wake(const char *state_directory, const char *name, GError **error)
{
	g_autoptr(ExmVm) vm = exm_state_find(state_directory, name, error);

	if (!vm)
		return false;
	if (!exm_guest_is_asleep(vm))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "guest '%s' was not put to sleep; 'exomem qmp %s cont' lets one go on "
		                 "that was paused otherwise",
		                 vm->name, vm->name);
	return exm_wake_up(vm, error);
}
