/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_clone.c - lib/plan/clone.c and run_child.c */

#include "plan/clone.h"

#include <string.h>

#include "facts.h"
#include "plan/vm.h"
#include "suite.h"

/* Requests own what they hold, so it may not be const. */
static char state_directory[] = "/run/exomem";
static char short_name[] = "x";
static char bad_name[] = "a/b";
static char longest_name[] = "a123456789012345678901234567890123456789012345678901234567890123";

/**
 * struct Setting - What is otherwise than on a host where nothing but a good template is
 * @manifest: changes to the template's manifest, or NULL
 * @host:     to those of facts_host(), or NULL
 * @place:    to those of facts_place(), or NULL
 * @qemu:     version, or NULL for "7.2"
 * @guests:   "NAME INDEX DIRECTORY-OF-TEMPLATE" of each that lives, with commas between, or NULL
 */
typedef struct {
	const char *manifest;
	const char *host;
	const char *place;
	const char *qemu;
	const char *guests;
} Setting;

/* A template, its host, and what a clone is to know of both. */
typedef struct {
	ExmTemplate *template;
	GPtrArray *guests;
	ExmRunFacts *run;
} World;

static void add_files(const ExmTemplate *template, GPtrArray *files)
{
	for (guint i = 0; i < template->memory->len; i++) {
		const ExmTemplateMemory *memory = template->memory->pdata[i];
		g_autofree char *path = exm_template_path(template, memory->path);
		ExmFileFacts *file = facts_file(path, "{'template': 'web'}");

		file->size = memory->size;
		g_ptr_array_add(files, file);
	}
}

/* The place is that of the memory. */
static void move_place(World *world)
{
	const ExmTemplateMemory *first = world->template->memory->pdata[0];
	g_autofree char *path = exm_template_path(world->template, first->path);

	g_free(world->run->place->path);
	world->run->place->path = g_path_get_dirname(path);
}

static World *world_new(const Setting *setting)
{
	World *world = g_new0(World, 1);

	world->template = facts_template(setting->manifest ? setting->manifest : AS_IT_IS);
	world->guests = facts_guests(setting->guests);
	world->run = exm_run_facts_new();
	world->run->caps = facts_caps(setting->qemu ? setting->qemu : "7.2");
	world->run->host = facts_host(setting->host);
	world->run->place = facts_place(setting->place);
	world->run->disk_place = facts_place(setting->place);
	world->run->uuid = g_strdup("UUID");
	world->run->generation_id = g_strdup("GUID");
	world->run->random = g_strdup("1a2b");
	add_files(world->template, world->run->files);
	move_place(world);
	return world;
}

static void world_free(World *world)
{
	exm_template_free(world->template);
	g_ptr_array_unref(world->guests);
	exm_run_facts_free(world->run);
	g_free(world);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static GPtrArray *clone_in(const World *world, const ExmCloneRequest *request, GError **error)
{
	const ExmCloneFacts facts = {
		.template = world->template,
		.caps = world->run->caps,
		.host = world->run->host,
		.place = world->run->place,
		.guests = world->guests,
	};

	return exm_clone_children(request, &facts, error);
}

/* Which children are made: "NAME:INDEX" of each. */
static const struct {
	uint32_t count;
	char *name;
	const char *guests;
	const char *children;
} names[] = {
	{ 1, NULL, NULL, "web-1:1" },
	{ 3, NULL, NULL, "web-1:1 web-2:2 web-3:3" },
	{ 1, short_name, NULL, "x:1" },
	{ 2, short_name, NULL, "x-1:1 x-2:2" },
	/* Each gets the smallest index that no child of this template has. */
	{ 3, NULL, "web-1 1 " TEMPLATE ",other 3 " TEMPLATE, "web-2:2 web-4:4 web-5:5" },
	{ 1, short_name, "web-1 1 " TEMPLATE, "x:2" },
	{ 1, NULL, "other 1 /templates/other", "web-1:1" },
	{ 1, NULL, "other 1 ", "web-1:1" },
	/* A name that begins like another is not taken. */
	{ 1, short_name, "x-1 0 ,y 0 ", "x:1" },
};

START_TEST(names_and_indices)
{
	const Setting setting = { .guests = names[_i].guests };
	const ExmCloneRequest request = {
		.count = names[_i].count,
		.name = names[_i].name,
		.state_directory = state_directory,
	};
	g_autoptr(World) world = world_new(&setting);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &request, &error);
	g_autoptr(GString) text = g_string_new(NULL);

	assert_no_error(error);
	for (guint i = 0; i < children->len; i++) {
		const ExmRunRequest *child = children->pdata[i];

		g_string_append_printf(text, "%s%s:%u", i ? " " : "", child->name, child->index);
		ck_assert_ptr_eq(child->template, world->template);
		ck_assert_str_eq(child->state_directory, state_directory);
		ck_assert(child->identity && !child->detach && !child->paused);
		ck_assert_uint_eq(child->guest->ram_size, 536870912);
	}
	ck_assert_str_eq(text->str, names[_i].children);
}
END_TEST

