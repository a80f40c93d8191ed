/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - Find a QEMU binary, and ask it over QMP what it can do */

#include "host/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/qmp.h"
#include "host/spawn.h"

/* Number of the QMP socket in QEMU. */
#define QMP_FD 3

/* A QEMU that has hung up, or was told to quit, is gone after this or is killed. */
#define LEAVE_MS 500

/* What is read of a binary that says why it does not start. */
#define OUTPUT_MAX 65536

/* Every accelerator that -accel took in QEMU 2.12 to 11, but for those of QEMU's own tests. */
static const char *const accelerators[] = {
	"hax", "hvf", "kvm", "mshv", "nitro", "nvmm", "tcg", "whpx", "xen",
};

/**
 * struct Talk - A QEMU that is being asked
 * @binary:   its path
 * @deadline: monotonic microseconds
 * @process:  it runs there
 * @output:   end of a pipe with its stdout and stderr; full, it stops whoever babbles
 * @qmp:      the conversation
 */
typedef struct {
	const char *binary;
	gint64 deadline;
	ExmProcess *process;
	int output;
	ExmQmp *qmp;
} Talk;

static void talk_clear(Talk *talk)
{
	exm_qmp_free(talk->qmp);
	exm_process_free(talk->process);
	exm_fd_clear(&talk->output);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Talk, talk_clear)

/**
 * exm_probe_resolve() - Find a QEMU binary
 * @name:  path, or a name that is looked up on PATH
 * @error: UNSUPPORTED where there is none or it cannot be executed
 *
 * Return: its absolute path without symbolic links (transfer full), or NULL.
 */
char *exm_probe_resolve(const char *name, GError **error)
{
	g_autofree char *found = NULL;
	g_autofree char *path = NULL;
	struct stat info;

	if (!strchr(name, '/')) {
		found = g_find_program_in_path(name);
		if (!found) {
			exm_throw(error, EXM_ERROR_UNSUPPORTED,
			          "no QEMU binary '%s' on PATH (--qemu names another)", name);
			return NULL;
		}
	}
	path = realpath(found ? found : name, NULL);
	if (!path || stat(path, &info) < 0) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "QEMU binary '%s': %s", name,
		          g_strerror(errno));
		return NULL;
	}
	if (!S_ISREG(info.st_mode) || access(path, X_OK) < 0) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "QEMU binary '%s' cannot be executed", name);
		return NULL;
	}
	return g_steal_pointer(&path);
}

/* Starts QEMU with @qmp_end as its QMP socket, writing what else it says to @output_end. */
static ExmProcess *start_qemu(const char *binary, int qmp_end, int output_end, GError **error)
{
	static const char qmp_socket[] = "socket,id=q,fd=" G_STRINGIFY(QMP_FD);
	const char *const argv[] = {
		binary, "-machine", "none",     "-nodefaults", "-no-user-config", "-display",
		"none", "-chardev", qmp_socket, "-qmp",        "chardev:q",       NULL,
	};
	const ExmKeptFd kept = { qmp_end, QMP_FD };
	const ExmSpawn spawn = {
		.argv = argv,
		.fds = &kept,
		.fd_count = 1,
		.input = -1,
		.output = output_end,
		.errors = output_end,
		.own_group = true,
		.die_with_us = true,
	};

	return exm_process_start(&spawn, error);
}

/* Our end of the QMP socket, or -1. */
static int talk_start(Talk *talk, GError **error)
{
	exm_autofd int ours = -1;
	exm_autofd int theirs = -1;
	exm_autofd int output = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		exm_throw_errno(error, errno, "cannot make a pipe");
		return -1;
	}
	talk->output = ends[0];
	output = ends[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		exm_throw_errno(error, errno, "cannot make a socket");
		return -1;
	}
	ours = ends[0];
	theirs = ends[1];
	talk->process = start_qemu(talk->binary, theirs, output, error);
	return talk->process ? g_steal_fd(&ours) : -1;
}

/* Last line that the binary wrote, or NULL. */
static char *last_words(const Talk *talk)
{
	g_autofree char *text = g_malloc(OUTPUT_MAX + 1);
	g_autofree char *line = NULL;
	const char *start;
	ssize_t got;

	/* Something that it started may hold the other end open. */
	fcntl(talk->output, F_SETFL, O_NONBLOCK);
	got = read(talk->output, text, OUTPUT_MAX);
	if (got <= 0)
		return NULL;
	text[got] = '\0';
	g_strchomp(text);
	start = strrchr(text, '\n');
	line = g_utf8_make_valid(start ? start + 1 : text, -1);
	g_strdelimit(line, "\r\t\033", ' ');
	return *line ? g_steal_pointer(&line) : NULL;
}

