/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts.c - What plans are made of, as values */

#include "facts.h"

#include "plan/step.h"
#include "suite.h"

/* A template with all that one can have: of KVM, with memory and a disk in its directory. */
#define TEMPLATE_JSON                                                                             \
	"{'schema': 1, 'name': 'web', 'created': 1700000000, 'parent': 'web-0',"                  \
	" 'lineage': ['base', 'tools'], 'qemu': '/usr/bin/qemu-system-x86_64',"                   \
	" 'qemu-version': '7.2.22', 'machine': 'pc-q35-7.2', 'cpu': 'host',"                      \
	" 'accelerator': 'kvm', 'host-cpu': ['avx2', 'avx512f'], 'working-directory': '/srv',"    \
	" 'command': ['-M', 'q35', '-m', '512', '-mem-path', '/mem', '-hda', 'a.img'],"           \
	" 'ram-size': 536870912, 'paused': false, 'vmgenid': true, 'identity': true,"             \
	" 'devices-size': 4096, 'devices-sha256': 'd0',"                                          \
	" 'memory': [{'id': 'pc.ram', 'offset': 0, 'size': 536870912, 'path': 'ram', 'inode': 7," \
	"             'mtime': 8, 'allocated': 4096, 'sha256': 'e1'}],"                           \
	" 'disks': [{'word': 3, 'path': '/srv/a.img', 'format': 'raw', 'size': 1048576,"          \
	"            'overlay': 'disk0.qcow2', 'length': 2048, 'inode': 9, 'mtime': 10}]}"

/* A guest with memory in a file without a name, and a disk. */
#define GUEST_JSON                                                                          \
	"{'schema': 1, 'name': 'web', 'uuid': 'U', 'generation-id': 'G', 'boot-id': 'B',"   \
	" 'qemu': '/usr/bin/qemu-system-x86_64', 'qemu-version': '7.2.22',"                 \
	" 'working-directory': '/srv', 'pid': 42, 'start-time': 77, 'ram-size': 536870912," \
	" 'created': 5, 'detached': true,"                                                  \
	" 'command': ['-M', 'q35', '-mem-path', '/mem', '-hda', 'a.img'],"                  \
	" 'argv': ['q', '-device', 'vmgenid,guid=G', '-fw_cfg',"                            \
	"          'name=opt/exomem/identity,string=name=web'],"                            \
	" 'memory': [" LINKED "]}"

/* It runs, and can be saved. */
#define ANSWERS_JSON                                                                                \
	"{'status': {'status': 'running', 'running': true}, 'migration': {},"                       \
	" 'backends': [{'id': 'pc.ram', 'share': true, 'size': 536870912}],"                        \
	" 'disks': [" DRIVE(                                                                        \
		"a.img",                                                                            \
		"false") "], 'kvm': {'enabled': false},"                                            \
			 " 'target': " NO_FILE ","                                                  \
			 " 'place': {'path': '/templates', 'kind': 'directory', 'writable': true}," \
			 " 'memory': [" FILE_ON("1") "], 'images': [" FILE_ON("1") "]}"

/* A host where nothing lacks. */
#define HOST_JSON                                                                     \
	"{'page-size': 4096, 'ram-total': 25769803776, 'ram-available': 21474836480," \
	" 'nodes': '0', 'first-fd': 64}"
#define PLACE_JSON                                                                                 \
	"{'path': '/templates/web', 'kind': 'directory', 'writable': true, 'file-system': 'ext4'," \
	" 'page-size': 4096, 'free': 68719476736, 'can-punch': true, 'can-reserve': true,"         \
	" 'unnamed-files': true}"

/**
 * facts_json() - What a JSON text holds
 * @text: JSON with single quotes in place of double ones
 *
 * Return: the value (transfer full).
 */
ExmJson *facts_json(const char *text)
{
	g_autofree char *strict = g_strdelimit(g_strdup(text), "'", '"');
	g_autoptr(GError) error = NULL;
	ExmJson *json = exm_json_parse(strict, strlen(strict), &error);

	assert_no_error(error);
	return json;
}

