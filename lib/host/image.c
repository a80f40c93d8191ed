/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c - Which other files a qcow2 image names in its header */

#include "host/image.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* QEMU, docs/interop/qcow2.txt: all numbers are big-endian. */
#define MAGIC           "QFI\xfb"
#define VERSION_AT      4
#define BACKING_AT      8
#define BACKING_SIZE_AT 16
#define HEADER_SIZE_AT  100
#define HEADER_SIZE_V2  72
#define BACKING_MAX     1023

/* Types of header extensions. */
#define DATA_FILE_NAME 0x44415441
#define BACKING_FORMAT 0xe2792aca

/* The header with its extensions and the name of the backing file are in the first cluster. */
#define CLUSTER_MAX (2 * 1024 * 1024)

static uint32_t number_at(const GByteArray *bytes, size_t at)
{
	uint32_t number;

	if (at + sizeof(number) > bytes->len)
		return 0;
	memcpy(&number, bytes->data + at, sizeof(number));
	return GUINT32_FROM_BE(number);
}

static char *text_at(const GByteArray *bytes, size_t at, size_t length)
{
	if (at > bytes->len || length > bytes->len - at || length == 0 || length > BACKING_MAX)
		return NULL;
	return g_strndup((const char *)bytes->data + at, length);
}

/* QEMU, block.c, path_combine(): relative to the directory of the image */
static char *resolve(const char *image, const char *name)
{
	g_autofree char *directory = g_path_get_dirname(image);

	if (!name)
		return NULL;
	if (g_str_has_prefix(name, "file:"))
		name += strlen("file:");
	return g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(directory, name, NULL);
}

static char *find_extension(const GByteArray *header, uint32_t type)
{
	const uint32_t version = number_at(header, VERSION_AT);
	size_t at = version >= 3 ? number_at(header, HEADER_SIZE_AT) : HEADER_SIZE_V2;

	while (number_at(header, at) != 0) {
		const uint32_t length = number_at(header, at + sizeof(uint32_t));

		if (number_at(header, at) == type)
			return text_at(header, at + 2 * sizeof(uint32_t), length);
		at += 2 * sizeof(uint32_t) + ((size_t)length + 7) / 8 * 8;
	}
	return NULL;
}

static char *find_backing(const GByteArray *header)
{
	/* An offset of 64 bits, of which the first 32 are 0 inside the first cluster. */
	if (number_at(header, BACKING_AT) != 0 || number_at(header, BACKING_AT + 4) == 0)
		return NULL;
	return text_at(header, number_at(header, BACKING_AT + 4), number_at(header, BACKING_SIZE_AT));
}

static GByteArray *read_header(const char *path)
{
	exm_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	ssize_t length;

	g_byte_array_set_size(bytes, CLUSTER_MAX);
	length = fd < 0 ? 0 : TEMP_FAILURE_RETRY(pread(fd, bytes->data, bytes->len, 0));
	g_byte_array_set_size(bytes, length > 0 ? (guint)length : 0);
	return g_steal_pointer(&bytes);
}

/**
 * exm_image_free() - Free what an image names
 * @image: may be NULL
 */
void exm_image_free(ExmImage *image)
{
	if (!image)
		return;
	g_free(image->backing);
	g_free(image->format);
	g_free(image->data);
	g_free(image);
}

/**
 * exm_image_read() - Read which other files an image names in its header
 * @path: of the image
 *
 * What is not a qcow2 image names none. A name is made absolute or relative as QEMU does it, by the
 * image's directory; one that is a protocol ("nbd:", "json:") becomes a path that does not exist.
 *
 * Return: what it names (transfer full).
 */
ExmImage *exm_image_read(const char *path)
{
	g_autoptr(GByteArray) header = read_header(path);
	g_autofree char *backing = NULL;
	g_autofree char *data = NULL;
	ExmImage *image = g_new0(ExmImage, 1);

	if (header->len < HEADER_SIZE_V2 || memcmp(header->data, MAGIC, strlen(MAGIC)) != 0)
		return image;
	backing = find_backing(header);
	data = find_extension(header, DATA_FILE_NAME);
	image->backing = resolve(path, backing);
	image->format = find_extension(header, BACKING_FORMAT);
	image->data = resolve(path, data);
	return image;
}
