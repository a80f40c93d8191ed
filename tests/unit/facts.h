/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "base/json.h"
#include "plan/caps.h"
#include "plan/host.h"
#include "plan/plan.h"
#include "plan/save.h"
#include "plan/template.h"
#include "plan/vm.h"

/* Where the template of facts_template() is. */
#define TEMPLATES "/templates"
#define TEMPLATE  TEMPLATES "/web"

/* What is changed in no way. */
#define AS_IT_IS "{}"

/* The memory of facts_guest(), in the shapes that it can have. */
#define MEMORY(shape) "{'id': 'pc.ram', 'offset': 0, 'size': 536870912, " shape "}"

#define LINKED                                                     \
	MEMORY("'path': '/mem', 'unnamed': true, 'shared': true, " \
	       "'backend': {'mem-path': '/proc/self/fd/66', 'discard-data': true}")
#define KEPT                                                            \
	MEMORY("'path': '/mem/ram', 'unnamed': false, 'shared': true, " \
	       "'backend': {'mem-path': '/mem/ram', 'share': true}")
#define KEPT_AND_DISCARDED                                              \
	MEMORY("'path': '/mem/ram', 'unnamed': false, 'shared': true, " \
	       "'backend': {'mem-path': '/mem/ram', 'discard-data': true}")
#define PRIVATE                                                          \
	MEMORY("'path': '/mem/ram', 'unnamed': false, 'shared': false, " \
	       "'backend': {'mem-path': '/mem/ram', 'share': false}")
#define DEVICE                                                             \
	MEMORY("'path': '/dev/dax0.0', 'unnamed': false, 'shared': true, " \
	       "'backend': {'mem-path': '/dev/dax0.0'}, 'namespace': 'UUID', 'claims': '/claims'")
#define ANONYMOUS MEMORY("'unnamed': false, 'shared': false, 'backend': {}")

#define RAM             "qemu_back_mem.0+20000000.pc.ram"
#define FILE_ON(device) "{'path': '/', 'exists': true, 'regular': true, 'device': " device "}"
#define NO_FILE         "{'path': '/', 'exists': false}"
#define ON_DEVICE       "{'path': '/dev/dax0.0', 'exists': true, 'device': 5}"

#define DRIVE(path, read_only)                                                \
	"{'device': 'ide0', 'inserted': {'ro': " read_only ", 'drv': 'raw', " \
	"'image': {'filename': '" path "', 'virtual-size': 1048576}}}"

#define OVERLAY(word, fd) "{'word': " word ", 'fd': " fd ", 'directory': '/disks', 'backing': 'a'}"

ExmJson *facts_json(const char *text);
ExmJson *facts_changed(const char *text, const char *changes);
ExmCaps *facts_caps(const char *version);
ExmFileFacts *facts_file(const char *path, const char *changes);
ExmTemplate *facts_template(const char *changes);
ExmVm *facts_guest(const char *changes);
GPtrArray *facts_guests(const char *text);
ExmHost *facts_host(const char *changes);
ExmPlace *facts_place(const char *changes);
ExmSaveFacts *facts_save(const char *guest, const char *answers, const char *qemu, bool child);
char *facts_words(const ExmPlan *plan);
char *facts_step_names(const GPtrArray *steps);