/**
 * facts_changed() - What a JSON text holds, but for some members
 * @text:    an object
 * @changes: an object, whose members replace those of the other; null takes one out
 *
 * Return: the object (transfer full).
 */
ExmJson *facts_changed(const char *text, const char *changes)
{
	ExmJson *json = facts_json(text);
	g_autoptr(ExmJson) others = facts_json(changes);

	json_object_object_foreach(others, name, value) {
		json_object_object_del(json, name);
		if (value)
			json_object_object_add(json, name, json_object_get(value));
	}
	return json;
}

/**
 * facts_caps() - A QEMU's recorded answers
 * @version: "7.2", "10.0" or "old"
 *
 * Return: the capabilities (transfer full).
 */
ExmCaps *facts_caps(const char *version)
{
	g_autofree char *path = g_strdup_printf("tests/data/facts/qemu-%s.json", version);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) json = NULL;
	ExmCaps *caps;

	g_file_get_contents(path, &text, NULL, &error);
	assert_no_error(error);
	json = facts_json(text);
	caps = exm_caps_from_json(exm_json_member(json, "qemu"), &error);
	assert_no_error(error);
	return caps;
}

/**
 * facts_file() - Facts of a plain file of root's that may be read and written
 * @path:    of it
 * @changes: what is otherwise
 *
 * Return: the facts (transfer full).
 */
ExmFileFacts *facts_file(const char *path, const char *changes)
{
	g_autoptr(ExmJson) json = facts_changed(
		"{'path': '', 'exists': true, 'regular': true, 'readable': true, 'writable': true}",
		changes);
	g_autoptr(GError) error = NULL;
	ExmFileFacts *file;

	exm_json_set_string(json, "path", path);
	file = exm_file_facts_from_json(json, &error);
	assert_no_error(error);
	return file;
}

/**
 * facts_template() - The template TEMPLATE
 * @changes: what is otherwise in its manifest
 *
 * Return: the template (transfer full).
 */
ExmTemplate *facts_template(const char *changes)
{
	g_autoptr(ExmJson) json = facts_changed(TEMPLATE_JSON, changes);
	g_autoptr(GError) error = NULL;
	ExmTemplate *template = exm_template_from_json(json, TEMPLATE, &error);

	assert_no_error(error);
	return template;
}

/**
 * facts_guest() - The record of a guest that can be saved
 * @changes: what is otherwise, or NULL
 *
 * Return: the record (transfer full).
 */
ExmVm *facts_guest(const char *changes)
{
	g_autoptr(ExmJson) json = facts_changed(GUEST_JSON, changes ? changes : AS_IT_IS);
	g_autoptr(GError) error = NULL;
	ExmVm *vm = exm_vm_from_json(json, "/run/exomem/web", &error);

	assert_no_error(error);
	return vm;
}

static void vm_free(gpointer vm)
{
	exm_vm_free(vm);
}

/**
 * facts_guests() - Guests that live, each by a command line that is not that of facts_guest()
 * @text: "NAME INDEX DIRECTORY-OF-TEMPLATE" of each, with commas between; or NULL
 *
 * Return: of ExmVm (transfer full).
 */
GPtrArray *facts_guests(const char *text)
{
	GPtrArray *guests = g_ptr_array_new_with_free_func(vm_free);
	g_auto(GStrv) items = g_strsplit(text ? text : "", ",", -1);

	for (char **item = items; *item; item++) {
		g_auto(GStrv) words = g_strsplit(*item, " ", -1);
		ExmVm *vm = g_new0(ExmVm, 1);

		ck_assert_uint_eq(g_strv_length(words), 3);
		vm->name = g_strdup(words[0]);
		vm->pid = 42;
		vm->index = g_ascii_strtoull(words[1], NULL, 10);
		vm->template_path = *words[2] ? g_strdup(words[2]) : NULL;
		vm->command = g_strsplit("-m 64", " ", -1);
		g_ptr_array_add(guests, vm);
	}
	return guests;
}

