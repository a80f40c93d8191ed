/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_save.c - lib/plan/save.c and save_facts.c */

#include "plan/save.h"

#include "facts.h"
#include "suite.h"

/* Requests own what they hold, so it may not be const. */
static char template_name[] = "tpl";
static char template_directory[] = "/templates/tpl";

/**
 * struct Setting - What is otherwise than with a guest that can be saved
 * @guest: changes to facts_guest(), or NULL
 * @facts: to what facts_save() knows, or NULL
 * @qemu:  version, or NULL for "7.2"
 * @child: it is a child of facts_template()
 */
typedef struct {
	const char *guest;
	const char *facts;
	const char *qemu;
	bool child;
} Setting;

static ExmSaveFacts *read_facts(const Setting *setting)
{
	ExmSaveFacts *facts = facts_save(setting->guest, setting->facts, setting->qemu,
	                                 setting->child);

	facts->qemu_memory = 17825792;
	return facts;
}

static ExmSavePlan *plan_save(const ExmSaveFacts *facts, GError **error)
{
	const ExmSaveRequest request = { .name = template_name, .directory = template_directory };

	return exm_save_plan(&request, facts, error);
}

static ExmSavePlan *plan_or_fail(const ExmSaveFacts *facts)
{
	g_autoptr(GError) error = NULL;
	ExmSavePlan *plan = plan_save(facts, &error);

	assert_no_error(error);
	return plan;
}

/* Files in short: how, QEMU's descriptor, where it is meanwhile, and what the manifest will say. */
static char *print_files(const GPtrArray *files)
{
	static const char *const how[] = { "keep", "link", "write" };
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < files->len; i++) {
		const ExmSaveFile *file = files->pdata[i];

		/* It is in the template's directory, or somewhere else. */
		ck_assert((file->inner == NULL) != (file->outer == NULL));
		g_string_append_printf(text, "%s%s %d %s %s%s%s", i ? "; " : "", how[file->how],
		                       file->fd, file->path, file->inner ? file->inner : file->outer,
		                       file->backend ? " discards " : "",
		                       file->backend ? file->backend : "");
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

#define TEMPORARY "/templates/.tpl.1a2b"

START_TEST(plan_of_a_save)
{
	const Setting setting = { 0 };
	g_autoptr(ExmSaveRequest) request = g_new0(ExmSaveRequest, 1);
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmSavePlan) plan = NULL;
	g_autoptr(ExmJson) json = NULL;

	request->name = g_strdup(template_name);
	request->directory = g_strdup(template_directory);
	request->checksum = true;
	plan = exm_save_plan(request, facts, &error);
	assert_no_error(error);
	ck_assert_ptr_eq(plan->vm, facts->vm);
	ck_assert_str_eq(plan->temporary, TEMPORARY);
	ck_assert(plan->running && !plan->whole && plan->checksum && !plan->protect);
	ck_assert_uint_eq(plan->warnings->len, 0);
	assert_text_and_free(exm_save_plan_to_text(plan),
	                     "# steps\n"
	                     "make-template   " TEMPORARY "\n"
	                     "make-overlay    " TEMPORARY "/disk0.qcow2\n"
	                     "keep-memory     web\n"
	                     "sync-memory     web\n"
	                     "save-devices    " TEMPORARY "/devices\n"
	                     "link-file       " TEMPORARY "/" RAM "\n"
	                     "flush-memory    web\n"
	                     "checksum-file   " TEMPORARY "/" RAM "\n"
	                     "mark-file       " TEMPORARY "/" RAM "\n"
	                     "write-manifest  " TEMPORARY "/manifest.json\n"
	                     "commit          /templates/tpl\n"
	                     "end-guest       web\n");
	json = exm_save_plan_to_json(plan);
	ck_assert_uint_eq(exm_json_get_uint(json, "schema"), 1);
	ck_assert_str_eq(exm_json_get_string(json, "name"), "web");
	ck_assert_str_eq(exm_json_get_string(json, "template"), template_directory);
	ck_assert(!exm_json_get_bool(json, "whole"));
	ck_assert_uint_eq(json_object_array_length(exm_json_member(json, "steps")), plan->steps->len);
	exm_save_plan_free(NULL);
	exm_save_facts_free(NULL);
	exm_save_request_free(NULL);
}
END_TEST