static bool throw_ended(const Talk *talk, int status, GError **error)
{
	g_autofree char *words = last_words(talk);

	if (words)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' does not start as QEMU does: %s", talk->binary, words);
	if (WIFSIGNALED(status))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' does not start as QEMU does: killed by signal %d",
		                 talk->binary, WTERMSIG(status));
	return exm_throw(error, EXM_ERROR_UNSUPPORTED,
	                 "'%s' does not start as QEMU does: exit status %d", talk->binary,
	                 WEXITSTATUS(status));
}

/* What is wrong with a binary whose conversation broke off with @problem. */
static bool explain(Talk *talk, const GError *problem, int deadline_ms, GError **error)
{
	const bool late = g_get_monotonic_time() >= talk->deadline;
	int status;

	if (exm_process_wait(talk->process, late ? 0 : LEAVE_MS, &status))
		return throw_ended(talk, status, error);
	if (late)
		return exm_throw(error, EXM_ERROR_UNSUPPORTED,
		                 "'%s' did not answer as QEMU does within %g s", talk->binary,
		                 deadline_ms / 1000.0);
	return exm_throw(error, EXM_ERROR_UNSUPPORTED, "'%s' did not answer as QEMU does: %s",
	                 talk->binary, problem->message);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char **sorted_strv(GPtrArray *names)
{
	g_ptr_array_sort(names, compare_names);
	/* An array that never grew has nothing to steal, not even the NULL at its end. */
	return names->len ? (char **)g_ptr_array_steal(names, NULL) : g_new0(char *, 1);
}

static GPtrArray *new_names(void)
{
	return g_ptr_array_new_null_terminated(0, g_free, TRUE);
}

/* The named member of each object in an array, sorted. */
static char **collect(ExmJson *array, const char *member)
{
	g_autoptr(GPtrArray) names = new_names();
	const size_t count = json_object_is_type(array, json_type_array) ? exm_json_length(array) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = exm_json_get_string(json_object_array_get_idx(array, i), member);

		/* Every object has its own type among its properties. */
		if (name && strcmp(name, "type") != 0)
			g_ptr_array_add(names, g_strdup(name));
	}
	return sorted_strv(names);
}

static ExmJson *ask_properties(Talk *talk, const char *type, GError **error)
{
	ExmJson *arguments = json_object_new_object();

	exm_json_set_string(arguments, "typename", type);
	return exm_qmp_execute(talk->qmp, "qom-list-properties", arguments, error);
}

/*
 * Asked type by type: qom-list-types first loads every module that is installed, which takes twice
 * as long as all the rest (qom/qom-qmp-cmds.c, qmp_qom_list_types). A conversation that breaks off
 * here looks like a missing type; the next question that must be answered finds that out.
 */
static bool has_type(Talk *talk, const char *type)
{
	g_autoptr(ExmJson) properties = ask_properties(talk, type, NULL);

	return properties != NULL;
}

static char **find_accelerators(Talk *talk)
{
	g_autoptr(GPtrArray) names = new_names();

	for (size_t i = 0; i < G_N_ELEMENTS(accelerators); i++) {
		g_autofree char *type = g_strconcat(accelerators[i], "-accel", NULL);

		if (has_type(talk, type))
			g_ptr_array_add(names, g_strdup(accelerators[i]));
	}
	return sorted_strv(names);
}

static char **find_types(Talk *talk, const char *const *wanted)
{
	g_autoptr(GPtrArray) names = new_names();

	for (; *wanted; wanted++)
		if (has_type(talk, *wanted))
			g_ptr_array_add(names, g_strdup(*wanted));
	return sorted_strv(names);
}

/*
 * "file:" came together with the argument "channels" of migrate, in 8.2 (migration/file.c). An
 * empty address and no channel is refused by every version; one without channels says that it does
 * not expect them. The schema says the same, in 200 KiB and twice the time of all the rest.
 */
static bool has_file_transport(Talk *talk)
{
	g_autoptr(GError) refusal = NULL;
	ExmJson *arguments = json_object_new_object();

	exm_json_set_string(arguments, "uri", "");
	json_object_object_add(arguments, "channels", json_object_new_array());
	exm_json_put(exm_qmp_execute(talk->qmp, "migrate", arguments, &refusal));
	return refusal && !strstr(refusal->message, "'channels' is unexpected");
}

static char **find_transports(Talk *talk)
{
	g_autoptr(GPtrArray) names = new_names();

	for (const char *const *name = (const char *const[]){ "exec", "fd", "tcp", "unix", NULL };
	     *name; name++)
		g_ptr_array_add(names, g_strdup(*name));
	if (has_file_transport(talk))
		g_ptr_array_add(names, g_strdup("file"));
	return sorted_strv(names);
}

