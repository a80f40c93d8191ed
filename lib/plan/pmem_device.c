/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmem_device.c - A device of persistent memory: its sizes, its backend, its argument of -device */

#include "plan/pmem_device.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

/* QEMU, include/hw/ppc/spapr_nvdimm.h: SPAPR_MINIMUM_SCM_BLOCK_SIZE */
#define PSERIES_BLOCK (256 * EXM_MIB)

static uint64_t align_down(uint64_t bytes, uint64_t align)
{
	return bytes - bytes % align;
}

/**
 * exm_pmem_medium_sizes() - How much of a medium is used, and how much of that the guest sees
 * @medium:      the medium
 * @option:      what the user asked for
 * @target:      architecture of the guest
 * @ret_size:    bytes of the backend
 * @ret_visible: bytes that the guest sees
 * @error:       USAGE where labels leave nothing
 *
 * QEMU, hw/mem/nvdimm.c, nvdimm_prepare_memory_region(): labels are at the end, and what is left is
 * cut to the backend's alignment.
 */
bool exm_pmem_medium_sizes(const ExmPmemMedium *medium, const ExmPmemOption *option,
                           const char *target, uint64_t *ret_size, uint64_t *ret_visible,
                           GError **error)
{
	const uint64_t size = align_down(medium->size, medium->align);
	const uint64_t labels = option->label_size;
	const uint64_t visible = size > labels ? align_down(size - labels, medium->align) : 0;
	g_autofree char *bytes = exm_size_human(medium->size);
	g_autofree char *label_bytes = exm_size_human(labels);
	g_autofree char *align = exm_size_human(medium->align);

	if (visible == 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s' has %s, and with %s of labels and an alignment of %s nothing is "
		                 "left: say a smaller 'label-size'",
		                 medium->title, bytes, label_bytes, align);
	if (strcmp(target, "ppc64") == 0 && visible % PSERIES_BLOCK != 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s': a pseries guest takes multiples of 256 MiB beside the labels",
		                 medium->title);
	*ret_size = size;
	*ret_visible = visible;
	return true;
}

/**
 * exm_pmem_medium_loss() - What is neither the guest's nor the labels'
 * @medium:  the medium
 * @option:  what the user asked for
 * @visible: bytes that the guest sees
 *
 * Return: a warning (transfer full), or NULL where nothing is lost.
 */
char *exm_pmem_medium_loss(const ExmPmemMedium *medium, const ExmPmemOption *option, uint64_t visible)
{
	const uint64_t lost = medium->size - visible - option->label_size;
	g_autofree char *bytes = exm_size_human(lost);
	g_autofree char *align = exm_size_human(medium->align);

	if (lost == 0)
		return NULL;
	return g_strdup_printf("%s of '%s' are lost: what the guest sees is a multiple of its alignment, "
	                       "%s",
	                       bytes, medium->title, align);
}

/**
 * exm_pmem_device_backend() - The backend of a device of persistent memory
 * @device: the device
 * @error:  UNSUPPORTED where this QEMU cannot
 *
 * Devices are mapped shared only (Linux, drivers/dax/device.c, check_vma()); and what is not
 * shared would not last. Every page of a medium is there: touching each would wear it and be no use.
 *
 * Return: the properties as an object (transfer full), or NULL.
 */
ExmJson *exm_pmem_device_backend(const ExmPmemDevice *device, GError **error)
{
	const ExmPmemMedium *medium = device->medium;
	const ExmPmemOption *option = device->option;
	const ExmCaps *caps = device->caps;
	ExmJson *tree;

	if (option->readonly && !exm_caps_has(caps->file_properties, "readonly")) {
		exm_throw(error, EXM_ERROR_UNSUPPORTED, "'readonly' needs QEMU 6.0; '%s' is %s",
		          caps->path, caps->version);
		return NULL;
	}
	tree = json_object_new_object();
	exm_json_set_string(tree, "qom-type", "memory-backend-file");
	exm_json_set_string(tree, "id", device->backend_id);
	exm_json_set_uint(tree, "size", device->size);
	exm_json_set_string(tree, "mem-path", medium->path);
	exm_json_set_bool(tree, "share", true);
	if (exm_caps_has(caps->file_properties, "align"))
		exm_json_set_uint(tree, "align", medium->align);
	if (medium->maps_sync && exm_caps_has(caps->file_properties, "pmem"))
		exm_json_set_bool(tree, "pmem", true);
	if (option->readonly)
		exm_json_set_bool(tree, "readonly", true);
	if (device->prealloc)
		exm_json_set_bool(tree, "prealloc", false);
	return tree;
}

static bool add_uuid(const ExmPmemDevice *device, GString *text, GError **error)
{
	const ExmPmemMedium *medium = device->medium;
	const char *own = device->option->uuid;
	const bool pseries = strcmp(device->caps->target, "ppc64") == 0;
	const char *uuid = own ? own : pseries ? medium->uuid : NULL;

	/* QEMU, hw/ppc/spapr_nvdimm.c: "NVDIMM device requires a uuid" */
	if (pseries && !uuid)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "'%s': on pseries an NVDIMM needs a 'uuid'", medium->title);
	if (uuid)
		g_string_append_printf(text, ",uuid=%s", uuid);
	return true;
}

/**
 * exm_pmem_device_print() - The argument of -device
 * @device:   the device
 * @ret_text: (transfer full): the argument
 * @error:    UNSUPPORTED where this QEMU has no such device; USAGE
 */
bool exm_pmem_device_print(const ExmPmemDevice *device, char **ret_text, GError **error)
{
	const ExmPmemOption *option = device->option;
	const ExmCaps *caps = device->caps;
	const char *driver = option->virtio ? "virtio-pmem-pci" : "nvdimm";
	g_autoptr(GString) text = g_string_new(NULL);

	if (!exm_caps_has(caps->devices, driver))
		return exm_throw(error, EXM_ERROR_UNSUPPORTED, "'%s' (%s) has no device '%s'",
		                 caps->path, caps->version, driver);
	g_string_append_printf(text, "%s,id=%s,memdev=%s", driver, device->id, device->backend_id);
	if (!option->virtio) {
		g_string_append_printf(text, ",node=%" G_GUINT64_FORMAT, option->node);
		if (option->label_size)
			g_string_append_printf(text, ",label-size=%" G_GUINT64_FORMAT,
			                       option->label_size);
		/* QEMU, hw/mem/nvdimm.c: a read-only backend must be unarmed, and the guest is told */
		if (option->unarmed || option->readonly)
			g_string_append(text, ",unarmed=on");
		if (!add_uuid(device, text, error))
			return false;
	}
	*ret_text = g_string_free(g_steal_pointer(&text), FALSE);
	return true;
}
