/* SPDX-License-Identifier: GPL-2.0-or-later */
/* end.c - How a guest ended, as a value, as JSON and in words */

#include "plan/end.h"

#include <signal.h>
#include <string.h>

#include "base/enumtab.h"
#include "base/error.h"
#include "base/record.h"

/* Counts up when a member changes its meaning. */
#define SCHEMA 1

/* As a shell reports a command that a signal killed. */
#define SIGNALED 128

static const char *const reason_names[] = {
	[EXM_END_UNKNOWN] = "unknown",
	[EXM_END_EXITED] = "exited",
	[EXM_END_POWERED_OFF] = "powered-off",
	[EXM_END_RESET] = "reset",
	[EXM_END_PANICKED] = "panicked",
	[EXM_END_QUIT] = "quit",
	[EXM_END_MIGRATED] = "migrated",
	[EXM_END_TERMINATED] = "terminated",
	[EXM_END_FAILED] = "failed",
	[EXM_END_KILLED] = "killed",
	[EXM_END_OUT_OF_MEMORY] = "out-of-memory",
	[EXM_END_MEMORY_ERROR] = "memory-error",
};

static const ExmEnumTable reasons = { "reason", reason_names, G_N_ELEMENTS(reason_names) };

static const ExmField fields[] = {
	EXM_FIELD(ExmEnd, "schema", UINT, schema, true),
	EXM_FIELD(ExmEnd, "time", UINT, time, true),
	{ .name = "reason",
	  .type = EXM_FIELD_ENUM,
	  .offset = G_STRUCT_OFFSET(ExmEnd, reason),
	  .required = true,
	  .names = &reasons },
	EXM_FIELD(ExmEnd, "status", UINT, status, true),
	EXM_FIELD(ExmEnd, "signal", UINT, signal, true),
	EXM_FIELD(ExmEnd, "details", STRING, details, false),
};

static const ExmLayout layout = { "end", sizeof(ExmEnd), fields, G_N_ELEMENTS(fields), true };

/* QEMU, qapi/run-state.json, ShutdownCause: what ends a QEMU whose exit status is 0. */
static const struct {
	const char *shutdown;
	ExmEndReason reason;
} causes[] = {
	{ "guest-shutdown", EXM_END_POWERED_OFF },
	{ "guest-reset", EXM_END_RESET },
	{ "guest-panic", EXM_END_PANICKED },
	{ "host-qmp-quit", EXM_END_QUIT },
	{ "host-ui", EXM_END_QUIT },
	{ "host-signal", EXM_END_TERMINATED },
};

static ExmEndReason reason_of_shutdown(const char *shutdown)
{
	for (size_t i = 0; i < G_N_ELEMENTS(causes); i++)
		if (g_strcmp0(shutdown, causes[i].shutdown) == 0)
			return causes[i].reason;
	return EXM_END_EXITED;
}

/* Only the kernel sends SIGKILL where memory runs out, and SIGBUS where a page cannot be had. */
static ExmEndReason reason_of(const ExmEndFacts *facts)
{
	if (facts->signal == SIGKILL && g_strcmp0(facts->announced, EXM_END_ANNOUNCED_MIGRATED) == 0)
		return EXM_END_MIGRATED;
	if (facts->signal == SIGKILL && facts->out_of_memory && !facts->announced)
		return EXM_END_OUT_OF_MEMORY;
	if (facts->signal == SIGBUS)
		return EXM_END_MEMORY_ERROR;
	if (facts->signal)
		return EXM_END_KILLED;
	/* -action panic=exit-failure ends with status 1. */
	if (facts->status && g_strcmp0(facts->shutdown, "guest-panic") != 0)
		return EXM_END_FAILED;
	return reason_of_shutdown(facts->shutdown);
}

static const char *details_of(ExmEndReason reason, const ExmEndFacts *facts)
{
	if (reason == EXM_END_OUT_OF_MEMORY)
		return facts->out_of_memory;
	if (reason == EXM_END_MEMORY_ERROR)
		return facts->memory;
	/* SIGKILL leaves no time for a last line: whatever was last has nothing to do with it. */
	if (reason == EXM_END_KILLED && facts->signal == SIGKILL)
		return facts->announced;
	if (reason == EXM_END_KILLED || reason == EXM_END_FAILED || reason == EXM_END_TERMINATED)
		return facts->line;
	return NULL;
}

/**
 * exm_end_new() - Conclude from what was seen how a guest ended
 * @facts: what was seen
 *
 * Return: the end (transfer full).
 */
ExmEnd *exm_end_new(const ExmEndFacts *facts)
{
	ExmEnd *end = exm_record_new(&layout);

	end->time = facts->time;
	end->status = (uint64_t)facts->status;
	end->signal = (uint64_t)facts->signal;
	end->reason = reason_of(facts);
	end->details = g_strdup(details_of(end->reason, facts));
	return end;
}

/**
 * exm_end_new_unknown() - The end of a guest that no process saw
 * @time:    about when, in seconds since 1970
 * @details: why nobody saw it
 *
 * Return: the end (transfer full).
 */
ExmEnd *exm_end_new_unknown(uint64_t time, const char *details)
{
	ExmEnd *end = exm_record_new(&layout);

	end->time = time;
	end->details = g_strdup(details);
	return end;
}