static void read_greeting(ExmJson *greeting, ExmCaps *caps)
{
	ExmJson *version = exm_json_member(greeting, "version");
	ExmJson *numbers = exm_json_member(version, "qemu");
	const char *package = exm_json_get_string(version, "package");

	caps->major = (int)exm_json_get_uint(numbers, "major");
	caps->minor = (int)exm_json_get_uint(numbers, "minor");
	caps->micro = (int)exm_json_get_uint(numbers, "micro");
	caps->version = g_strdup_printf("%d.%d.%d", caps->major, caps->minor, caps->micro);
	caps->package = g_strdup(package ? package : "");
}

/* "pc-q35-2.9" before "pc-q35-2.12". */
static int compare_machines(gconstpointer a, gconstpointer b)
{
	const ExmMachine *const *x = a;
	const ExmMachine *const *y = b;

	return strverscmp((*x)->name, (*y)->name);
}

static bool ask_machines(Talk *talk, GPtrArray *machines, GError **error)
{
	g_autoptr(ExmJson) array = exm_qmp_execute(talk->qmp, "query-machines", NULL, error);

	if (!array)
		return false;
	for (size_t i = 0;
	     json_object_is_type(array, json_type_array) && i < exm_json_length(array); i++) {
		ExmJson *item = json_object_array_get_idx(array, i);
		const char *name = exm_json_get_string(item, "name");

		if (name)
			g_ptr_array_add(machines,
			                exm_machine_new(name, exm_json_get_string(item, "alias"),
			                                exm_json_get_string(item, "default-ram-id"),
			                                exm_json_get_bool(item, "is-default")));
	}
	g_ptr_array_sort(machines, compare_machines);
	return true;
}

static bool ask_all(Talk *talk, ExmCaps *caps, GError **error)
{
	g_autoptr(ExmJson) file = NULL;
	g_autoptr(ExmJson) ram = NULL;
	g_autoptr(ExmJson) migration = NULL;
	g_autoptr(ExmJson) target = NULL;

	caps->accelerators = find_accelerators(talk);
	caps->devices = find_types(talk, exm_caps_wanted_devices);
	caps->objects = find_types(talk, exm_caps_wanted_objects);
	caps->transports = find_transports(talk);
	if (!(file = ask_properties(talk, "memory-backend-file", error)) ||
	    !(ram = ask_properties(talk, "memory-backend-ram", error)) ||
	    !(migration = exm_qmp_execute(talk->qmp, "query-migrate-capabilities", NULL, error)) ||
	    !(target = exm_qmp_execute(talk->qmp, "query-target", NULL, error)) ||
	    !ask_machines(talk, caps->machines, error))
		return false;
	caps->file_properties = collect(file, "name");
	caps->ram_properties = collect(ram, "name");
	caps->migration_capabilities = collect(migration, "capability");
	caps->target = g_strdup(exm_json_get_string(target, "arch"));
	return caps->target || exm_throw(error, EXM_ERROR_SYSTEM, "query-target names no target");
}

/* A QEMU that does not go when it is told is killed when the talk is cleared. */
static void talk_end(Talk *talk)
{
	int status;

	exm_json_put(exm_qmp_execute(talk->qmp, "quit", NULL, NULL));
	(void)exm_process_wait(talk->process, LEAVE_MS, &status);
}

static bool talk_through(Talk *talk, int fd, int deadline_ms, ExmCaps *caps, GError **error)
{
	g_autoptr(ExmJson) greeting = NULL;

	talk->qmp = exm_qmp_new(fd, deadline_ms, &greeting, error);
	if (!talk->qmp)
		return false;
	read_greeting(greeting, caps);
	return ask_all(talk, caps, error);
}

/**
 * exm_probe_ask() - Ask a QEMU binary what it can do
 * @binary:      its resolved path
 * @deadline_ms: milliseconds that it may take for everything
 * @error:       UNSUPPORTED where it does not start or does not answer as QEMU does
 *
 * Leaves no process behind, whatever the binary is.
 *
 * Return: the capabilities (transfer full), or NULL.
 */
ExmCaps *exm_probe_ask(const char *binary, int deadline_ms, GError **error)
{
	const gint64 deadline = g_get_monotonic_time() + (gint64)deadline_ms * 1000;
	g_auto(Talk) talk = { .binary = binary, .deadline = deadline, .output = -1 };
	g_autoptr(ExmCaps) caps = exm_caps_new();
	g_autoptr(GError) problem = NULL;
	int fd = talk_start(&talk, error);

	if (fd < 0)
		return NULL;
	caps->path = g_strdup(binary);
	if (!talk_through(&talk, fd, deadline_ms, caps, &problem)) {
		explain(&talk, problem, deadline_ms, error);
		return NULL;
	}
	talk_end(&talk);
	return g_steal_pointer(&caps);
}
