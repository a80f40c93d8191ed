/* SPDX-License-Identifier: GPL-2.0-or-later */
/* namespaces.c - The namespaces of persistent memory on this host, and who uses them */

#include "host/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/directory.h"
#include "host/lock.h"
#include "host/ndctl_loader.h"
#include "plan/namespace.h"

/* Of `ndctl create-namespace`, should the kernel not tell. */
#define DEFAULT_ALIGN (2 * EXM_MIB)

/* What their getters say for "cannot be read". */
#define NO_SIZE ULLONG_MAX

/* Both libraries would speak on stderr. */
static void say_nothing(G_GNUC_UNUSED struct ndctl_ctx *ctx, G_GNUC_UNUSED int priority,
                        G_GNUC_UNUSED const char *file, G_GNUC_UNUSED int line,
                        G_GNUC_UNUSED const char *function, G_GNUC_UNUSED const char *format,
                        G_GNUC_UNUSED va_list arguments)
{
}

static void say_nothing_dax(G_GNUC_UNUSED struct daxctl_ctx *ctx, G_GNUC_UNUSED int priority,
                            G_GNUC_UNUSED const char *file, G_GNUC_UNUSED int line,
                            G_GNUC_UNUSED const char *function, G_GNUC_UNUSED const char *format,
                            G_GNUC_UNUSED va_list arguments)
{
}

static ExmNamespaceMode mode_of(int mode)
{
	switch (mode) {
	case NDCTL_NS_MODE_FSDAX:
		return EXM_NAMESPACE_FSDAX;
	case NDCTL_NS_MODE_SECTOR:
		return EXM_NAMESPACE_SECTOR;
	case NDCTL_NS_MODE_RAW:
		return EXM_NAMESPACE_RAW;
	case NDCTL_NS_MODE_DEVDAX:
		return EXM_NAMESPACE_DEVDAX;
	default:
		return EXM_NAMESPACE_UNKNOWN;
	}
}

static const char *map_of(enum ndctl_pfn_loc location)
{
	switch (location) {
	case NDCTL_PFN_LOC_RAM:
		return "mem";
	case NDCTL_PFN_LOC_PMEM:
		return "dev";
	case NDCTL_PFN_LOC_NONE:
		break;
	}
	return "none";
}

static const char *persistence_of(enum ndctl_persistence_domain domain)
{
	switch (domain) {
	case PERSISTENCE_CPU_CACHE:
		return "cpu_cache";
	case PERSISTENCE_MEM_CTRL:
		return "memory_controller";
	case PERSISTENCE_NONE:
	case PERSISTENCE_UNKNOWN:
		break;
	}
	return NULL;
}