/* What the manifest will say, as far as it is known before. */
static const struct {
	Setting setting;
	const char *changes;
} manifests[] = {
	{ { 0 }, AS_IT_IS },
	{ { .guest = "{'command': ['-mem-path', '/mem', '-cpu', 'max', '-cpu', 'host,pmu=off',"
	             " '-hda', '@{name}.img'], 'argv': ['q']}",
	    .facts = "{'kvm': {'enabled': true}, 'disks': []}" },
	  "{'machine': 'pc-i440fx-7.2', 'cpu': 'host,pmu=off', 'accelerator': 'kvm', 'host-cpu':"
	  " ['sse2', 'avx2'], 'vmgenid': false, 'identity': false, 'disks': [], 'command':"
	  " ['-mem-path', '/mem', '-cpu', 'max', '-cpu', 'host,pmu=off', '-hda', '@{name}.img']}" },
	/* A device may be named in JSON too. */
	{ { .guest = "{'argv': ['q', '-device', '{\\'driver\\':\\'vmgenid\\',\\'guid\\':\\'G\\'}',"
	             " '-fw_cfg', 'name=opt/exomem/identity,string=name=web']}" },
	  AS_IT_IS },
	/* A child of a template descends from that and from what it descended from. */
	{ { .guest = "{'template': '/templates/web'}", .child = true },
	  "{'lineage': ['base', 'tools', 'web'], 'machine': 'pc-q35-7.2'}" },
	{ { .guest = "{'template': '/templates/web', 'command': ['-M', 'pc', '-hda', 'a.img']}",
	    .child = true },
	  "{'lineage': ['base', 'tools', 'web'], 'command': ['-M', 'pc', '-hda', 'a.img'],"
	  " 'disks': [{'word': 1, 'format': 'raw', 'size': 1048576, 'overlay': 'disk0.qcow2',"
	  " 'length': 0, 'inode': 0, 'mtime': 0,"
	  " 'own': false}]}" },
};

#define MANIFEST_JSON                                                                                  \
	"{'schema': 1, 'name': 'tpl', 'created': 1700000000, 'parent': 'web', 'lineage': [],"          \
	" 'qemu': '/usr/bin/qemu-system-x86_64', 'qemu-version': '7.2.22',"                            \
	" 'qemu-memory': 17825792,"                                                                    \
	" 'machine': 'pc-q35-7.2', 'accelerator': 'tcg', 'working-directory': '/srv',"                 \
	" 'command': ['-M', 'q35', '-mem-path', '/mem', '-hda', 'a.img'],"                             \
	" 'ram-size': 536870912, 'paused': true, 'vmgenid': true, 'identity': true, 'sandbox': false," \
	" 'devices-size': 0, 'memory': [{'id': 'pc.ram', 'offset': 0, 'size': 536870912,"              \
	" 'inode': 0, 'mtime': 0, 'allocated': 0}], 'disks': [{'word': 2, 'format': 'raw',"            \
	" 'size': 1048576, 'overlay': 'disk0.qcow2', 'length': 0, 'inode': 0, 'mtime': 0,"             \
	" 'own': false}]}"

START_TEST(the_manifest)
{
	g_autoptr(ExmSaveFacts) facts = read_facts(&manifests[_i].setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);
	g_autoptr(ExmJson) wanted = facts_changed(MANIFEST_JSON, manifests[_i].changes);
	g_autoptr(ExmJson) json = exm_template_to_json(plan->template);

	ck_assert_str_eq(plan->template->directory, template_directory);
	ck_assert_msg(json_object_equal(json, wanted), "%s", json_object_to_json_string(json));
}
END_TEST

#define RUNNING "'status': 'running', 'running': true"
#define RESTING "'status': 'paused', 'running': false"

/* Runs or rests, is about to be stopped, and whether children rest. */
static const struct {
	const char *status;
	int major, minor;
	const char *memory;
	bool running;
	bool stop;
	bool paused;
} stops[] = {
	/* Until QEMU 9.0 writes under TCG may be missed while they are copied. */
	{ RUNNING, 8, 2, LINKED, true, true, true },
	{ RUNNING, 9, 0, LINKED, true, false, false },
	/* All of its memory has to hold still. */
	{ RUNNING, 9, 0, PRIVATE, true, true, true },
	{ RESTING, 8, 2, LINKED, false, false, true },
	{ RESTING, 9, 0, PRIVATE, false, false, true },
	{ "'status': 'prelaunch', 'running': false", 9, 0, LINKED, false, false, true },
};

START_TEST(what_is_stopped_first)
{
	g_autofree char *guest = g_strdup_printf("{'memory': [%s], 'command': []}", stops[_i].memory);
	g_autofree char *status = g_strdup_printf("{'status': {%s}, 'disks': []}", stops[_i].status);
	const Setting setting = { .guest = guest, .facts = status };
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = NULL;

	facts->caps->major = stops[_i].major;
	facts->caps->minor = stops[_i].minor;
	plan = plan_or_fail(facts);
	ck_assert(plan->running == stops[_i].running);
	ck_assert(plan->stop == stops[_i].stop);
	ck_assert(plan->template->paused == stops[_i].paused);
}
END_TEST

