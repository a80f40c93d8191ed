/* SPDX-License-Identifier: GPL-2.0-or-later */
/* receive.c - Take a guest from another host: led by that host, or by hand from what it left */

#include "op/receive.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/control.h"
#include "host/conversation.h"
#include "host/pidfd.h"
#include "host/safe_open.h"
#include "host/state.h"
#include "host/template_store.h"
#include "op/arrival.h"
#include "op/template.h"
#include "plan/migrate.h"
#include "plan/path_map.h"

/* Once it has run so long, its state is of no use any more. */
#define MOMENT_US 300000

/* A QEMU that is killed gives back its memory first. */
#define END_MS 30000

#define ANSWER_MS 5000

/* A source that is there sends its first question at once, and takes an answer. */
#define TURN_MS 10000

/* Between two questions memory may be written back, which has no limit. */
#define PATIENCE_MS 3600000

/* When the guest has been taken over, the source still waits until its QEMU has ended. */
#define LAST_QUESTION_MS 60000

/* A UUID. */
#define TOKEN_MAX 64

static ExmTemplate *read_handover(const ExmReceiveRequest *request, const char *directory,
                                  const ExmSources *sources, GError **error)
{
	g_autofree char *manifest = g_build_filename(directory, EXM_TEMPLATE_MANIFEST, NULL);
	g_autoptr(ExmTemplate) handover = NULL;

	if (access(manifest, F_OK) < 0) {
		exm_throw(error, EXM_ERROR_STATE, "'%s' holds no guest that was handed over",
		          directory);
		return NULL;
	}
	handover = exm_template_store_read(directory, error);
	if (!handover)
		return NULL;
	if (!handover->uuid) {
		exm_throw(error, EXM_ERROR_STATE,
		          "'%s' is a template, and no guest that was handed over: 'exomem clone' "
		          "starts children of it",
		          directory);
		return NULL;
	}
	if (!exm_op_template_check_trust(handover, sources, request->trust, error))
		return NULL;
	exm_receive_map_paths(handover, request->path_maps);
	return g_steal_pointer(&handover);
}

/*
 * Ends a QEMU of the guest that was left by an exomem which was killed before the guest ran. Nobody
 * leads that QEMU any more, and the guest's memory is as it was.
 */
static void end_leftover(const ExmReceiveRequest *request, const ExmTemplate *handover,
                         const char *name, bool may_be_loaded)
{
	g_autoptr(ExmVm) vm = exm_state_find(request->state_directory, name, NULL);
	g_autofree char *status = vm ? exm_control_status(vm, ANSWER_MS, NULL) : NULL;
	exm_autofd int process = -1;
	exm_autofd int lead = -1;

	if (!vm || strcmp(vm->uuid, handover->uuid) != 0 || !status ||
	    strcmp(status, "running") == 0 || (!may_be_loaded && strcmp(status, "inmigrate") != 0))
		return;
	if (!exm_arrival_lead(vm, &lead) || !exm_pidfd_open(vm, &process, NULL) || process < 0)
		return;
	exm_pidfd_kill(process, NULL);
	exm_pidfds_wait(&process, 1, END_MS);
	exm_state_sweep(request->state_directory);
}

/* Of another guest, too: nobody can load the state of one whose migration was killed. */
static void end_abandoned(const ExmReceiveRequest *request, const char *name, ExmWarn warn)
{
	g_autoptr(ExmVm) before = exm_state_find(request->state_directory, name, NULL);
	g_autoptr(ExmVm) after = NULL;
	g_autofree char *text = NULL;

	exm_state_sweep(request->state_directory);
	after = exm_state_find(request->state_directory, name, NULL);
	if (!before || after || !warn)
		return;
	text = g_strdup_printf("a QEMU that waited here for the state of '%s' was ended: its "
	                       "migration was killed",
	                       name);
	warn(text);
}

static void warn_all(const ExmArrival *arrival, ExmWarn warn)
{
	g_auto(GStrv) warnings = exm_arrival_warnings(arrival);

	for (char **warning = warnings; *warning; warning++)
		warn(*warning);
}

/* The state of a guest that ends at once stays: it may not have written to its memory. */
static bool remove_state(const ExmArrival *arrival, gint64 not_before)
{
	const char *directory = exm_arrival_guest(arrival)->directory;

	g_usleep((gulong)MAX(not_before - g_get_monotonic_time(), 0));
	if (!exm_arrival_lives(arrival))
		return false;
	/* A state that cannot be removed must not be received again. */
	exm_template_store_hide(directory, NULL);
	exm_template_store_abandon(directory);
	return true;
}