/* Text of a uuid, or NULL of one that is all zeros, which means none. */
static char *uuid_text(const uuid_t uuid)
{
	static const uuid_t none;
	g_autoptr(GString) text = g_string_new(NULL);

	if (memcmp(uuid, none, sizeof(none)) == 0)
		return NULL;
	for (size_t i = 0; i < sizeof(uuid_t); i++)
		g_string_append_printf(text, "%s%02x",
		                       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The worst of a region's modules; those that do not tell do not count. */
static const char *health_of(const ExmNdctl *nd, struct ndctl_region *region)
{
	static const char *const names[] = { "ok", "non-critical", "critical", "fatal" };
	int worst = -1;

	for (struct ndctl_mapping *mapping = nd->ndctl_mapping_get_first(region); mapping;
	     mapping = nd->ndctl_mapping_get_next(mapping)) {
		const unsigned int health = nd->ndctl_dimm_get_health(
			nd->ndctl_mapping_get_dimm(mapping));

		if (health == UINT_MAX)
			continue;
		worst = MAX(worst, health & ND_SMART_FATAL_HEALTH          ? 3
		                   : health & ND_SMART_CRITICAL_HEALTH     ? 2
		                   : health & ND_SMART_NON_CRITICAL_HEALTH ? 1
		                                                           : 0);
	}
	return worst < 0 ? NULL : names[worst];
}

/* The second field of the line of /proc/self/mountinfo that ends in " TYPE /dev/pmem0 OPTIONS". */
static char *mount_of(const char *block_device)
{
	g_autofree char *wanted = g_strdup_printf(" /dev/%s ", block_device);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!exm_file_read("/proc/self/mountinfo", &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, " ", -1);

		if (strstr(*line, wanted) && g_strv_length(fields) > 4)
			return g_strdup_printf("mounted on '%s'", fields[4]);
	}
	return NULL;
}

static void look_at_block(const ExmNdctl *nd, struct ndctl_namespace *ns, ExmNamespace *namespace)
{
	struct ndctl_pfn *pfn = nd->ndctl_namespace_get_pfn(ns);
	const char *device = pfn ? nd->ndctl_pfn_get_block_device(pfn)
	                         : nd->ndctl_namespace_get_block_device(ns);

	if (device && *device) {
		namespace->used_by = mount_of(device);
	}
}

static void look_at_device(const ExmNdctl *nd, struct ndctl_dax *dax, ExmNamespace *namespace)
{
	struct daxctl_region *region = nd->ndctl_dax_get_daxctl_region(dax);
	struct daxctl_dev *dev = region ? nd->daxctl_dev_get_first(region) : NULL;

	if (!dev)
		return;
	namespace->path = g_strdup_printf("/dev/%s", nd->daxctl_dev_get_devname(dev));
	namespace->size = nd->daxctl_dev_get_size(dev);
	/* It has a memory where the driver kmem is bound to it. */
	if (nd->daxctl_dev_get_memory(dev)) {
		namespace->mode = EXM_NAMESPACE_SYSTEM_RAM;
	}
}

static void look_at_dax(const ExmNdctl *nd, struct ndctl_dax *dax, ExmNamespace *namespace)
{
	const uint64_t size = nd->ndctl_dax_get_size(dax);
	const uint64_t align = nd->ndctl_dax_get_align(dax);
	uuid_t uuid;

	/* Of the device's own header, which one without labels has too. */
	nd->ndctl_dax_get_uuid(dax, uuid);
	g_free(namespace->uuid);
	namespace->uuid = uuid_text(uuid);
	namespace->map = g_strdup(map_of(nd->ndctl_dax_get_location(dax)));
	if (size != NO_SIZE) {
		namespace->size = size;
	}
	namespace->align = align && align != NO_SIZE ? align : DEFAULT_ALIGN;
	look_at_device(nd, dax, namespace);
}

static ExmNamespace *read_namespace(const ExmNdctl *nd, struct ndctl_namespace *ns)
{
	ExmNamespace *namespace = exm_namespace_new();
	struct ndctl_dax *dax = nd->ndctl_namespace_get_dax(ns);
	const char *name = nd->ndctl_namespace_get_alt_name(ns);
	const int node = nd->ndctl_namespace_get_numa_node(ns);
	uuid_t uuid;

	nd->ndctl_namespace_get_uuid(ns, uuid);
	namespace->uuid = uuid_text(uuid);
	namespace->device = g_strdup(nd->ndctl_namespace_get_devname(ns));
	namespace->name = name && *name ? g_strdup(name) : NULL;
	namespace->mode = mode_of((int)nd->ndctl_namespace_get_mode(ns));
	namespace->disabled = !nd->ndctl_namespace_is_active(ns);
	namespace->size = nd->ndctl_namespace_get_size(ns);
	namespace->on_node = node >= 0;
	namespace->node = node >= 0 ? (uint64_t)node : 0;
	if (dax)
		look_at_dax(nd, dax, namespace);
	else
		look_at_block(nd, ns, namespace);
	return namespace;
}

static void read_region(const ExmNdctl *nd, struct ndctl_region *region, GPtrArray *namespaces)
{
	const char *persistence = persistence_of(nd->ndctl_region_get_persistence_domain(region));
	const char *health = health_of(nd, region);

	for (struct ndctl_namespace *ns = nd->ndctl_namespace_get_first(region); ns;
	     ns = nd->ndctl_namespace_get_next(ns)) {
		ExmNamespace *namespace;

		/* The kernel keeps an empty one from which the next is made. */
		if (nd->ndctl_namespace_get_size(ns) == 0)
			continue;
		namespace = read_namespace(nd, ns);
		namespace->persistence = g_strdup(persistence);
		namespace->health = g_strdup(health);
		g_ptr_array_add(namespaces, namespace);
	}
}

static void read_all(const ExmNdctl *nd, struct ndctl_ctx *ctx, GPtrArray *namespaces)
{
	for (struct ndctl_bus *bus = nd->ndctl_bus_get_first(ctx); bus;
	     bus = nd->ndctl_bus_get_next(bus))
		for (struct ndctl_region *region = nd->ndctl_region_get_first(bus); region;
		     region = nd->ndctl_region_get_next(region))
			read_region(nd, region, namespaces);
}

/* Without rights: they are not needed to learn who holds a lock. */
static void look_at_lock(ExmNamespace *namespace)
{
	exm_autofd int fd = open(namespace->path, O_PATH | O_CLOEXEC);

	const char *path = namespace->path;
	if (fd >= 0) {
		namespace->locked_by = (uint64_t)exm_lock_holder(fd);
	}
	if (fd < 0 || faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0) {
		namespace->no_access = g_strdup_printf("'%s' cannot be opened: %s", path,
		                                       g_strerror(errno));
	}
}

/* A device by its number: what has its path may be another one in a mount namespace of its own. */
static bool is_same_device(const struct stat *one, const struct stat *other)
{
	if (S_ISCHR(one->st_mode) && S_ISCHR(other->st_mode))
		return one->st_rdev == other->st_rdev;
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static bool is_open_as(const char *link, const char *path)
{
	struct stat opened;
	struct stat device;

	return stat(link, &opened) == 0 && stat(path, &device) == 0 &&
	       is_same_device(&opened, &device);
}

static void note_user(const GPtrArray *namespaces, const char *link, const char *target,
                      const char *pid)
{
	ExmNamespace *namespace = exm_namespaces_find_path(namespaces, target);

	if (namespace && !namespace->used_by && !namespace->locked_by &&
	    is_open_as(link, namespace->path)) {
		namespace->used_by = g_strdup_printf("pid %s has it open", pid);
	}
}

static bool look_at_process(const GPtrArray *namespaces, const char *pid, GError **error)
{
	g_autofree char *directory = g_strdup_printf("/proc/%s/fd", pid);
	g_auto(GStrv) names = exm_directory_names(directory, error);

	for (char **name = names; name && *name; name++) {
		g_autofree char *link = g_build_filename(directory, *name, NULL);
		char target[64] = "";

		/* A device's path is short; what is cut off is none. */
		if (readlink(link, target, sizeof(target) - 1) > 0 &&
		    g_str_has_prefix(target, "/dev/dax"))
			note_user(namespaces, link, target, pid);
	}
	return names;
}

/* Programs that know nothing of our locks; as far as this user may see them. */
static bool look_at_processes(const GPtrArray *namespaces, GError **error)
{
	g_autofree char *self = g_strdup_printf("%d", (int)getpid());
	g_auto(GStrv) names = exm_directory_names("/proc", error);

	for (char **name = names; name && *name; name++)
		if (g_ascii_isdigit(**name) && strcmp(*name, self) != 0 &&
		    !look_at_process(namespaces, *name, error))
			return false;
	return names;
}

static bool look_at_users(const GPtrArray *namespaces, GError **error)
{
	bool devices = false;

	for (guint i = 0; i < namespaces->len; i++) {
		ExmNamespace *namespace = namespaces->pdata[i];

		if (!namespace->path)
			continue;
		devices = true;
		look_at_lock(namespace);
	}
	return !devices || look_at_processes(namespaces, error);
}

/**
 * exm_namespaces_read() - Read what namespaces there are, in every mode and state
 * @namespaces: of ExmNamespace; grows, and is in the order of names afterwards
 * @error:      UNSUPPORTED where libndctl is not installed; SYSTEM
 *
 * A host without persistent memory has none, which is no error.
 */
bool exm_namespaces_read(GPtrArray *namespaces, GError **error)
{
	const ExmNdctl *nd = exm_ndctl_load(error);
	struct ndctl_ctx *ctx;
	int result;

	if (!nd)
		return false;
	result = nd->ndctl_new(&ctx);
	if (result < 0)
		return exm_throw_errno(error, -result, "start libndctl");
	nd->ndctl_set_log_fn(ctx, say_nothing);
	nd->daxctl_set_log_fn(nd->ndctl_get_daxctl_ctx(ctx), say_nothing_dax);
	read_all(nd, ctx, namespaces);
	nd->ndctl_unref(ctx);
	exm_namespaces_sort(namespaces);
	return look_at_users(namespaces, error);
}