#define A_SIBLING  "other 7 " TEMPLATE
#define A_STRANGER "other 7 /templates/other"

#define COMMAND(words) "{'command': ['-m', '512', " words "], 'disks': []}"
#define VNC            COMMAND("'-vnc', ':1'")
#define TAP            COMMAND("'-netdev', 'tap,id=n0'")
#define SHARED_MEMORY  COMMAND("'-device', 'ivshmem-plain,memdev=m'")
#define DESCRIPTOR     COMMAND("'-netdev', 'tap,id=n0,fd=5'")
#define NO_STATE       COMMAND("'-device', 'virtio-pmem-pci,memdev=m'")
#define TERMINAL       COMMAND("'-serial', 'stdio'")
#define BALLOON        COMMAND("'-device', 'virtio-balloon-pci'")

/* What children can have together, with how many and with whom beside them. */
static const struct {
	Setting setting;
	ExmCloneRequest request;
	const char *refusal;
} clashes[] = {
	{ { VNC }, { .count = 1 }, NULL },
	{ { VNC, .guests = A_STRANGER }, { .count = 1 }, NULL },
	{ { VNC }, { .count = 2 }, "'-vnc :1': VNC display 1 can be had once: write ':@{index+1}'" },
	{ { VNC, .guests = A_SIBLING },
	  { .count = 1 },
	  "'-vnc :1': VNC display 1 can be had once: write ':@{index+1}'" },
	{ { VNC },
	  { .count = 2, .identical = true, .same_mac = true },
	  "'-vnc :1': VNC display 1 can be had once: write ':@{index+1}'" },
	{ { TAP }, { .count = 1 }, NULL },
	{ { TAP },
	  { .count = 2 },
	  "'-netdev tap,id=n0': a child has its parent's Ethernet address: use 'user', or clone "
	  "with '--same-mac'" },
	{ { TAP, .guests = A_SIBLING },
	  { .count = 1 },
	  "'-netdev tap,id=n0': a child has its parent's Ethernet address: use 'user', or clone "
	  "with '--same-mac'" },
	{ { TAP }, { .count = 2, .same_mac = true }, NULL },
	{ { SHARED_MEMORY },
	  { .count = 1 },
	  "'-device ivshmem-plain,memdev=m': memory that guests share cannot be cloned: leave it out" },
	{ { DESCRIPTOR },
	  { .count = 1 },
	  "'-netdev tap,id=n0,fd=5': a child does not inherit 'fd=5': write the path or address "
	  "that it stands for" },
	{ { NO_STATE },
	  { .count = 1 },
	  "'-device virtio-pmem-pci,memdev=m': what it holds is not in the stream: use 'nvdimm' on "
	  "a backend with 'share=off'" },
	{ { TERMINAL }, { .count = 2, .detach = true }, NULL },
	{ { BALLOON }, { .count = 2 }, NULL },
	/* How children tell that they are several. */
	{ { "{'vmgenid': false}" }, { .count = 1 }, NULL },
	{ { "{'vmgenid': false}" },
	  { .count = 2 },
	  "template 'web' has no vmgenid, so its children would not know that they are several: say "
	  "'--identical' if that is meant" },
	{ { "{'identity': false}" },
	  { .count = 2 },
	  "template 'web' has no identity, so its children would not know that they are several: "
	  "say '--identical' if that is meant" },
	{ { "{'vmgenid': false, 'identity': false}" }, { .count = 2, .identical = true }, NULL },
	{ { .guests = "web-2 0 " }, { .count = 2 }, "name 'web-2' is taken (pid 42)" },
	{ { .guests = "x 0 " }, { .count = 1, .name = short_name }, "name 'x' is taken (pid 42)" },
};