static void warn_of_state(const char *directory, ExmWarn warn)
{
	g_autofree char *text = NULL;

	if (access(directory, F_OK) < 0 || !warn)
		return;
	text = g_strdup_printf("'%s' was received and cannot be removed: remove it", directory);
	warn(text);
}

/* What runs here already was taken over by an exomem that was killed before it removed the state. */
static bool check_state(const ExmArrival *arrival, const ExmReceiveRequest *request, GError **error)
{
	const ExmTemplate *handover = exm_arrival_guest(arrival);
	const bool is_trusted = exm_template_is_trusted(handover, request->trust);
	g_autoptr(GError) reason = NULL;
	g_autoptr(ExmVm) vm = NULL;

	if (exm_arrival_check_state(arrival, is_trusted, &reason))
		return true;
	vm = exm_state_find(request->state_directory, handover->name, NULL);
	if (vm && strcmp(vm->uuid, handover->uuid) == 0)
		return exm_throw(error, reason->code, "%s; guest '%s' runs here (pid %d)",
		                 reason->message, vm->name, (int)vm->pid);
	g_propagate_error(error, g_steal_pointer(&reason));
	return false;
}

/**
 * exm_op_receive() - Take a guest from what another host has left of it
 * @request:   what the user said
 * @directory: of its state
 * @sources:   where facts are to be had
 * @warn:      called for each warning
 * @ret_name:  name of the guest, which runs (transfer full)
 * @error:     STATE: no such state, its memory has changed since, or somebody else has it
 *
 * When the guest has run for a moment its state is removed, unless its memory is private to it.
 */
bool exm_op_receive(const ExmReceiveRequest *request, const char *directory,
                    const ExmSources *sources, ExmWarn warn, char **ret_name, GError **error)
{
	ExmTemplate *handover = read_handover(request, directory, sources, error);
	g_autoptr(ExmArrival)
		arrival = handover ? exm_arrival_new(handover, request, sources, error) : NULL;
	g_autofree char *state = NULL;
	size_t length = 0;

	if (!arrival || !check_state(arrival, request, error))
		return false;
	end_abandoned(request, handover->name, warn);
	end_leftover(request, handover, handover->name, true);
	if (!exm_arrival_check(arrival, EXM_MOUNT_HANDOVER, error) ||
	    !exm_arrival_prepare(arrival, error) || !exm_load_read(handover, &state, &length, error) ||
	    !exm_arrival_take_over(arrival, state, length, error))
		return false;
	*ret_name = g_strdup(handover->name);
	warn_all(arrival, warn);
	if (request->is_private)
		return true;
	if (!remove_state(arrival, g_get_monotonic_time() + MOMENT_US))
		return exm_throw(error, EXM_ERROR_SYSTEM,
		                 "guest '%s' ran, and has ended: 'exomem logs %s' may say why",
		                 handover->name, handover->name);
	warn_of_state(directory, warn);
	return true;
}

/* How far a guest has come; OVER is a failure after which nothing more can be asked. */
typedef enum {
	NEW,
	CHECKED,
	REHEARSING,
	PREPARED,
	READY,
	TAKEN,
	OVER,
} Phase;

/**
 * struct Server - A conversation that is led by the host that has the guest
 * @request: what the user said
 * @sources: where facts are to be had
 * @version: of this exomem
 * @phase:   how far the guest has come
 * @arrival: the guest, once it is known
 * @state:   its last device state
 * @taken:   when the guest was taken over, in microseconds of the monotonic clock; 0 before
 */
typedef struct {
	const ExmReceiveRequest *request;
	const ExmSources *sources;
	const char *version;
	Phase phase;
	ExmArrival *arrival;
	GBytes *state;
	gint64 taken;
} Server;

static void forget_state(Server *server)
{
	if (server->state)
		g_bytes_unref(server->state);
	server->state = NULL;
}

/* Whose it is does not count: nobody else knows the token. */
static GString *read_token(const char *directory)
{
	g_autofree char *path = g_build_filename(directory, EXM_TEMPLATE_TOKEN, NULL);
	g_autofree char *distrust = NULL;

	return exm_safe_read_path(path, TOKEN_MAX, &distrust, NULL);
}

/* The other host has just written it: who reads it sees what that one sees, whatever it is called. */
static bool check_token(const ExmTemplate *handover, const char *token, GError **error)
{
	g_autoptr(GString) text = read_token(handover->directory);

	if (text && text->len > 0 && g_strcmp0(text->str, token) == 0)
		return true;
	return exm_throw(error, EXM_ERROR_STATE,
	                 "'%s' is not the directory that the guest's host means: where it is called "
	                 "otherwise here, say so by '--path-map'",
	                 handover->directory);
}