/* What QEMU 8.2 and later can open without writing. */
START_TEST(memory_that_becomes_read_only)
{
	const Setting setting = { .qemu = "10.0" };
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);

	ck_assert(plan->protect);
}
END_TEST

/* A guest that was migrated and is still there can be saved. */
static const char *const migrations[] = {
	"{}",
	"{'migration': {'status': 'none'}}",
	"{'migration': {'status': 'failed'}}",
	"{'migration': {'status': 'cancelled'}}",
	"{'migration': {'status': 'completed'}}",
};

START_TEST(a_migration_that_is_over)
{
	const Setting setting = { .facts = migrations[_i] };
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);

	ck_assert_ptr_nonnull(plan);
}
END_TEST

#define COMMAND(words) "{'command': [" words "]}"

#define NOT_UTF8(path)                                                                             \
	"'" path "' is not UTF-8, and QMP, by which QEMU has to be told where disks and overlays " \
	"are, has no other text: rename it"

static const struct {
	Setting setting;
	ExmErrorCode code;
	const char *message;
} refusals[] = {
	/* What it is doing. */
	{ { .facts = "{'status': {'status': 'postmigrate'}}" },
	  EXM_ERROR_STATE,
	  "guest 'web' was saved or migrated already" },
	{ { .facts = "{'status': {'status': 'inmigrate'}}" },
	  EXM_ERROR_STATE,
	  "guest 'web' is in state 'inmigrate': one that runs or is paused can be saved" },
	{ { .facts = "{'status': {'status': 'shutdown'}}" },
	  EXM_ERROR_STATE,
	  "guest 'web' is in state 'shutdown': one that runs or is paused can be saved" },
	{ { .facts = "{'status': {}}" },
	  EXM_ERROR_STATE,
	  "guest 'web' is in state 'unknown': one that runs or is paused can be saved" },
	{ { .guest = "{'memory-error': 'Input/output error'}" },
	  EXM_ERROR_STATE,
	  "guest 'web' may have lost memory, which could not be written back: Input/output error; "
	  "start it anew" },
	{ { .facts = "{'migration': {'status': 'active'}}" },
	  EXM_ERROR_STATE,
	  "guest 'web' is being migrated" },
	{ { .facts = "{'migration': {'status': 'setup'}}" },
	  EXM_ERROR_STATE,
	  "guest 'web' is being migrated" },
	/* Its QEMU. */
	{ { .qemu = "old" },
	  EXM_ERROR_UNSUPPORTED,
	  "saving needs QEMU 4.0 ('x-ignore-shared'); '/opt/old/qemu-system-x86_64' is 2.5.1" },
	{ { .guest = COMMAND("'-M', 'pc-q35-99.0'") },
	  EXM_ERROR_STATE,
	  "'/usr/bin/qemu-system-x86_64' is not the QEMU any more that guest 'web' runs in" },
	{ { .guest = COMMAND("'-nonsense'") }, EXM_ERROR_USAGE, "'-nonsense' is not an option of QEMU" },
	{ { .guest = COMMAND("'-m', 'x'") }, EXM_ERROR_USAGE, "-m: 'x' is not a size" },
	/* Where the template shall be. */
	{ { .facts = "{'target': " FILE_ON("1") "}" },
	  EXM_ERROR_STATE,
	  "'/templates/tpl' exists: name another template, or remove it by 'exomem template "
	  "remove'" },
	{ { .facts = "{'place': {'path': '/templates', 'kind': 'file', 'writable': true}}" },
	  EXM_ERROR_USAGE,
	  "'/templates' is not a directory" },
	{ { .facts = "{'place': {'path': '/templates', 'kind': 'directory'}}" },
	  EXM_ERROR_USAGE,
	  "'/templates' is not writable" },
	/* What no child could have. */
	{ { .guest = COMMAND("'-device', 'ivshmem-plain,memdev=m'") },
	  EXM_ERROR_UNSUPPORTED,
	  "'-device ivshmem-plain,memdev=m': memory that guests share cannot be cloned: leave it "
	  "out" },
	{ { .guest = COMMAND("'-netdev', 'tap,id=n0,fd=5'") },
	  EXM_ERROR_UNSUPPORTED,
	  "'-netdev tap,id=n0,fd=5': a child does not inherit 'fd=5': write the path or address "
	  "that it stands for" },
	{ { .guest = COMMAND("'-device', 'virtio-pmem-pci,memdev=m'") },
	  EXM_ERROR_UNSUPPORTED,
	  "'-device virtio-pmem-pci,memdev=m': what it holds is not in the stream: use 'nvdimm' on "
	  "a backend with 'share=off'" },
	/* Memory. */
	{ { .facts = "{'backends': [{'id': 'pc.ram', 'share': true}, {'share': true}, {'id':"
	             " 'other', 'share': true}]}" },
	  EXM_ERROR_UNSUPPORTED,
	  "memory backend 'other' is shared, and its content would not be saved: start the guest "
	  "with '-mem-path' in its place, or with 'share=off'" },
	{ { .guest = "{'memory': []}", .facts = "{'backends': []}" },
	  EXM_ERROR_UNSUPPORTED,
	  "the memory of guest 'web' is in an -object of its own: start it with '-mem-path' in its "
	  "place" },
	{ { .guest = "{'memory': [" KEPT "]}",
	    .facts = "{'memory': [{'path': '/mem/ram', 'exists': true}]}" },
	  EXM_ERROR_UNSUPPORTED,
	  "'/mem/ram' is neither a file nor the device of a namespace of persistent memory" },
	{ { .guest = "{'memory': [" KEPT "]}", .facts = "{'memory': [" NO_FILE "]}" },
	  EXM_ERROR_STATE,
	  "'/mem/ram' was deleted, moved or replaced: guest 'web' goes on until it ends, and its memory has no name that "
	  "others could find it by" },
	/* Disks. */
	{ { .guest = COMMAND("'-hda', '/dev/sg0'") },
	  EXM_ERROR_UNSUPPORTED,
	  "'-hda /dev/sg0': the guest drives '/dev/sg0' itself: use an image, or leave it out" },
	{ { .guest = COMMAND("'-hda', '@{nmae}'") },
	  EXM_ERROR_USAGE,
	  "'@{nmae}' is not a placeholder (did you mean '@{name}'?)" },
	{ { .facts = "{'disks': [" DRIVE("a.img", "false") ", " DRIVE("b.img", "false") "]}" },
	  EXM_ERROR_UNSUPPORTED,
	  "no overlay can be put on disk 'b.img': name its image by '-drive file=...,format=...'" },
	/* Not one that a fork has put there: nothing is known of what is below. */
	{ { .facts = "{'disks': [" DRIVE("json:{\\'file\\': {\\'filename\\': \\'a.img\\'}}",
	                                 "false") "]}" },
	  EXM_ERROR_UNSUPPORTED,
	  "no overlay can be put on disk 'json:{\"file\": {\"filename\": \"a.img\"}}': name its "
	  "image by '-drive file=...,format=...'" },
	{ { .facts = "{'disks': [{'device': 'ide7', 'inserted': {'ro': false}}]}" },
	  EXM_ERROR_UNSUPPORTED,
	  "no overlay can be put on disk 'ide7': name its image by '-drive file=...,format=...'" },
	/* QEMU calls the image something else then. */
	{ { .guest = COMMAND("'-hda', {'bytes': 'Y2Fm6S5pbWc='}"),
	    .facts = "{'disks': [" DRIVE("caf\xef\xbf\xbd.img", "false") "]}" },
	  EXM_ERROR_UNSUPPORTED,
	  NOT_UTF8("caf\xe9.img") },
	{ { .guest = "{'working-directory': {'bytes': 'L3Nydi9jYWbp'}}" },
	  EXM_ERROR_UNSUPPORTED,
	  NOT_UTF8("/srv/caf\xe9/a.img") },
};