START_TEST(side_by_side)
{
	g_autoptr(World) world = world_new(&clashes[_i].setting);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &clashes[_i].request, &error);

	if (clashes[_i].refusal) {
		ck_assert_ptr_null(children);
		assert_error(error, EXM_ERROR_STATE, clashes[_i].refusal);
		ck_assert_str_eq(error->message, clashes[_i].refusal);
	} else {
		assert_no_error(error);
		ck_assert_uint_eq(children->len, clashes[_i].request.count);
	}
}
END_TEST

#define HUGE_PLACE(free) "{'file-system': 'hugetlbfs', 'page-size': 2097152, 'free': " free "}"

static const struct {
	Setting setting;
	ExmCloneRequest request;
	ExmErrorCode code;
	const char *message;
} refusals[] = {
	{ { .place = HUGE_PLACE("536870912") },
	  { .count = 2 },
	  EXM_ERROR_NO_ROOM,
	  "'/templates/web' is on hugetlbfs, where the children reserve 1 GiB of huge pages at "
	  "once; 512 MiB are free" },
	/* Each has a QEMU of its own, with its threads, and what keeps its log. */
	{ { .host = "{'ram-available': 33554432, 'swap-total': 8388608}" },
	  { .count = 3 },
	  EXM_ERROR_NO_ROOM,
	  "3 children need at least 48 MiB beside what they share, 16 MiB each; 40 MiB of "
	  "memory and swap are free" },
	/* A child of 16 MiB has nothing for the pages that it copies. */
	{ { 0 },
	  { .count = 1, .cow_budget = 16777216 },
	  EXM_ERROR_NO_ROOM,
	  "'--cow-budget' of 16 MiB is too small: QEMU alone needs 16 MiB, and the pages that a child "
	  "copies come on top" },
	{ { "{'qemu-memory': 41943040}" },
	  { .count = 1, .cow_budget = 41943040 },
	  EXM_ERROR_NO_ROOM,
	  "'--cow-budget' of 40 MiB is too small: QEMU alone needs 40 MiB, and " },
	{ { .host = "{'tasks-free': 11}" },
	  { .count = 3 },
	  EXM_ERROR_NO_ROOM,
	  "3 children need at least 15 processes and threads, 5 each; 11 more can be started" },
	{ { 0 }, { .count = 1, .name = bad_name }, EXM_ERROR_USAGE, "'a/b' is not allowed as a name: " },
	{ { 0 },
	  { .count = 2, .name = longest_name },
	  EXM_ERROR_USAGE,
	  "'a123456789012345678901234567890123456789012345678901234567890123-1' is not allowed as a name: " },
	{ { COMMAND("'-nonsense'") },
	  { .count = 1 },
	  EXM_ERROR_USAGE,
	  "'-nonsense' is not an option of QEMU" },
	{ { COMMAND("'-m', 'x'") }, { .count = 1 }, EXM_ERROR_USAGE, "-m: 'x' is not a size" },
	{ { COMMAND("'-mem-path', '/mem,mode=x'") },
	  { .count = 1 },
	  EXM_ERROR_USAGE,
	  "mode: 'x' is not a mode" },
};

START_TEST(refused_for_other_reasons)
{
	g_autoptr(World) world = world_new(&refusals[_i].setting);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(clone_in(world, &refusals[_i].request, &error));
	assert_error(error, refusals[_i].code, refusals[_i].message);
}
END_TEST

START_TEST(huge_pages_that_just_suffice)
{
	const Setting setting = { .place = HUGE_PLACE("1073741824") };
	const ExmCloneRequest request = { .count = 2 };
	g_autoptr(World) world = world_new(&setting);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &request, &error);

	assert_no_error(error);
	ck_assert_uint_eq(children->len, 2);
}
END_TEST

/* Just enough of both; swap counts, and a number that is not known is no reason to refuse. */
static const char *const rooms[] = {
	"{'ram-available': 33554432, 'swap-total': 16777216, 'tasks-free': 15}",
	"{'ram-available': 50331648, 'swap-total': 0, 'tasks-free': 0}",
};

START_TEST(room_that_just_suffices)
{
	const Setting setting = { .host = rooms[_i] };
	const ExmCloneRequest request = { .count = 3 };
	g_autoptr(World) world = world_new(&setting);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &request, &error);

	assert_no_error(error);
	ck_assert_uint_eq(children->len, 3);
}
END_TEST