/* The guest that a message is about, as it is called here. */
static ExmTemplate *guest_in(ExmJson *message, const GPtrArray *path_maps, GError **error)
{
	const char *there = exm_json_get_string(message, "directory");
	g_autofree char *directory = exm_path_map_apply(path_maps, there ? there : "");
	g_autoptr(ExmTemplate) handover = exm_template_from_json(exm_json_member(message, "guest"),
	                                                         directory, error);

	if (!handover || !exm_receive_check_form(handover, error))
		return NULL;
	exm_receive_map_paths(handover, path_maps);
	return g_steal_pointer(&handover);
}

/* One that has its state may be a copy of the guest with memory of its own, which the user has paused. */
static void end_leftovers(const ExmReceiveRequest *request, const ExmTemplate *handover)
{
	g_autofree char *rehearsal = g_strconcat(handover->name, EXM_REHEARSAL_SUFFIX, NULL);

	end_abandoned(request, handover->name, NULL);
	end_leftover(request, handover, handover->name, false);
	end_leftover(request, handover, rehearsal, true);
}

/* Two containers on one host have one kernel, and with it one page cache. */
static ExmMountUse use_of_mount(ExmJson *message)
{
	g_autofree char *here = exm_state_boot_id();

	return g_strcmp0(exm_json_get_string(message, "boot-id"), here) == 0 ? EXM_MOUNT_HANDOVER
	                                                                     : EXM_MOUNT_OTHER_HOST;
}

static bool check(Server *server, ExmJson *message, ExmJson *answer, GError **error)
{
	g_auto(GStrv) warnings = NULL;
	ExmTemplate *handover;

	if (!exm_conversation_check_source(message, server->version, error))
		return false;
	handover = guest_in(message, server->request->path_maps, error);
	/* Before the QEMU is started that it names: whoever sees the same files may name one. */
	if (handover && !check_token(handover, exm_json_get_string(message, "token"), error))
		exm_template_free(g_steal_pointer(&handover));
	if (!handover)
		return false;
	server->arrival = exm_arrival_new(handover, server->request, server->sources, error);
	if (!server->arrival)
		return false;
	end_leftovers(server->request, handover);
	if (!exm_arrival_check(server->arrival, use_of_mount(message), error))
		return false;
	exm_conversation_introduce(answer, server->version);
	warnings = exm_arrival_warnings(server->arrival);
	exm_json_set_strv(answer, "warnings", (const char *const *)warnings);
	exm_json_set_uint(answer, "now", (uint64_t)g_get_real_time());
	return true;
}

static bool set_up_rehearsal(Server *server, G_GNUC_UNUSED ExmJson *message,
                             G_GNUC_UNUSED ExmJson *answer, GError **error)
{
	return exm_arrival_set_up_rehearsal(server->arrival, error);
}

static bool rehearse(Server *server, G_GNUC_UNUSED ExmJson *message, G_GNUC_UNUSED ExmJson *answer,
                     GError **error)
{
	size_t length;
	const char *state = g_bytes_get_data(server->state, &length);

	return exm_arrival_rehearse(server->arrival, state, length, error);
}

static bool prepare(Server *server, G_GNUC_UNUSED ExmJson *message, G_GNUC_UNUSED ExmJson *answer,
                    GError **error)
{
	return exm_arrival_prepare(server->arrival, error);
}

/* The last word before the guest is given up there: whoever would run it has to be here still. */
static bool keep_state(Server *server, G_GNUC_UNUSED ExmJson *message,
                       G_GNUC_UNUSED ExmJson *answer, GError **error)
{
	return exm_arrival_is_ready(server->arrival, error);
}

/* The word may come late, when the guest has been resumed elsewhere: its memory tells. */
static bool take_over(Server *server, ExmJson *message, G_GNUC_UNUSED ExmJson *answer, GError **error)
{
	size_t length;
	const char *state = g_bytes_get_data(server->state, &length);
	ExmTemplate *handover = guest_in(message, server->request->path_maps, error);

	if (handover && !exm_receive_check_same(exm_arrival_guest(server->arrival), handover, error))
		exm_template_free(g_steal_pointer(&handover));
	if (!handover)
		return false;
	exm_arrival_settle(server->arrival, handover);
	if (!exm_arrival_take_over(server->arrival, state, length, error))
		return false;
	server->taken = g_get_monotonic_time();
	return true;
}

/* Also when the other host has hung up: nobody else knows that the state is of no use any more. */
static void finish(const Server *server)
{
	if (server->taken && !server->request->is_private)
		remove_state(server->arrival, server->taken + MOMENT_US);
}

static bool look(Server *server, G_GNUC_UNUSED ExmJson *message, ExmJson *answer,
                 G_GNUC_UNUSED GError **error)
{
	finish(server);
	exm_json_set_bool(answer, "lives", exm_arrival_lives(server->arrival));
	return true;
}