START_TEST(refused)
{
	g_autoptr(ExmSaveFacts) facts = read_facts(&refusals[_i].setting);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(plan_save(facts, &error));
	assert_error(error, refusals[_i].code, refusals[_i].message);
	if (refusals[_i].code != EXM_ERROR_USAGE)
		ck_assert_str_eq(error->message, refusals[_i].message);
}
END_TEST

/* Arguments and memory may have any path: QEMU is told neither of them, nor of the template. */
START_TEST(a_template_at_a_path_that_is_not_utf8)
{
	static char directory[] = "/caf\xe9/tpl";
	const ExmSaveRequest request = { .name = template_name, .directory = directory };
	const Setting with_disk = { 0 };
	const Setting without = {
		.guest = COMMAND("'-mem-path', '/mem', '-append', {'bytes': 'Y2Fm6Q=='}"),
		.facts = "{'disks': []}",
	};
	g_autoptr(ExmSaveFacts) one_disk = read_facts(&with_disk);
	g_autoptr(ExmSaveFacts) no_disk = read_facts(&without);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmSavePlan) plan = exm_save_plan(&request, no_disk, &error);

	assert_no_error(error);
	ck_assert_str_eq(plan->template->command[3], "caf\xe9");
	ck_assert_ptr_null(exm_save_plan(&request, one_disk, &error));
	assert_error(error, EXM_ERROR_UNSUPPORTED, NOT_UTF8("/caf\xe9/.tpl.1a2b"));
}
END_TEST