#define SAID(memory) "{'command': ['-m', '512', '-mem-path', '" memory "'], 'disks': []}"

/* What the parent said of its memory, and what the child has. */
static const struct {
	Setting setting;
	bool reflink;
	const char *option;
} options[] = {
	{ { SAID("/mem") }, false, TEMPLATE ",mode=open,mmap=private,nofallback,anyfs,reserve=off" },
	{ { COMMAND("'-S'") }, false, TEMPLATE ",mode=open,mmap=private,nofallback,anyfs,reserve=off" },
	/* What is moot is left out, what is about the backend stays. */
	{ { SAID("/mem,mode=create,discard=on,prealloc=on,prealloc-threads=4,merge=off,dump=off") },
	  false,
	  TEMPLATE ",mode=open,mmap=private,nofallback,anyfs,merge=off,dump=off,reserve=off" },
	{ { SAID("/dev/dax0.0,offset=2M,pmem=on,reserve=on,host-nodes=0,policy=bind,align=2M") },
	  false,
	  TEMPLATE ",mode=open,mmap=private,nofallback,anyfs,align=2M,host-nodes=0,"
	           "policy=bind,reserve=off" },
	/* Where files of the guest kept their names. */
	{ { "{'command': ['-mem-path', '/mem/@{name},mode=create'], 'disks': [], 'memory':"
	    " [{'id': 'pc.ram', 'offset': 0, 'size': 536870912, 'path': '/mem/web/ram', 'inode': 7,"
	    " 'mtime': 8, 'allocated': 0}]}" },
	  false,
	  "/mem/web,mode=open,mmap=private,nofallback,anyfs,reserve=off" },
	{ { "{'command': ['-m', '512'], 'disks': [], 'memory': [{'id': 'pc.ram', 'offset': 0,"
	    " 'size': 536870912, 'path': '/mem,x/ram', 'inode': 7, 'mtime': 8, 'allocated': 0}]}" },
	  false,
	  "/mem,,x,mode=open,mmap=private,nofallback,anyfs,reserve=off" },
	/* A reservation is made by QEMU 6.1 and later, where the kernel guesses, on small pages. */
	{ { SAID("/mem"), .qemu = "old" }, false, TEMPLATE ",mode=open,mmap=private,nofallback,anyfs" },
	{ { SAID("/mem"), .host = "{'overcommit-memory': 1}" },
	  false,
	  TEMPLATE ",mode=open,mmap=private,nofallback,anyfs" },
	{ { SAID("/mem"), .host = "{'overcommit-memory': 2}" },
	  false,
	  TEMPLATE ",mode=open,mmap=private,nofallback,anyfs" },
	{ { SAID("/mem"), .place = HUGE_PLACE("536870912") },
	  false,
	  TEMPLATE ",mode=open,mmap=private,nofallback,anyfs" },
	{ { SAID("/mem,discard=on,prealloc=on") },
	  true,
	  TEMPLATE ",mode=temp,mmap=shared,nofallback,anyfs,prealloc=off" },
};

START_TEST(memory_of_a_child)
{
	const ExmCloneRequest request = { .count = 1, .reflink = options[_i].reflink };
	g_autoptr(World) world = world_new(&options[_i].setting);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &request, &error);

	assert_no_error(error);
	assert_text_and_free(
		exm_memory_option_print(((const ExmRunRequest *)children->pdata[0])->memory),
		options[_i].option);
}
END_TEST

#define PMEM_UUID "24ffd5e4-2b39-4f28-88b3-d6dc1ec44863"
#define DEVICE_MANIFEST                                                                           \
	"{'command': ['-m', '512', '-hda', 'a.img', '-mem-path', '/dev/dax0.0,mode=open,"         \
	"mmap=shared,merge=off'], 'disks': [], 'memory': [{'id': 'pc.ram', 'offset': 0, 'size':"  \
	" 536870912, 'path': '/dev/dax7.0', 'inode': 0, 'mtime': 0, 'allocated': 0, 'namespace':" \
	" '" PMEM_UUID "', 'claims': '/claims'}]}"

