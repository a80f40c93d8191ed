/* SPDX-License-Identifier: GPL-2.0-or-later */
/* extent.c - Where a sparse file holds data */

#include "host/extent.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"

/* Where the next data or hole begins; at the end of the file where there is none. */
static bool seek(int fd, uint64_t from, uint64_t size, int whence, uint64_t *ret_at)
{
	const off_t at = lseek(fd, (off_t)from, whence);

	if (at < 0 && errno != ENXIO)
		return false;
	*ret_at = at < 0 ? size : MIN((uint64_t)at, size);
	return true;
}

/**
 * exm_extent_find() - Find the next stretch of data in a file
 * @fd:         the file; its offset is moved
 * @from:       byte from which on
 * @size:       of the file, or bytes of it that count
 * @ret_extent: from @size to @size where there is only a hole
 * @error:      SYSTEM
 *
 * A file system that does not know its holes calls everything data (lseek(2)).
 */
bool exm_extent_find(int fd, uint64_t from, uint64_t size, ExmExtent *ret_extent, GError **error)
{
	ExmExtent extent;

	if (!seek(fd, from, size, SEEK_DATA, &extent.start) ||
	    !seek(fd, extent.start, size, SEEK_HOLE, &extent.end))
		return exm_throw_errno(error, errno, "look for the data of a file");
	*ret_extent = extent;
	return true;
}