START_TEST(warned_of_what_several_could_not_have)
{
	const Setting setting = {
		.guest = COMMAND("'-vnc', ':1', '-netdev', 'tap,id=n0', '-device',"
		                 " 'virtio-balloon-pci', '-serial', 'stdio'"),
		.facts = "{'disks': []}",
	};
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);

	ck_assert_uint_eq(plan->warnings->len, 3);
	ck_assert(g_str_has_prefix(plan->warnings->pdata[0], "'-vnc :1': "));
	ck_assert(g_str_has_prefix(plan->warnings->pdata[1], "'-netdev tap,id=n0': "));
	ck_assert(g_str_has_prefix(plan->warnings->pdata[2], "'-device virtio-balloon-pci': "));
}
END_TEST

/* The one child of such a template goes on with what the guest had. */
START_TEST(a_device_has_one_child)
{
	const Setting setting = {
		.guest = "{'memory': [" DEVICE "], 'command': ['-m', '512', '-hda', 'a.img', '-vnc', "
			 "':1', '-netdev', 'tap,id=n0']}",
		.facts = "{'memory': [" ON_DEVICE "], 'disks': [" DRIVE("a.img", "false") "]}",
	};
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);
	const ExmTemplateMemory *device = exm_template_device(plan->template);
	g_autofree char *steps = facts_step_names(plan->steps);

	ck_assert_str_eq(device->namespace, "UUID");
	ck_assert_str_eq(device->claims, "/claims");
	ck_assert_uint_eq(plan->template->disks->len, 0);
	ck_assert_uint_eq(plan->warnings->len, 0);
	ck_assert_str_eq(steps,
	                 "make-template keep-memory save-devices flush-memory mark-file write-manifest "
	                 "commit end-guest");
}
END_TEST

START_TEST(no_checksum_of_a_device)
{
	const Setting setting = {
		.guest = "{'memory': [" DEVICE "]}",
		.facts = "{'memory': [" ON_DEVICE "]}",
	};
	const ExmSaveRequest request = {
		.name = template_name,
		.directory = template_directory,
		.checksum = true,
	};
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_save_plan(&request, facts, &error));
	assert_error(
		error, EXM_ERROR_UNSUPPORTED,
		"'/dev/dax0.0' is a device, of which no checksum is made: leave '--checksum' out");
}
END_TEST

#define STATE(uuid, path, inode)                                                                    \
	"{" uuid "'memory': [{'id': 'pc.ram', 'offset': 0, 'size': 536870912, 'path': '" path "', " \
	"'inode': " inode ", 'mtime': 1, 'allocated': 0}]}"
#define GUEST_A "'uuid': 'A', "
#define GUEST_B "'uuid': 'B', "

/* Which states on disk a migration of guest "A", with file 7 at /mem/ram, may replace. */
static const struct {
	const char *handover;
	const char *memory;
	bool replaced;
} states[] = {
	{ STATE(GUEST_A, "/mem/ram", "0"), KEPT, true },
	/* The other host has another path for the file. */
	{ STATE(GUEST_A, "/there/ram", "7"), KEPT, true },
	/* The state of another guest, though on the same file. */
	{ STATE(GUEST_B, "/mem/ram", "7"), KEPT, false },
	/* A copy of the memory. */
	{ STATE(GUEST_A, "/mem/copy", "8"), KEPT, false },
	{ STATE(GUEST_A, "/mem/copy", "0"), KEPT, false },
	/* What the guest writes is its own, and the state still fits the file. */
	{ STATE(GUEST_A, "/mem/ram", "7"), PRIVATE, false },
	/* A template. */
	{ STATE("", "/mem/ram", "7"), KEPT, false },
};

START_TEST(a_state_that_a_migration_replaces)
{
	g_autofree char *guest = g_strdup_printf("{'uuid': 'A', 'memory': [%s]}", states[_i].memory);
	g_autoptr(ExmVm) vm = facts_guest(guest);
	g_autoptr(ExmTemplate) handover = facts_template(states[_i].handover);
	g_autoptr(ExmFileFacts) file = facts_file("/mem/ram", "{'inode': 7}");
	g_autoptr(GPtrArray) files = g_ptr_array_new();

	g_ptr_array_add(files, file);
	ck_assert_int_eq(exm_save_replaces(handover, vm, files), states[_i].replaced);
}
END_TEST

#define BEGIN "make-template "
#define END   " write-manifest commit end-guest"