/* What the other host may ask in which phase, and which comes after that. */
static const struct {
	const char *name;
	bool (*act)(Server *server, ExmJson *message, ExmJson *answer, GError **error);
	bool brings_state;
	Phase from;
	Phase to;
	Phase failed;
} verbs[] = {
	{ "check", check, false, NEW, CHECKED, OVER },
	{ "set-up-rehearsal", set_up_rehearsal, false, CHECKED, REHEARSING, OVER },
	/* One that fails is tried once more. */
	{ "rehearse", rehearse, true, REHEARSING, CHECKED, CHECKED },
	{ "prepare", prepare, false, CHECKED, PREPARED, OVER },
	{ "state", keep_state, true, PREPARED, READY, OVER },
	{ "take-over", take_over, false, READY, TAKEN, OVER },
	{ "look", look, false, TAKEN, TAKEN, OVER },
};

/* The question's place in the table, or -1 for one that a source does not ask in this phase. */
static int find_verb(const Server *server, ExmJson *message, GBytes *data, GError **error)
{
	const char *verb = exm_json_get_string(message, "ask");

	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
		if (g_strcmp0(verb, verbs[i].name) != 0 || server->phase != verbs[i].from)
			continue;
		if (verbs[i].brings_state == (g_bytes_get_size(data) > 0))
			return (int)i;
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "'%s' comes with %s", verb,
		          verbs[i].brings_state ? "no data" : "data");
		return -1;
	}
	exm_throw(error, EXM_ERROR_UNSUPPORTED, "'%.60s' cannot be asked now", verb ? verb : "");
	return -1;
}

static ExmJson *obey(Server *server, size_t verb, ExmJson *message, GBytes *data, GError **error)
{
	ExmJson *answer = json_object_new_object();
	bool done;

	if (verbs[verb].brings_state) {
		forget_state(server);
		server->state = g_bytes_ref(data);
	}
	done = verbs[verb].act(server, message, answer, error);
	server->phase = done ? verbs[verb].to : verbs[verb].failed;
	return answer;
}

static int patience(const Server *server)
{
	if (server->phase == NEW)
		return TURN_MS;
	return server->phase == TAKEN ? LAST_QUESTION_MS : PATIENCE_MS;
}

/* What is wrong with the channel is for the users of both hosts. */
static bool throw_broken(ExmConversation *conversation, GError *reason, GError **error)
{
	exm_conversation_answer(conversation, TURN_MS, NULL, reason, NULL);
	g_propagate_error(error, reason);
	return false;
}

/* Reads a question and answers it; @ret_over where it was the last. */
static bool serve_one(Server *server, ExmConversation *conversation, bool *ret_over, GError **error)
{
	g_autoptr(ExmJson) message = NULL;
	g_autoptr(GBytes) data = NULL;
	g_autoptr(GError) refusal = NULL;
	ExmJson *answer;
	int verb;

	if (!exm_conversation_hear(conversation, patience(server), &message, &data, &refusal)) {
		/* Whoever hangs up has said why to his own user, or has ended well. */
		*ret_over = server->phase != NEW && exm_conversation_has_ended(conversation);
		return *ret_over || throw_broken(conversation, g_steal_pointer(&refusal), error);
	}
	verb = find_verb(server, message, data, &refusal);
	if (verb < 0)
		return throw_broken(conversation, g_steal_pointer(&refusal), error);
	answer = obey(server, (size_t)verb, message, data, &refusal);
	*ret_over = server->phase == OVER;
	return exm_conversation_answer(conversation, TURN_MS, answer, refusal, error);
}

static bool serve(Server *server, ExmConversation *conversation, GError **error)
{
	bool over = false;

	while (!over)
		if (!serve_one(server, conversation, &over, error))
			return false;
	return true;
}

/**
 * exm_op_receive_serve() - Take a guest as the host that has it says
 * @request: what the user said
 * @sources: where facts are to be had
 * @version: of this exomem
 * @input:   what that host says (transfer full)
 * @output:  what it hears (transfer full)
 * @error:   SYSTEM
 *
 * A guest that was not taken over when the other one hangs up is none of ours.
 */
bool exm_op_receive_serve(const ExmReceiveRequest *request, const ExmSources *sources,
                          const char *version, int input, int output, GError **error)
{
	g_autoptr(ExmConversation) conversation = exm_conversation_new(input, output);
	Server server = { .request = request, .sources = sources, .version = version };
	bool served;

	signal(SIGPIPE, SIG_IGN);
	served = serve(&server, conversation, error);
	finish(&server);
	exm_arrival_free(server.arrival);
	forget_state(&server);
	return served;
}
