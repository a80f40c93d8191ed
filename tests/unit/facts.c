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
