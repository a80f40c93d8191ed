/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.c - What exomem does, told on stderr topic by topic */

#include "base/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* The library's one mutable state: a trace must not add a parameter to all that it watches. */
static char **enabled_topics;

/**
 * exm_trace_enable() - Choose the topics that are traced
 * @topics: their names with commas between them, or "all"; NULL for none
 */
void exm_trace_enable(const char *topics)
{
	g_strfreev(enabled_topics);
	enabled_topics = topics == NULL ? NULL : g_strsplit(topics, ",", -1);
}

static bool is_enabled(const char *topic)
{
	const char *const *topics = (const char *const *)enabled_topics;

	return topics != NULL && (g_strv_contains(topics, topic) || g_strv_contains(topics, "all"));
}

/**
 * exm_trace() - Write "exomem: TOPIC: MILLISECONDS TEXT" to stderr, if the topic is enabled
 * @topic:  the topic
 * @format: printf format of the text; its newlines become spaces
 *
 * The time is the monotonic clock's, to be compared between processes. Leaves errno alone.
 */
void exm_trace(const char *topic, const char *format, ...)
{
	const int errnum = errno;
	g_autofree char *text = NULL;
	gint64 now;
	va_list args;

	if (!is_enabled(topic))
		return;
	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_strdelimit(text, "\r\n", ' ');
	now = g_get_monotonic_time();
	/* One call writes the line whole, so processes that share stderr do not mix theirs. */
	fprintf(stderr, "exomem: %s: %" G_GINT64_FORMAT ".%03d %s\n", topic, now / 1000,
	        (int)(now % 1000), text);
	errno = errnum;
}