#define NODE(number, offset)                                                             \
	"{'id': 'ram-node" number "', 'offset': " offset ", 'size': 268435456, 'path': " \
	"'/mem', 'unnamed': true, 'shared': true, 'backend': {'mem-path': "              \
	"'/proc/self/fd/7" number "'}}"

/* What becomes of memory. */
static const struct {
	const char *memory;
	const char *file;
	const char *files;
	bool whole;
	const char *steps;
} memories[] = {
	{ LINKED, FILE_ON("1"), "link 66 " TEMPORARY "/" RAM " " RAM " discards pc.ram", false,
	  BEGIN "keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	/* Blocks cannot go to another file system, so the name is made where they are. */
	{ LINKED, FILE_ON("2"), "link 66 /mem/" RAM ".tpl-1a2b /mem/" RAM ".tpl-1a2b discards pc.ram",
	  false, BEGIN "keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	{ KEPT, FILE_ON("2"), "keep -1 /mem/ram /mem/ram", false,
	  BEGIN "keep-memory sync-memory save-devices flush-memory mark-file" END },
	{ KEPT_AND_DISCARDED, FILE_ON("1"), "keep -1 /mem/ram /mem/ram discards pc.ram", false,
	  BEGIN "keep-memory sync-memory save-devices flush-memory mark-file" END },
	{ PRIVATE, FILE_ON("2"), "write -1 " TEMPORARY "/" RAM " " RAM, true,
	  BEGIN "keep-memory write-memory save-devices flush-memory mark-file" END },
	/* Not on any file system; what is remembered of its namespace is the mark. */
	{ DEVICE, ON_DEVICE, "keep -1 /dev/dax0.0 /dev/dax0.0", false,
	  BEGIN "keep-memory save-devices flush-memory mark-file" END },
	{ ANONYMOUS, NO_FILE, "write -1 " TEMPORARY "/" RAM " " RAM, true,
	  BEGIN "keep-memory write-memory save-devices flush-memory mark-file" END },
	{ NODE("0", "0") ", " NODE("1", "268435456"), FILE_ON("1") ", " FILE_ON("2"),
	  "link 70 " TEMPORARY "/qemu_back_mem.0+10000000.ram-node0 "
	  "qemu_back_mem.0+10000000.ram-node0; "
	  "link 71 /mem/qemu_back_mem.10000000+10000000.ram-node1.tpl-1a2b "
	  "/mem/qemu_back_mem.10000000+10000000.ram-node1.tpl-1a2b",
	  false,
	  BEGIN
	  "keep-memory sync-memory save-devices link-file link-file flush-memory mark-file mark-file" END },
	/* A guest without -mem-path: QEMU's own backend. */
	{ "", "", "write -1 " TEMPORARY "/" RAM " " RAM, true,
	  BEGIN "keep-memory write-memory save-devices flush-memory mark-file" END },
};

START_TEST(what_becomes_of_memory)
{
	const bool nothing = !*memories[_i].memory;
	g_autofree char *guest = g_strdup_printf("{'memory': [%s], 'command': []}",
	                                         memories[_i].memory);
	g_autofree char *changes = g_strdup_printf(
		"{'memory': [%s], 'disks': [], 'backends': [{'id': '%s', 'size': 536870912}]}",
		memories[_i].file, nothing ? "pc.ram" : "other");
	const Setting setting = { .guest = guest, .facts = changes };
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);

	assert_text_and_free(print_files(plan->memory), memories[_i].files);
	ck_assert(plan->whole == memories[_i].whole);
	ck_assert_uint_eq(plan->memory->len, plan->template->memory->len);
	ck_assert_uint_eq(plan->template->ram_size, 536870912);
	assert_text_and_free(facts_step_names(plan->steps), memories[_i].steps);
}
END_TEST