/* A template whose memory is a device, which is called otherwise by now. */
static World *device_world_new(const char *owner)
{
	static const char device[] = "{'kind': 'dax', 'path': '/dev/dax7.0', 'file-system': 'devdax',"
				     " 'page-size': 2097152, 'free': 1073741824}";
	const Setting setting = { .manifest = DEVICE_MANIFEST, .place = device };
	g_autofree char *text = g_strdup_printf(
		"{'namespaces': [{'dev': 'namespace7.0', 'name': 'ns0', 'uuid': '%s', 'mode':"
		" 'devdax', 'size': 1073741824, 'align': 2097152, 'path': '/dev/dax7.0'}], 'claims':"
		" [{'schema': 1, 'uuid': '%s', 'namespace': 'ns0', 'size': 1073741824, 'guest':"
		" 'web-0', 'template': '%s'}]}",
		PMEM_UUID, PMEM_UUID, owner);
	g_autoptr(ExmJson) json = facts_json(text);
	g_autoptr(GError) error = NULL;
	World *world = world_new(&setting);

	world->run->pmem = exm_pmem_from_json(json, &error);
	assert_no_error(error);
	g_ptr_array_set_size(world->run->files, 0);
	g_free(world->run->place->path);
	world->run->place->path = g_strdup("/dev/dax7.0");
	return world;
}

START_TEST(a_device_goes_on_as_it_was)
{
	const ExmCloneRequest request = { .count = 1, .state_directory = state_directory };
	g_autoptr(World) world = device_world_new(TEMPLATE);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &request, &error);
	g_autoptr(ExmPlan) plan = NULL;
	g_autofree char *words = NULL;
	const ExmRunRequest *child;
	const ExmPlanClaim *claim;

	assert_no_error(error);
	child = children->pdata[0];
	ck_assert_str_eq(child->name, "web-0");
	ck_assert_uint_eq(child->index, 0);
	ck_assert_str_eq(child->claims_directory, "/claims");
	plan = exm_run_plan(child, world->run, &error);
	assert_no_error(error);
	words = facts_words(plan);
	ck_assert_ptr_nonnull(strstr(words, "-hda a.img"));
	ck_assert_ptr_nonnull(strstr(words, "mem-path=/dev/dax7.0"));
	ck_assert_ptr_nonnull(strstr(words, "share=on"));
	ck_assert_ptr_nonnull(strstr(words, "merge=off"));
	/* The template goes before it runs. */
	ck_assert_ptr_nonnull(strstr(words, "-incoming defer -S"));
	ck_assert(!plan->paused);
	claim = exm_plan_find_claim(plan, "/dev/dax7.0");
	ck_assert_str_eq(claim->claim->guest, "web-0");
	ck_assert_str_eq(claim->claim->template, TEMPLATE);
}
END_TEST

/* What would be two guests in one memory. */
static const ExmCloneRequest too_many[] = {
	{ .count = 2 },
	{ .count = 1, .reflink = true },
	{ .count = 1, .offered = true },
};

START_TEST(a_device_is_not_shared)
{
	g_autoptr(World) world = device_world_new(TEMPLATE);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(clone_in(world, &too_many[_i], &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED,
	             "the memory of template 'web' is a DAX device, of which there is one: one child can "
	             "go on in it, and the template is gone then");
}
END_TEST

START_TEST(a_device_of_another_template)
{
	const ExmCloneRequest request = { .count = 1, .state_directory = state_directory };
	g_autoptr(World) world = device_world_new("/templates/other");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &request, &error);

	assert_no_error(error);
	ck_assert_ptr_null(exm_run_plan(children->pdata[0], world->run, &error));
	assert_error(error, EXM_ERROR_STATE,
	             "memory: namespace 'ns0' is the memory of template '/templates/other': ");
}
END_TEST

static ExmPlan *plan_child(const World *world, const ExmCloneRequest *request)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, request, &error);
	ExmPlan *plan;

	assert_no_error(error);
	plan = exm_run_plan(children->pdata[0], world->run, &error);
	assert_no_error(error);
	return plan;
}

#define QEMU "/usr/bin/qemu-system-x86_64"

#define NAME    " -name guest=web-1"
#define BACKEND " -machine memory-backend=pc.ram"
#define IDENTITY                                                                   \
	" -device vmgenid,guid=GUID -fw_cfg name=opt/exomem/identity,string=name=" \
	"web-1 index=1 uuid=UUID parent=web-0 template=web"
#define CHILD    " -machine pc-q35-7.2 -incoming defer"
#define MONITORS " -readconfig /run/exomem/web-1/control.conf"