/**
 * exm_end_free() - Free an end
 * @end: may be NULL
 */
void exm_end_free(ExmEnd *end)
{
	if (end)
		exm_record_free(&layout, end);
}

/**
 * exm_end_to_json() - Write an end as JSON
 * @end: the end
 *
 * Return: an object (transfer full), described in exomem-state(5).
 */
ExmJson *exm_end_to_json(const ExmEnd *end)
{
	ExmJson *json = exm_record_to_json(&layout, end);

	exm_json_set_uint(json, "schema", SCHEMA);
	return json;
}

/**
 * exm_end_from_json() - Read an end back
 * @json:  what exm_end_to_json() wrote
 * @error: STATE where it is not whole, or of a schema that is not known
 *
 * Return: the end (transfer full), or NULL.
 */
ExmEnd *exm_end_from_json(ExmJson *json, GError **error)
{
	g_autoptr(ExmEnd) end = exm_record_from_json(&layout, json, NULL);

	if (!end || end->schema != SCHEMA || end->status > UINT8_MAX || end->signal > NSIG) {
		exm_throw(error, EXM_ERROR_STATE, "the record of the end is not whole");
		return NULL;
	}
	return g_steal_pointer(&end);
}

/**
 * exm_end_reason() - The reason for programs
 * @end: the end
 *
 * Return: "powered-off" (static).
 */
const char *exm_end_reason(const ExmEnd *end)
{
	return exm_enum_name(&reasons, (int)end->reason);
}

/* In words; a signal and an exit status have numbers. */
static const char *const texts[] = {
	[EXM_END_UNKNOWN] = "reason not known",    [EXM_END_EXITED] = "exit status",
	[EXM_END_POWERED_OFF] = "powered off",     [EXM_END_RESET] = "reset, with -no-reboot",
	[EXM_END_PANICKED] = "the guest panicked", [EXM_END_QUIT] = "quit",
	[EXM_END_MIGRATED] = "migrated",           [EXM_END_TERMINATED] = "terminated",
	[EXM_END_FAILED] = "exit status",
};

static char *describe(const ExmEnd *end)
{
	const char *signal = end->signal ? sigabbrev_np((int)end->signal) : NULL;

	if (end->reason == EXM_END_MIGRATED)
		return g_strdup(texts[end->reason]);
	if (signal)
		return g_strdup_printf("killed by SIG%s", signal);
	if (end->signal)
		return g_strdup_printf("killed by signal %d", (int)end->signal);
	if (end->reason == EXM_END_FAILED || end->reason == EXM_END_EXITED)
		return g_strdup_printf("%s %d", texts[end->reason], (int)end->status);
	return g_strdup(end->reason < G_N_ELEMENTS(texts) ? texts[end->reason] : "killed");
}

/**
 * exm_end_text() - The reason for people
 * @end: the end
 *
 * Return: "killed by SIGKILL: out of memory: ..." (transfer full).
 */
char *exm_end_text(const ExmEnd *end)
{
	g_autofree char *text = describe(end);

	return g_strdup_printf("%s%s%s%s", text,
	                       end->reason == EXM_END_OUT_OF_MEMORY ? ": out of memory" : "",
	                       end->details ? ": " : "", end->details ? end->details : "");
}

/**
 * exm_end_exit_status() - The exit status of a command that waits for a guest's end
 * @end: the end
 *
 * Return: 0 where the guest or a user ended it in order; QEMU's status; 128 and the signal's
 * number; 1 after a panic, and where the end was not recorded.
 */
int exm_end_exit_status(const ExmEnd *end)
{
	if (end->reason == EXM_END_MIGRATED)
		return 0;
	if (end->signal)
		return SIGNALED + (int)end->signal;
	if (end->reason == EXM_END_PANICKED || end->reason == EXM_END_UNKNOWN)
		return MAX((int)end->status, EXM_ERROR_SYSTEM);
	return (int)end->status;
}

/* error_report() of QEMU (util/error-report.c) begins with the program's name. */
static bool is_qemus(const char *line)
{
	const size_t length = strcspn(line, ": ");

	return g_strstr_len(line, (gssize)length, "qemu") &&
	       g_str_has_prefix(line + length, ": ") && !strstr(line, "warning:");
}

/**
 * exm_end_find_line() - What QEMU itself wrote last
 * @log: its output and that of the guest's console
 *
 * Return: the last line of QEMU's own that is no warning, or the last line (transfer full), of
 * printable UTF-8; NULL where there is none.
 */
char *exm_end_find_line(const char *log)
{
	g_auto(GStrv) lines = g_strsplit_set(log, "\r\n", -1);
	const char *last = NULL;
	bool own = false;
	char *valid;

	for (char **line = lines; *line; line++) {
		const bool is_own = is_qemus(*line);

		if (!**line || (own && !is_own))
			continue;
		last = *line;
		own = is_own;
	}
	valid = last ? g_utf8_make_valid(last, -1) : NULL;
	for (char *byte = valid; byte && *byte; byte++)
		if (g_ascii_iscntrl(*byte))
			*byte = ' ';
	return valid;
}