/**
 * facts_host() - A host where nothing lacks
 * @changes: what is otherwise, or NULL
 *
 * Return: its facts (transfer full).
 */
ExmHost *facts_host(const char *changes)
{
	g_autoptr(ExmJson) json = facts_changed(HOST_JSON, changes ? changes : AS_IT_IS);
	g_autoptr(GError) error = NULL;
	ExmHost *host = exm_host_from_json(json, &error);

	assert_no_error(error);
	return host;
}

/**
 * facts_place() - The directory TEMPLATE, on an ordinary file system
 * @changes: what is otherwise, or NULL
 *
 * Return: its facts (transfer full).
 */
ExmPlace *facts_place(const char *changes)
{
	g_autoptr(ExmJson) json = facts_changed(PLACE_JSON, changes ? changes : AS_IT_IS);
	g_autoptr(GError) error = NULL;
	ExmPlace *place = exm_place_from_json(json, &error);

	assert_no_error(error);
	return place;
}

static void read_files(ExmJson *list, GPtrArray *files)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		g_autoptr(GError) error = NULL;
		ExmFileFacts *file = exm_file_facts_from_json(json_object_array_get_idx(list, i),
		                                              &error);

		assert_no_error(error);
		g_ptr_array_add(files, file);
	}
}

static ExmJson *answer(ExmJson *facts, const char *name)
{
	return json_object_get(exm_json_member(facts, name));
}

/**
 * facts_save() - What the plan of a save or a fork knows of a guest
 * @guest:   changes to facts_guest(), or NULL
 * @answers: changes to what its QEMU and the file systems say, or NULL
 * @qemu:    version, or NULL for "7.2"
 * @child:   it is a child of facts_template()
 *
 * Return: the facts (transfer full).
 */
ExmSaveFacts *facts_save(const char *guest, const char *answers, const char *qemu, bool child)
{
	g_autoptr(ExmJson) json = facts_changed(ANSWERS_JSON, answers ? answers : AS_IT_IS);
	ExmSaveFacts *facts = exm_save_facts_new();

	facts->vm = facts_guest(guest);
	facts->caps = facts_caps(qemu ? qemu : "7.2");
	facts->template = child ? facts_template(AS_IT_IS) : NULL;
	facts->status = answer(json, "status");
	facts->migration = answer(json, "migration");
	facts->backends = answer(json, "backends");
	facts->disks = answer(json, "disks");
	facts->kvm = answer(json, "kvm");
	facts->target = exm_file_facts_from_json(exm_json_member(json, "target"), NULL);
	facts->place = exm_place_from_json(exm_json_member(json, "place"), NULL);
	facts->device = 1;
	read_files(exm_json_member(json, "memory"), facts->memory);
	read_files(exm_json_member(json, "images"), facts->images);
	facts->host_cpu = g_strsplit("sse2 avx2", " ", -1);
	facts->now = 1700000000;
	facts->random = g_strdup("1a2b");
	return facts;
}

/**
 * facts_words() - QEMU's command line in short
 * @plan: whose
 *
 * Return: its words with blanks between them, and none behind the identity (transfer full).
 */
char *facts_words(const ExmPlan *plan)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; plan->argv->pdata[i]; i++)
		g_string_append_printf(text, "%s%s", i ? " " : "", g_strchomp(plan->argv->pdata[i]));
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/**
 * facts_step_names() - Steps in short
 * @steps: of ExmStep
 *
 * Return: "claim-name exec" (transfer full).
 */
char *facts_step_names(const GPtrArray *steps)
{
	g_autoptr(GString) names = g_string_new(NULL);

	for (guint i = 0; i < steps->len; i++)
		g_string_append_printf(names, "%s%s", i ? " " : "", exm_step_name(steps->pdata[i]));
	return g_string_free(g_steal_pointer(&names), FALSE);
}