#define OBJECT " -object memory-backend-file,id=pc.ram,size=536870912,mem-path="

START_TEST(plan_of_a_child)
{
	const Setting setting = { 0 };
	const ExmCloneRequest request = { .count = 1, .state_directory = state_directory };
	g_autoptr(World) world = world_new(&setting);
	g_autoptr(ExmPlan) plan = plan_child(world, &request);
	g_autoptr(ExmJson) json = exm_plan_to_json(plan);
	g_autoptr(ExmJson) disks = facts_json("[{'word': 3, 'fd': 66, 'directory': '" TEMPLATE
	                                      "', 'backing': '/srv/a.img'}]");

	assert_text_and_free(exm_steps_to_text(plan->steps),
	                     "# steps\n"
	                     "claim-name      /run/exomem/web-1\n"
	                     "open-file       /templates/web/devices, read-only, 4096 bytes (4 KiB)\n"
	                     "lock-file       /templates/web/devices, shared with other readers\n"
	                     "create-unnamed  /templates/web\n"
	                     "copy-overlay    /templates/web/disk0.qcow2\n"
	                     "open-file       /templates/web/ram, read-only, 536870912 bytes (512 MiB)\n"
	                     "lock-file       /templates/web/ram, shared with other readers\n"
	                     "listen          /run/exomem/web-1/control.sock\n"
	                     "listen          /run/exomem/web-1/events.sock\n"
	                     "configure       /run/exomem/web-1/control.conf\n"
	                     "record-guest    /run/exomem/web-1\n"
	                     "guard-memory    /templates/web\n"
	                     "chdir           /srv\n"
	                     "load-devices    /templates/web/devices\n"
	                     "exec            " QEMU "\n");
	assert_text_and_free(
		facts_words(plan), QEMU
		" -M q35 -m 512"
		" -drive file=/proc/self/fd/66,index=0,media=disk,format=qcow2" NAME OBJECT TEMPLATE
		"/ram,share=off,reserve=off" BACKEND IDENTITY CHILD MONITORS);
	ck_assert_str_eq(exm_json_get_string(json, "template"), TEMPLATE);
	ck_assert_uint_eq(exm_json_get_uint(json, "index"), 1);
	ck_assert_msg(json_object_equal(exm_json_member(json, "disks"), disks), "%s",
	              json_object_to_json_string(json));
	ck_assert_uint_eq(plan->warnings->len, 0);
}
END_TEST

#define DISK(number, word)                                                            \
	"{'word': " word ", 'path': 'disk" number "-base.qcow2', 'format': 'qcow2', " \
	"'size': 1, 'overlay': 'disk" number ".qcow2', 'length': 1, 'inode': 1, "     \
	"'mtime': 1}"
#define NODE(number, offset)                                                             \
	"{'id': 'ram-node" number "', 'offset': " offset ", 'size': 268435456, 'path': " \
	"'ram" number "', 'inode': 1, 'mtime': 1, 'allocated': 0}"

/* The parent's words, and the child's in their place. */
static const struct {
	const char *manifest;
	const char *words;
} commands[] = {
	{ COMMAND("'-S', '--incoming', 'tcp:0:1', '-daemonize', '-mem-path', '/mem', '-M', 'q35',"
	          " '-mem-prealloc', '-loadvm', 'x', '-no-reboot'"),
	  " -m 512 -M q35 -no-reboot" },
	{ COMMAND("'-serial', 'file:@{dir}/log', '-vnc', ':@{index+4}', '-append', '@@{name}'"),
	  " -m 512 -serial file:/run/exomem/web-1/log -vnc :5 -append @{name}" },
	/* Disks that have an overlay, and one that the guest could not write to. */
	{ "{'command': ['-m', '512', '-cdrom', 'c.iso', '-drive', 'file=a,if=virtio,id=@{name}',"
	  " '-hdb', 'b'], 'disks': [" DISK("0", "2") ", " DISK("1", "3") "]}",
	  " -m 512 -cdrom c.iso -drive file=/proc/self/fd/66,if=virtio,id=web-1,format=qcow2"
	  " -drive file=/proc/self/fd/67,index=1,media=disk,format=qcow2" },
	{ "{'command': ['-m', '512', '-hda', 'a', '-hdb', 'b'], 'disks': [" DISK("0", "2") "]}",
	  " -m 512 -hda a -drive file=/proc/self/fd/66,index=1,media=disk,format=qcow2" },
	{ "{'command': ['-m', '512', '-blockdev', 'file,node-name=f,filename=a', '-blockdev',"
	  " 'raw,node-name=d,file=f'], 'disks': [" DISK("0", "2") "]}",
	  " -m 512 -blockdev driver=qcow2,node-name=d,file.driver=file,"
	  "file.filename=/proc/self/fd/66,file.node-name=f" },
	{ "{'command': ['-m', '512', '-blockdev', 'file,node-name=f,filename=a', '-blockdev',"
	  " 'raw,node-name=d,file=f'], 'disks': []}",
	  " -m 512 -blockdev file,node-name=f,filename=a -blockdev raw,node-name=d,file=f" },
	{ "{'command': ['-m', '512', '-numa', 'node,mem=256M,cpus=0', '-numa', 'node,mem=256M'],"
	  " 'disks': [], 'memory': [" NODE("0", "0") ", " NODE("1", "268435456") "]}",
	  " -m 512 -numa node,cpus=0,memdev=ram-node0 -numa node,memdev=ram-node1" },
};

