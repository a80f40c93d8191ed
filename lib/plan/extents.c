/* SPDX-License-Identifier: GPL-2.0-or-later */
/* extents.c - Stretches of a file as a set: what two of them share, and what one has alone */

#include "plan/extents.h"

/**
 * exm_extents_new() - A set that is empty
 *
 * Return: of ExmExtent (transfer full); in the order of the file, none touching the next.
 */
GArray *exm_extents_new(void)
{
	return g_array_new(FALSE, FALSE, sizeof(ExmExtent));
}

/**
 * exm_extents_at() - One stretch of a set
 * @extents: the set
 * @index:   of the stretch
 *
 * Return: the stretch (borrowed).
 */
const ExmExtent *exm_extents_at(const GArray *extents, guint index)
{
	return &g_array_index(extents, ExmExtent, index);
}

/**
 * exm_extents_add() - Put a stretch behind all others of a set
 * @extents: the set
 * @start:   of the stretch, not before the end of the last one
 * @end:     of the stretch, behind @start
 */
void exm_extents_add(GArray *extents, uint64_t start, uint64_t end)
{
	const ExmExtent extent = { start, end };
	ExmExtent *last = extents->len ? &g_array_index(extents, ExmExtent, extents->len - 1) : NULL;

	if (last && start <= last->end)
		last->end = MAX(last->end, end);
	else
		g_array_append_val(extents, extent);
}

/**
 * exm_extents_bytes() - How much a set is
 * @extents: the set
 */
uint64_t exm_extents_bytes(const GArray *extents)
{
	uint64_t bytes = 0;

	for (guint i = 0; i < extents->len; i++)
		bytes += exm_extents_at(extents, i)->end - exm_extents_at(extents, i)->start;
	return bytes;
}

/**
 * exm_extents_join() - A set with its small gaps filled
 * @extents: the set
 * @gap:     bytes of the largest gap that is filled
 *
 * Return: such a set (transfer full).
 */
GArray *exm_extents_join(const GArray *extents, uint64_t gap)
{
	GArray *joined = exm_extents_new();

	for (guint i = 0; i < extents->len; i++) {
		const ExmExtent *next = exm_extents_at(extents, i);
		ExmExtent *last = joined->len ? &g_array_index(joined, ExmExtent, joined->len - 1)
		                              : NULL;

		if (last && next->start - last->end <= gap)
			last->end = next->end;
		else
			g_array_append_vals(joined, next, 1);
	}
	return joined;
}

/**
 * exm_extents_intersect() - What two sets share
 * @one:   a set
 * @other: another
 *
 * Return: such a set (transfer full).
 */
GArray *exm_extents_intersect(const GArray *one, const GArray *other)
{
	GArray *shared = exm_extents_new();

	for (guint i = 0, j = 0; i < one->len && j < other->len;) {
		const ExmExtent *a = exm_extents_at(one, i);
		const ExmExtent *b = exm_extents_at(other, j);
		const uint64_t start = MAX(a->start, b->start);
		const uint64_t end = MIN(a->end, b->end);

		if (start < end)
			exm_extents_add(shared, start, end);
		if (a->end < b->end)
			i++;
		else
			j++;
	}
	return shared;
}

/**
 * exm_extents_subtract() - What a set has and another has not
 * @from: the set
 * @what: the other
 *
 * Return: such a set (transfer full).
 */
GArray *exm_extents_subtract(const GArray *from, const GArray *what)
{
	GArray *left = exm_extents_new();
	guint next = 0;

	for (guint i = 0; i < from->len; i++) {
		const ExmExtent *extent = exm_extents_at(from, i);
		uint64_t at = extent->start;

		while (next < what->len && exm_extents_at(what, next)->end <= at)
			next++;
		for (guint j = next; j < what->len && exm_extents_at(what, j)->start < extent->end;
		     j++) {
			const ExmExtent *hole = exm_extents_at(what, j);

			if (hole->start > at)
				exm_extents_add(left, at, hole->start);
			at = hole->end;
		}
		if (at < extent->end)
			exm_extents_add(left, at, extent->end);
	}
	return left;
}
