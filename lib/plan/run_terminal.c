/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_terminal.c - A guest's monitors and, where it is detached, what stands in for its terminal */

#include "plan/builder.h"
#include "plan/vm.h"

/* A socket in the guest's directory that QEMU inherits, listening. */
static int add_socket(ExmBuilder *builder, const char *name)
{
	g_autofree char *path = g_build_filename(builder->plan->directory, name, NULL);
	const int fd = builder->next_fd++;

	exm_builder_add_step(builder, EXM_STEP_LISTEN, path, fd);
	return fd;
}

/*
 * QEMU's configuration file format (docs/config/): a -mon on the command line would take the
 * default monitor away (system/vl.c, default_monitor); one in a file does not.
 */
static void add_monitor(ExmBuilder *builder, GString *text, const char *id, const char *socket_name)
{
	g_string_append_printf(text,
	                       "[chardev \"%s\"]\n"
	                       "  backend = \"socket\"\n"
	                       "  fd = \"%d\"\n"
	                       "  server = \"on\"\n"
	                       "  wait = \"off\"\n"
	                       "[mon \"%s\"]\n"
	                       "  chardev = \"%s\"\n"
	                       "  mode = \"control\"\n",
	                       id, add_socket(builder, socket_name), id, id);
}

/* QMP for the process that is QEMU's parent (host/guest_parent.c), through a socket that is connected. */
static void add_parent_monitor(ExmBuilder *builder, GString *text)
{
	builder->parent_fd = builder->next_fd++;
	g_string_append_printf(text,
	                       "[chardev \"exomem-parent\"]\n"
	                       "  backend = \"socket\"\n"
	                       "  fd = \"%d\"\n"
	                       "[mon \"exomem-parent\"]\n"
	                       "  chardev = \"exomem-parent\"\n"
	                       "  mode = \"control\"\n",
	                       builder->parent_fd);
}

static void add_monitors(ExmBuilder *builder)
{
	g_autoptr(GString) text = g_string_new(NULL);

	add_monitor(builder, text, "exomem-control", EXM_VM_CONTROL);
	add_monitor(builder, text, "exomem-events", EXM_VM_EVENTS);
	if (builder->request->detach)
		add_parent_monitor(builder, text);
	builder->plan->monitors = g_string_free(g_steal_pointer(&text), FALSE);
	builder->plan->configuration = g_build_filename(builder->plan->directory, EXM_VM_CONF, NULL);
	exm_builder_add_step(builder, EXM_STEP_CONFIGURE, builder->plan->configuration, -1);
}

/**
 * exm_builder_add_sockets() - Add the steps that make a guest's sockets
 * @builder: the plan under construction, with its detachment where the guest is detached
 */
void exm_builder_add_sockets(ExmBuilder *builder)
{
	const ExmDetachment *detachment = &builder->detachment;

	add_monitors(builder);
	if (detachment->console)
		builder->console_fd = add_socket(builder, EXM_VM_CONSOLE);
	if (detachment->monitor)
		builder->monitor_fd = add_socket(builder, EXM_VM_MONITOR);
	if (detachment->qmp)
		builder->qmp_fd = add_socket(builder, EXM_VM_QMP);
}

static void add_chardev(ExmBuilder *builder, const char *id, int fd, bool mux, bool log)
{
	g_autofree char *chardev = exm_detach_chardev(id, fd, mux, log);

	exm_builder_add_argument(builder, "-chardev", chardev);
}

static void add_chardevs(ExmBuilder *builder)
{
	const ExmDetachment *detachment = &builder->detachment;

	if (detachment->console && !detachment->console_chardev)
		add_chardev(builder, "exomem-console", builder->console_fd,
		            detachment->console_monitor, true);
	if (detachment->monitor)
		add_chardev(builder, "exomem-monitor", builder->monitor_fd, false, false);
	if (detachment->qmp)
		add_chardev(builder, "exomem-qmp", builder->qmp_fd, false, false);
}

/*
 * QEMU 11.1 deprecates -mon and warns of it at each start. Both forms take away the default
 * monitor, which would be on standard input.
 */
static void add_console_monitor(ExmBuilder *builder)
{
	if (exm_caps_has(builder->facts->caps->objects, "monitor-hmp"))
		exm_builder_add_argument(builder, "-object",
		                         "monitor-hmp,id=exomem-console,chardev=exomem-console");
	else
		exm_builder_add_argument(builder, "-mon", "chardev=exomem-console,mode=readline");
}

/**
 * exm_builder_add_terminal_arguments() - Add a guest's sockets to QEMU's command line
 * @builder: the plan under construction
 *
 * What QEMU would on its own do with a terminal is said here in words.
 */
void exm_builder_add_terminal_arguments(ExmBuilder *builder)
{
	const ExmDetachment *detachment = &builder->detachment;

	exm_builder_add_argument(builder, "-readconfig", builder->plan->configuration);
	add_chardevs(builder);
	if (detachment->console_monitor)
		add_console_monitor(builder);
	if (detachment->console_default)
		exm_builder_add_argument(builder, "-serial", "chardev:exomem-console");
	if (detachment->monitor_default)
		exm_builder_add_argument(builder, "-monitor", "chardev:exomem-monitor");
}

/**
 * exm_builder_add_terminal_steps() - Add the steps in which a detached guest leaves its terminal
 * @builder: the plan under construction
 */
void exm_builder_add_terminal_steps(ExmBuilder *builder)
{
	g_autofree char *log = NULL;

	if (!builder->request->detach)
		return;
	log = g_build_filename(builder->plan->directory, EXM_VM_LOG, NULL);
	exm_builder_add_step(builder, EXM_STEP_KEEP_LOG, log, builder->parent_fd);
	exm_builder_add_step(builder, EXM_STEP_LEAVE_TERMINAL, "/dev/null", -1);
}