START_TEST(words_of_a_child)
{
	const Setting setting = { .manifest = commands[_i].manifest };
	const ExmCloneRequest request = { .count = 1, .state_directory = state_directory };
	g_autoptr(World) world = world_new(&setting);
	g_autoptr(ExmPlan) plan = plan_child(world, &request);
	g_autofree char *words = facts_words(plan);
	char *name = strstr(words, NAME);

	ck_assert_ptr_nonnull(name);
	*name = '\0';
	ck_assert(g_str_has_prefix(words, QEMU));
	ck_assert_str_eq(words + strlen(QEMU), commands[_i].words);
	/* What is left out is not warned of either. */
	ck_assert_uint_eq(plan->warnings->len, 0);
}
END_TEST

#define BEGIN         "claim-name open-file lock-file "
#define END           " chdir load-devices exec"
#define MONITOR_STEPS "listen listen configure record-guest"

/* QEMU's backend and the steps, by what QEMU, file system and user want. */
static const struct {
	Setting setting;
	ExmCloneRequest request;
	const char *steps;
	const char *object;
	const char *tail;
} variants[] = {
	{ { COMMAND("'-S'") },
	  { .count = 1 },
	  BEGIN "open-file lock-file " MONITOR_STEPS " guard-memory" END,
	  OBJECT TEMPLATE "/ram,share=off,reserve=off" BACKEND,
	  CHILD MONITORS },
	{ { COMMAND("'-S'") },
	  { .count = 1, .paused = true },
	  BEGIN "open-file lock-file " MONITOR_STEPS " guard-memory" END,
	  OBJECT TEMPLATE "/ram,share=off,reserve=off" BACKEND,
	  CHILD " -S" MONITORS },
	/* QEMU 8.2 and later cannot change what they open read-only. */
	{ { "{'command': ['-m', '512'], 'disks': [], 'machine': 'pc-i440fx-7.2'}", .qemu = "10.0" },
	  { .count = 1 },
	  BEGIN "open-file lock-file " MONITOR_STEPS END,
	  OBJECT TEMPLATE "/ram,share=off,reserve=off,readonly=on,rom=off" BACKEND,
	  " -machine pc-i440fx-7.2 -incoming defer" MONITORS },
	{ { COMMAND("'-S'") },
	  { .count = 1, .reflink = true },
	  BEGIN "create-unnamed lock-file clone-file " MONITOR_STEPS END,
	  OBJECT "/proc/self/fd/66,share=on,discard-data=on" BACKEND,
	  CHILD MONITORS },
	{ { COMMAND("'-S'"), .place = "{'unnamed-files': false}" },
	  { .count = 1, .reflink = true },
	  BEGIN "create-file remove-name lock-file clone-file " MONITOR_STEPS END,
	  OBJECT "/proc/self/fd/66,share=on,discard-data=on" BACKEND,
	  CHILD MONITORS },
	{ { .place = "{'unnamed-files': false}" },
	  { .count = 1 },
	  BEGIN "create-file remove-name copy-overlay open-file lock-file " MONITOR_STEPS
	        " guard-memory" END,
	  OBJECT TEMPLATE "/ram,share=off,reserve=off" BACKEND,
	  CHILD MONITORS },
	{ { COMMAND("'-nographic'") },
	  { .count = 1, .detach = true },
	  BEGIN "open-file lock-file listen listen configure listen record-guest keep-log "
	        "leave-terminal guard-memory" END,
	  OBJECT TEMPLATE "/ram,share=off,reserve=off" BACKEND,
	  CHILD MONITORS " -chardev socket,id=exomem-console,fd=70,server=on,wait=off,mux=on,"
	                 "logfile=/proc/self/fd/1,logappend=on -mon chardev=exomem-console,"
	                 "mode=readline -serial chardev:exomem-console" },
};

