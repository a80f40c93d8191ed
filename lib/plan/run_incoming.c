/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_incoming.c - The state that a guest begins with: refused, or announced to QEMU */

#include "base/error.h"
#include "plan/builder.h"

/* From this QEMU on a -global sets the capability before the source named by -incoming is read. */
#define IGNORE_SHARED_MAJOR 11

/* From this QEMU on "fd:" is a socket or a pipe and no plain file (migration/fd.c). */
#define NO_PLAIN_FD_MAJOR 11

/* What the first bytes of a state say of its format, or why nobody can load it. */
static const struct {
	ExmStateFormat format;
	const char *refusal;
} heads[] = {
	[EXM_STREAM_NONE] = { EXM_STATE_AUTO, NULL },
	[EXM_STREAM_UNSEEN] = { EXM_STATE_AUTO, NULL },
	[EXM_STREAM_MISSING] = { EXM_STATE_AUTO, "does not exist" },
	[EXM_STREAM_EMPTY] = { EXM_STATE_AUTO, "is empty" },
	[EXM_STREAM_FOREIGN] = { EXM_STATE_AUTO, "is no migration stream" },
	[EXM_STREAM_CONFIGURED] = { EXM_STATE_QEMU, NULL },
	[EXM_STREAM_IGNORE_SHARED] = { EXM_STATE_QEMU, NULL },
	[EXM_STREAM_UNCONFIGURED] = { EXM_STATE_XEN, NULL },
	[EXM_STREAM_DEVICES] = { EXM_STATE_XEN, NULL },
};

static bool check_descriptor(const ExmBuilder *builder, const ExmIncomingFile *file, GError **error)
{
	/* Only what is in a plain file is seen. */
	return !file || file->path || builder->facts->incoming == EXM_STREAM_UNSEEN ||
	       !exm_caps_at_least(builder->facts->caps, NO_PLAIN_FD_MAJOR, 0) ||
	       exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "'fd:%d' is a plain file, from which QEMU %d and later load no state: name "
	                 "it by 'file:PATH'",
	                 file->fd, NO_PLAIN_FD_MAJOR);
}

static bool check_file(const ExmBuilder *builder, const char *name, GError **error)
{
	const ExmRunFacts *facts = builder->facts;
	const ExmStateFormat said = builder->request->state_format;
	const ExmStateFormat seen = heads[facts->incoming].format;

	if (heads[facts->incoming].refusal)
		return exm_throw(error, EXM_ERROR_STATE, "'%s' %s", name,
		                 heads[facts->incoming].refusal);
	if (said != EXM_STATE_AUTO && seen != EXM_STATE_AUTO && said != seen)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' has %s configuration section: leave '--state-format=%s' out",
		                 name, seen == EXM_STATE_QEMU ? "a" : "no",
		                 exm_enum_name(&exm_state_formats, said));
	/* QEMU, migration/savevm.c, configuration_validate_capabilities() */
	if (facts->incoming == EXM_STREAM_IGNORE_SHARED &&
	    !exm_caps_at_least(facts->caps, IGNORE_SHARED_MAJOR, 0))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' leaves shared memory out (x-ignore-shared), which '-incoming' "
		                 "cannot load before QEMU %d: use 'exomem clone'",
		                 name, IGNORE_SHARED_MAJOR);
	return true;
}

static bool is_memory_empty(const ExmRunRequest *request)
{
	return request->memory ? request->memory->mode == EXM_MODE_TEMP
	                       : request->guest->own_backends->len == 0;
}

static void warn_of_empty_memory(const ExmBuilder *builder)
{
	if (is_memory_empty(builder->request))
		g_ptr_array_add(builder->plan->warnings,
		                g_strdup("'-incoming' loads no memory, and the guest's is empty: name "
		                         "its parent's by '-mem-path DIR,mode=open,mmap=private'"));
}

static void add_format(const ExmBuilder *builder)
{
	exm_builder_add_argument(builder, "-global", "migration.send-configuration=off");
	exm_builder_add_argument(builder, "-machine", "suppress-vmdesc=on");
	if (builder->facts->incoming != EXM_STREAM_UNCONFIGURED)
		warn_of_empty_memory(builder);
}

/**
 * exm_builder_add_incoming() - Tell QEMU of what kind the state is that it loads
 * @builder: the plan under construction, with its name
 * @error:   STATE for a file that holds no state, USAGE for a format that it has not, UNSUPPORTED
 *           for one that this QEMU cannot load
 *
 * QEMU, migration/savevm.c, qemu_loadvm_state_header(): a stream without a configuration section
 * is refused unless migration.send-configuration is off, which is a property since 2.10. It stays
 * off when the guest itself is saved: qemu_savevm_state_header() then does not begin the description
 * of the stream, so that QEMU (8.2 and later) aborts at its end; with suppress-vmdesc, 10.0 and
 * later write none. Nor does any version then complain that the state it loads has none.
 * x-ignore-shared must be on where it was on (configuration_validate_capabilities()).
 */
bool exm_builder_add_incoming(ExmBuilder *builder, GError **error)
{
	const ExmRunRequest *request = builder->request;
	const ExmStateFormat seen = heads[builder->facts->incoming].format;
	g_autoptr(ExmIncomingFile) file = NULL;
	g_autofree char *name = NULL;

	if (!request->guest->incoming)
		return request->state_format == EXM_STATE_AUTO ||
		       exm_throw(error, EXM_ERROR_USAGE, "'--state-format' goes with '-incoming'");
	if (!exm_run_incoming_file(request, builder->facts, &file, error))
		return false;
	name = file ? exm_incoming_file_print(file) : NULL;
	if (!check_file(builder, name, error) || !check_descriptor(builder, file, error)) {
		g_prefix_error(error, "-incoming: ");
		return false;
	}
	if ((seen == EXM_STATE_AUTO ? request->state_format : seen) == EXM_STATE_XEN)
		add_format(builder);
	if (builder->facts->incoming == EXM_STREAM_IGNORE_SHARED) {
		exm_builder_add_argument(builder, "-global", "migration.x-ignore-shared=on");
		warn_of_empty_memory(builder);
	}
	return true;
}
