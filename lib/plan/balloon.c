/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balloon.c - What is said to a balloon, and what it says */

#include "plan/balloon.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

/* A balloon that takes all leaves no guest. */
#define LEAST EXM_MIB

/**
 * exm_balloon_target() - What a balloon shall leave
 * @word:       "512M", or "+64M" or "-64M" from what it leaves now
 * @actual:     what it leaves now, in bytes
 * @memory:     the guest's main memory
 * @ret_target: bytes
 * @error:      USAGE where it is no size, or more than the guest has, or nothing
 */
bool exm_balloon_target(const char *word, uint64_t actual, uint64_t memory, uint64_t *ret_target,
                        GError **error)
{
	const bool more = *word == '+';
	const bool fewer = *word == '-';
	uint64_t bytes;

	if (!exm_size_parse(word + (more || fewer), EXM_MIB, &bytes, error))
		return false;
	if (fewer ? bytes > actual || actual - bytes < LEAST : bytes < (more ? 0 : LEAST))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' leaves the guest nothing", word);
	if (bytes > memory || (more && bytes > memory - MIN(actual, memory))) {
		g_autofree char *most = exm_size_human(memory);

		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is more than the guest's %s", word,
		                 most);
	}
	*ret_target = fewer ? actual - bytes : more ? actual + bytes : bytes;
	return true;
}

/**
 * exm_balloon_find() - The balloon among QEMU's devices
 * @list:   what qom-list returned
 * @parent: the path it was asked for
 *
 * Return: its path (transfer full), or NULL.
 */
char *exm_balloon_find(ExmJson *list, const char *parent)
{
	const size_t count = json_object_is_type(list, json_type_array) ? exm_json_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		ExmJson *item = json_object_array_get_idx(list, i);
		const char *type = exm_json_get_string(item, "type");

		if (type && g_str_has_prefix(type, "child<virtio-balloon"))
			return g_build_path("/", parent, exm_json_get_string(item, "name"), NULL);
	}
	return NULL;
}

/**
 * exm_balloon_read_statistics() - What a guest tells of its memory
 * @answer: to qom-get of "guest-stats"
 * @now:    seconds since 1970
 * @guest:  gets statistics, statistics_age and available
 *
 * A figure that the guest has not told is 2^64 - 1 (QEMU, hw/virtio/virtio-balloon.c).
 */
void exm_balloon_read_statistics(ExmJson *answer, uint64_t now, ExmGuestSample *guest)
{
	ExmJson *stats = exm_json_member(answer, "stats");
	const uint64_t updated = exm_json_get_uint(answer, "last-update");
	uint64_t available = exm_json_get_uint(stats, "stat-available-memory");

	/* Linux before 4.6 has only free memory. */
	if (!exm_json_member(stats, "stat-available-memory") || available >= G_MAXINT64)
		available = exm_json_get_uint(stats, "stat-free-memory");
	if (updated == 0 || available == 0 || available >= G_MAXINT64)
		return;
	guest->statistics = true;
	guest->statistics_age = now > updated ? now - updated : 0;
	guest->available = available;
}