START_TEST(variants_of_a_child)
{
	ExmCloneRequest request = variants[_i].request;
	g_autoptr(World) world = world_new(&variants[_i].setting);
	g_autoptr(ExmPlan) plan = NULL;
	g_autofree char *words = NULL;
	const char *object, *tail;

	request.state_directory = state_directory;
	plan = plan_child(world, &request);
	words = facts_words(plan);
	assert_text_and_free(facts_step_names(plan->steps), variants[_i].steps);
	ck_assert(plan->paused == request.paused && plan->detach == request.detach);
	object = strstr(words, " -object ");
	tail = strstr(words, "template=web");
	ck_assert(object && tail);
	ck_assert(g_str_has_prefix(object, variants[_i].object));
	ck_assert_str_eq(tail + strlen("template=web"), variants[_i].tail);
}
END_TEST

/* What no check of the template can see, because it takes the command line apart. */
static const struct {
	const char *manifest;
	ExmErrorCode code;
	const char *message;
} unplanned[] = {
	{ "{'ram-size': 268435456}", EXM_ERROR_STATE,
	  "template '" TEMPLATE "' has no memory 'pc.ram' of 268435456 bytes" },
	{ COMMAND("'-numa', 'node'"), EXM_ERROR_STATE,
	  "template '" TEMPLATE "' has no memory 'ram-node0' of 536870912 bytes" },
	{ COMMAND("'-serial', 'file:@{nmae}'"), EXM_ERROR_USAGE,
	  "-serial: '@{nmae}' is not a placeholder (did you mean '@{name}'?)" },
	{ "{'command': ['-m', '512', '-hda', 'a', '-drive', 'file=a,id=@{nmae}'], 'disks': [" DISK(
		  "0", "2") "]}",
	  EXM_ERROR_USAGE, "'@{nmae}' is not a placeholder" },
};

START_TEST(no_plan_for_a_child)
{
	const Setting setting = { .manifest = unplanned[_i].manifest };
	const ExmCloneRequest request = { .count = 1, .state_directory = state_directory };
	g_autoptr(World) world = world_new(&setting);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) children = clone_in(world, &request, &error);

	assert_no_error(error);
	ck_assert_ptr_null(exm_run_plan(children->pdata[0], world->run, &error));
	assert_error(error, unplanned[_i].code, unplanned[_i].message);
}
END_TEST

Suite *clone_suite(void)
{
	Suite *suite = suite_create("clone");
	TCase *tcase = tcase_create("clone");

	tcase_add_loop_test(tcase, names_and_indices, 0, G_N_ELEMENTS(names));
	tcase_add_loop_test(tcase, side_by_side, 0, G_N_ELEMENTS(clashes));
	tcase_add_loop_test(tcase, refused_for_other_reasons, 0, G_N_ELEMENTS(refusals));
	tcase_add_test(tcase, huge_pages_that_just_suffice);
	tcase_add_loop_test(tcase, room_that_just_suffices, 0, G_N_ELEMENTS(rooms));
	tcase_add_loop_test(tcase, memory_of_a_child, 0, G_N_ELEMENTS(options));
	tcase_add_test(tcase, a_device_goes_on_as_it_was);
	tcase_add_loop_test(tcase, a_device_is_not_shared, 0, G_N_ELEMENTS(too_many));
	tcase_add_test(tcase, a_device_of_another_template);
	tcase_add_test(tcase, plan_of_a_child);
	tcase_add_loop_test(tcase, words_of_a_child, 0, G_N_ELEMENTS(commands));
	tcase_add_loop_test(tcase, variants_of_a_child, 0, G_N_ELEMENTS(variants));
	tcase_add_loop_test(tcase, no_plan_for_a_child, 0, G_N_ELEMENTS(unplanned));
	suite_add_tcase(suite, tcase);
	return suite;
}
