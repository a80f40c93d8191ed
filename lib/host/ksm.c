/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksm.c - The kernel's same-page merging */

#include "host/ksm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Linux, Documentation/admin-guide/mm/ksm.rst */
#define DIRECTORY "/sys/kernel/mm/ksm/"

static const struct {
	const char *path;
	size_t offset;
} knobs[] = {
	{ DIRECTORY "pages_to_scan", G_STRUCT_OFFSET(ExmKsm, pages) },
	{ DIRECTORY "sleep_millisecs", G_STRUCT_OFFSET(ExmKsm, rest) },
	{ DIRECTORY "run", G_STRUCT_OFFSET(ExmKsm, run) },
};

/**
 * exm_ksm_read() - How KSM is set
 * @ret_ksm: its values
 *
 * Return: false where the kernel has none, or we may not set it.
 */
bool exm_ksm_read(ExmKsm *ret_ksm)
{
	for (size_t i = 0; i < G_N_ELEMENTS(knobs); i++) {
		g_autofree char *text = NULL;

		if (access(knobs[i].path, W_OK) < 0 ||
		    !exm_file_read(knobs[i].path, &text, NULL, NULL))
			return false;
		G_STRUCT_MEMBER(uint64_t, ret_ksm, knobs[i].offset) = g_ascii_strtoull(text, NULL,
		                                                                       10);
	}
	return true;
}

/**
 * exm_ksm_write() - Set KSM
 * @ksm:   its values
 * @error: SYSTEM
 */
bool exm_ksm_write(const ExmKsm *ksm, GError **error)
{
	ExmKsm copy = *ksm;

	for (size_t i = 0; i < G_N_ELEMENTS(knobs); i++) {
		g_autofree char *text = g_strdup_printf(
			"%" G_GUINT64_FORMAT, G_STRUCT_MEMBER(uint64_t, &copy, knobs[i].offset));
		exm_autofd int fd = open(knobs[i].path, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			return exm_throw_errno(error, errno, "write '%s'", knobs[i].path);
	}
	return true;
}
