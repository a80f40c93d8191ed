/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clash_cure.c - What to write in place of a value that only one guest can have */

#include "plan/clash_cure.h"

#include <string.h>

#include "plan/identity.h"

/*
 * Each of these returns the value with a placeholder and says what can be had once, or returns NULL
 * where a second guest does no harm.
 */
typedef char *(*Cure)(const char *value, char **ret_thing);

static char *index_plus(guint64 number)
{
	return number == 0 ? g_strdup("@{index}")
	                   : g_strdup_printf("@{index+%" G_GUINT64_FORMAT "}", number);
}

static char *cure_port(const char *value, char **ret_thing)
{
	guint64 port;

	if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT16, &port, NULL)) {
		*ret_thing = g_strdup_printf("host port '%s'", value);
		return g_strdup("@{index+PORT}");
	}
	/* The kernel looks for a free one. */
	if (port == 0)
		return NULL;
	*ret_thing = g_strdup_printf("host port %" G_GUINT64_FORMAT, port);
	return index_plus(port);
}

static char *cure_ports(const char *value, char **ret_thing)
{
	const char *colon = strchr(value, ':');
	g_autofree char *host = g_strndup(value, colon ? (gsize)(colon - value) : strlen(value));
	g_autofree char *cure = NULL;

	if (strcmp(value, "none") == 0)
		return NULL;
	cure = cure_port(host, ret_thing);
	return cure ? g_strconcat(cure, ":", colon ? colon + 1 : host, NULL) : NULL;
}

static char *cure_address(const char *value, char **ret_thing)
{
	const char *colon = strrchr(value, ':');
	const gsize skip = colon ? (gsize)(colon - value) + 1 : 0;
	g_autofree char *host = g_strndup(value, skip);
	g_autofree char *cure = cure_port(value + skip, ret_thing);

	return cure ? g_strconcat(host, cure, NULL) : NULL;
}

/* A path with something before the ending of its name. */
static char *insert_before_ending(const char *path, const char *text)
{
	g_autofree char *name = g_path_get_basename(path);
	const char *dot = strrchr(name, '.');
	const gsize ending = dot && dot > name ? strlen(dot) : 0;
	const gsize head = strlen(path) - ending;
	g_autofree char *before = g_strndup(path, head);

	return g_strconcat(before, text, path + head, NULL);
}

static char *cure_path_with(const char *path, const char *placeholder, char **ret_thing)
{
	/* /dev/null, /dev/stdout: any number of guests write there */
	if (g_str_has_prefix(path, "/dev/") || g_str_has_prefix(path, "/proc/self/fd/"))
		return NULL;
	*ret_thing = g_strdup_printf("'%s'", path);
	return insert_before_ending(path, placeholder);
}

static char *cure_path(const char *value, char **ret_thing)
{
	return cure_path_with(value, "-@{name}", ret_thing);
}

/* QEMU, util/log.c, qemu_set_log_filename(): "%d" becomes the number of the process */
static char *cure_log(const char *value, char **ret_thing)
{
	return strstr(value, "%d") ? NULL : cure_path(value, ret_thing);
}

/* QEMU, net/slirp.c, slirp_hostfwd(): what belongs to the host ends at the first '-' behind it */
static char *cure_forward(const char *value, char **ret_thing)
{
	const gboolean is_path = g_str_has_prefix(value, "unix:");
	const char *colon = strchr(value, ':');
	const char *dash = colon ? strchr(colon, '-') : NULL;
	g_autofree char *protocol = NULL;
	g_autofree char *host = NULL;
	g_autofree char *cure = NULL;

	if (!dash)
		return NULL;
	protocol = g_strndup(value, (gsize)(colon - value) + 1);
	host = g_strndup(colon + 1, (gsize)(dash - colon) - 1);
	if (exm_identity_is_wanted(host))
		return NULL;
	/* A name may have a '-' in it. */
	cure = is_path ? cure_path_with(host, "@{index}", ret_thing) : cure_address(host, ret_thing);
	return cure ? g_strconcat(protocol, cure, dash, NULL) : NULL;
}

static char *cure_unix(const char *value, char **ret_thing)
{
	g_autofree char *cure = cure_path(value + strlen("unix:"), ret_thing);

	return cure ? g_strconcat("unix:", cure, NULL) : NULL;
}

static char *cure_display(const char *value, char **ret_thing)
{
	const char *colon = strrchr(value, ':');
	g_autofree char *host = NULL;
	g_autofree char *cure = NULL;
	guint64 display;

	if (g_str_has_prefix(value, "unix:"))
		return cure_unix(value, ret_thing);
	if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXUINT16, &display, NULL))
		return NULL;
	host = g_strndup(value, (gsize)(colon - value) + 1);
	cure = index_plus(display);
	*ret_thing = g_strdup_printf("VNC display %" G_GUINT64_FORMAT, display);
	return g_strconcat(host, cure, NULL);
}

/* A switch: the port then follows from the display (ui/vnc.c, vnc_display_get_address()). */
static char *cure_websocket(const char *value, char **ret_thing)
{
	if (g_str_has_prefix(value, "unix:"))
		return cure_unix(value, ret_thing);
	if (strcmp(value, "on") == 0 || strcmp(value, "off") == 0 || !*value)
		return NULL;
	return cure_address(value, ret_thing);
}

static char *cure_numbered(const char *value, char **ret_thing)
{
	gsize head = strlen(value);
	g_autofree char *before = NULL;
	g_autofree char *cure = NULL;

	/* Linux, net/core/dev.c, dev_alloc_name(): "tap%d" is the next that is free */
	if (strstr(value, "%d"))
		return NULL;
	while (head > 0 && g_ascii_isdigit(value[head - 1]))
		head--;
	/* "004" keeps its zeros. */
	while (value[head] == '0' && value[head + 1])
		head++;
	before = g_strndup(value, head);
	cure = index_plus(g_ascii_strtoull(value + head, NULL, 10));
	*ret_thing = g_strdup_printf("'%s'", value);
	return g_strconcat(before, cure, NULL);
}

static char *cure_number(const char *value, char **ret_thing)
{
	*ret_thing = g_strdup_printf("number %s", value);
	return index_plus(g_ascii_strtoull(value, NULL, 0));
}

static const Cure cures[] = {
	[EXM_CLASH_PORT] = cure_port,         [EXM_CLASH_PORTS] = cure_ports,
	[EXM_CLASH_ADDRESS] = cure_address,   [EXM_CLASH_FORWARD] = cure_forward,
	[EXM_CLASH_DISPLAY] = cure_display,   [EXM_CLASH_WEBSOCKET] = cure_websocket,
	[EXM_CLASH_PATH] = cure_path,         [EXM_CLASH_LOG] = cure_log,
	[EXM_CLASH_NUMBERED] = cure_numbered, [EXM_CLASH_NUMBER] = cure_number,
};

/**
 * exm_clash_cure() - What to write so that each guest has its own
 * @form:      what the value names
 * @value:     the value
 * @ret_thing: what can be had once, for a message (transfer full)
 *
 * Return: the value with a placeholder (transfer full); NULL where there is one already, or where a
 * second guest does no harm, and then @ret_thing is as it was.
 */
char *exm_clash_cure(ExmClashForm form, const char *value, char **ret_thing)
{
	/* Of a forwarding rule only the host's half matters. */
	if (form != EXM_CLASH_FORWARD && exm_identity_is_wanted(value))
		return NULL;
	return cures[form](value, ret_thing);
}