/* What becomes of disks: files as print_files() has them, then word and format of each. */
static const struct {
	const char *guest;
	const char *disks;
	const char *images;
	const char *files;
	const char *manifest;
	const char *steps;
} disks[] = {
	{ "'command': ['-hda', 'a.img', '-hdb', '/b']",
	  DRIVE("/b", "false") ", " DRIVE("a.img", "false"), FILE_ON("1") ", " FILE_ON("2"),
	  "keep -1 /srv/a.img /srv/a.img; keep -1 /b /b", "0 raw disk0.qcow2; 1 raw disk1.qcow2",
	  BEGIN
	  "make-overlay make-overlay keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	{ "'command': ['-hda', '@{name}.img']", DRIVE("web.img", "false"), FILE_ON("1"),
	  "keep -1 /srv/web.img /srv/web.img", "0 raw disk0.qcow2",
	  BEGIN
	  "make-overlay keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	/* The guest cannot write to it, or has taken it out. */
	{ "'command': ['-hda', 'a.img']", DRIVE("a.img", "true"), FILE_ON("1"), "", "",
	  BEGIN "keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	{ "'command': ['-hda', 'a.img']", "{'device': 'ide0'}", FILE_ON("1"), "", "",
	  BEGIN "keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	{ "'command': ['-cdrom', 'c.iso']", DRIVE("c.iso", "true"), "", "", "",
	  BEGIN "keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	{ "'command': ['-hda', 'a.img', '-hdb', 'b.img']",
	  DRIVE("a.img", "true") ", " DRIVE("b.img", "false"), FILE_ON("1") ", " FILE_ON("1"),
	  "keep -1 /srv/b.img /srv/b.img", "1 raw disk0.qcow2",
	  BEGIN
	  "make-overlay keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	/* A child's overlay gets a name, and the template below is told of its heir. */
	{ "'template': '/templates/web', 'command': ['-m', '512', '-hda', 'a.img'], 'disks': [" OVERLAY(
		  "1", "68") "]",
	  DRIVE("/proc/self/fd/68", "false"), FILE_ON("1"),
	  "link 68 " TEMPORARY "/disk0-base.qcow2 disk0-base.qcow2", "1 raw disk0.qcow2",
	  BEGIN "make-overlay keep-memory sync-memory save-devices link-file link-file flush-memory mark-file "
	        "link-heir write-manifest commit end-guest" },
	{ "'template': '/templates/web', 'command': ['-hda', 'a.img'], 'disks': [" OVERLAY("0",
	                                                                                   "68") "]",
	  DRIVE("/proc/self/fd/68", "false"), FILE_ON("2"),
	  "link 68 /disks/disk0-base.qcow2.tpl-1a2b /disks/disk0-base.qcow2.tpl-1a2b",
	  "0 raw disk0.qcow2",
	  BEGIN "make-overlay keep-memory sync-memory save-devices link-file link-file flush-memory mark-file "
	        "link-heir write-manifest commit end-guest" },
	/* Its first disk has no overlay: it could not be written to when the template was saved. */
	{ "'template': '/templates/web', 'command': ['-hda', 'a.img', '-hdb', 'b.img'], 'disks': [" OVERLAY(
		  "1", "68") "]",
	  DRIVE("a.img", "true") ", " DRIVE("/proc/self/fd/68", "false"),
	  FILE_ON("2") ", " FILE_ON("2"),
	  "link 68 /disks/disk0-base.qcow2.tpl-1a2b /disks/disk0-base.qcow2.tpl-1a2b",
	  "1 raw disk0.qcow2",
	  BEGIN "make-overlay keep-memory sync-memory save-devices link-file link-file flush-memory mark-file "
	        "link-heir write-manifest commit end-guest" },
	/* An overlay that a fork has put on a disk of a relative path, and QEMU's name for it. */
	{ "'command': ['-hda', 'a.img'], 'disks': [{'word': 0, 'path': '/srv/a.img.web-0f0f.qcow2'}]",
	  DRIVE("json:{\\'backing\\': {\\'file\\': {\\'filename\\': \\'a.img\\'}},"
	        " \\'file\\': {\\'filename\\': \\'/srv/a.img.web-0f0f.qcow2\\'}}",
	        "false"),
	  FILE_ON("1"), "keep -1 /srv/a.img.web-0f0f.qcow2 /srv/a.img.web-0f0f.qcow2",
	  "0 raw disk0.qcow2",
	  BEGIN
	  "make-overlay keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
	{ "'template': '/templates/web', 'command': [], 'disks': []", "", "", "", "",
	  BEGIN "keep-memory sync-memory save-devices link-file flush-memory mark-file" END },
};

static char *print_disks(const GPtrArray *list)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < list->len; i++) {
		const ExmTemplateDisk *disk = list->pdata[i];

		ck_assert_uint_eq(disk->size, 1048576);
		g_string_append_printf(text, "%s%d %s %s", i ? "; " : "", (int)disk->word,
		                       disk->format, disk->overlay);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

START_TEST(what_becomes_of_disks)
{
	g_autofree char *guest = g_strdup_printf("{%s}", disks[_i].guest);
	g_autofree char *changes = g_strdup_printf("{'disks': [%s], 'images': [%s]}",
	                                           disks[_i].disks, disks[_i].images);
	const Setting setting = { .guest = guest, .facts = changes };
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);

	assert_text_and_free(print_files(plan->disks), disks[_i].files);
	assert_text_and_free(print_disks(plan->template->disks), disks[_i].manifest);
	assert_text_and_free(facts_step_names(plan->steps), disks[_i].steps);
}
END_TEST

START_TEST(the_heir_of_a_template)
{
	const Setting setting = {
		.guest = "{'template': '/templates/web', 'command': ['-hda', 'a.img'], 'disks': [" OVERLAY(
			"0", "68") "]}",
		.facts = "{'disks': [" DRIVE("/proc/self/fd/68", "false") "]}",
		.child = true,
	};
	g_autoptr(ExmSaveFacts) facts = read_facts(&setting);
	g_autoptr(ExmSavePlan) plan = plan_or_fail(facts);
	const ExmStep *step = plan->steps->pdata[plan->steps->len - 4];

	ck_assert_int_eq(step->kind, EXM_STEP_LINK_HEIR);
	ck_assert_str_eq(step->path, "/templates/web/heir.tpl.1a2b");
}
END_TEST

/* Disks that a guest may write to: word, path as QEMU opened it, its descriptor. */
static const struct {
	const char *guest;
	const char *images;
} images[] = {
	{ "{'command': ['-hda', 'a.img', '-cdrom', 'c.iso', '-S', '-hdb', '@{dir}/b']}",
	  "0 a.img -1; 3 /run/exomem/web/b -1" },
	{ "{'command': ['-hda', 'a,b', '-hdb', '@{index+1}-@{uuid}'], 'index': 2}",
	  "0 a,b -1; 1 3-U -1" },
	{ "{'command': ['-hda', 'a', '-hdb', 'b'], 'disks': [" OVERLAY("1", "68") "]}",
	  "0 a -1; 1 /proc/self/fd/68 68" },
	/* Over what a child has an overlay of, an overlay can be put. */
	{ "{'command': ['-drive', 'file=a,snapshot=on'], 'disks': [" OVERLAY("0", "68") "]}",
	  "0 /proc/self/fd/68 68" },
	/* What a fork has put in its place has a name, in which nothing is to be replaced. */
	{ "{'command': ['-hda', 'a', '-hdb', '@@{x}'], 'disks': [{'word': 1, 'path': "
	  "'/srv/@{x}.web-1a2b.qcow2', 'backing': '/srv/@{x}'}]}",
	  "0 a -1; 1 /srv/@{x}.web-1a2b.qcow2 -1" },
	{ "{'command': ['-m', '512']}", "" },
};

START_TEST(images_that_may_be_written)
{
	g_autoptr(ExmVm) vm = facts_guest(images[_i].guest);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) found = exm_save_images(vm, &error);
	g_autoptr(GString) text = g_string_new(NULL);

	assert_no_error(error);
	for (guint i = 0; i < found->len; i++) {
		const ExmSaveImage *image = found->pdata[i];

		g_string_append_printf(text, "%s%u %s %d", i ? "; " : "", image->word, image->path,
		                       image->fd);
	}
	ck_assert_str_eq(text->str, images[_i].images);
}
END_TEST

START_TEST(images_of_no_command_line)
{
	g_autoptr(ExmVm) vm = facts_guest(COMMAND("'-nonsense'"));
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(exm_save_images(vm, &error));
	assert_error(error, EXM_ERROR_USAGE, "'-nonsense' is not an option of QEMU");
}
END_TEST

Suite *save_suite(void)
{
	Suite *suite = suite_create("save");
	TCase *tcase = tcase_create("save");

	tcase_add_test(tcase, plan_of_a_save);
	tcase_add_loop_test(tcase, the_manifest, 0, G_N_ELEMENTS(manifests));
	tcase_add_loop_test(tcase, what_is_stopped_first, 0, G_N_ELEMENTS(stops));
	tcase_add_test(tcase, memory_that_becomes_read_only);
	tcase_add_loop_test(tcase, a_migration_that_is_over, 0, G_N_ELEMENTS(migrations));
	tcase_add_loop_test(tcase, refused, 0, G_N_ELEMENTS(refusals));
	tcase_add_test(tcase, a_template_at_a_path_that_is_not_utf8);
	tcase_add_test(tcase, warned_of_what_several_could_not_have);
	tcase_add_test(tcase, a_device_has_one_child);
	tcase_add_test(tcase, no_checksum_of_a_device);
	tcase_add_loop_test(tcase, a_state_that_a_migration_replaces, 0, G_N_ELEMENTS(states));
	tcase_add_loop_test(tcase, what_becomes_of_memory, 0, G_N_ELEMENTS(memories));
	tcase_add_loop_test(tcase, what_becomes_of_disks, 0, G_N_ELEMENTS(disks));
	tcase_add_test(tcase, the_heir_of_a_template);
	tcase_add_loop_test(tcase, images_that_may_be_written, 0, G_N_ELEMENTS(images));
	tcase_add_test(tcase, images_of_no_command_line);
	suite_add_tcase(suite, tcase);
	return suite;
}
