/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_answers.c - Whatever a QEMU answers, what is read of it is a value or an error */

#include "plan/balloon.h"
#include "plan/caps.h"
#include "plan/save.h"

#include "fuzz.h"

/* A guest that can be saved, with memory in a file and a disk. */
#define GUEST                                                                               \
	"{\"schema\": 1, \"name\": \"web\", \"uuid\": \"U\", \"generation-id\": \"G\","     \
	" \"boot-id\": \"B\", \"qemu\": \"/usr/bin/qemu-system-x86_64\","                   \
	" \"qemu-version\": \"7.2.22\", \"working-directory\": \"/srv\", \"pid\": 42,"      \
	" \"start-time\": 77, \"ram-size\": 536870912, \"created\": 5, \"detached\": true," \
	" \"command\": [\"-M\", \"q35\", \"-mem-path\", \"/mem\", \"-hda\", \"a.img\"],"    \
	" \"argv\": [\"q\"], \"memory\": [{\"id\": \"pc.ram\", \"offset\": 0,"              \
	" \"size\": 536870912, \"path\": \"/mem/ram\", \"unnamed\": false,"                 \
	" \"shared\": true, \"backend\": {\"mem-path\": \"/mem/ram\", \"share\": true}}]}"

#define FILE_FACTS "{\"path\": \"/\", \"exists\": true, \"regular\": true, \"device\": 1}"
#define NO_FILE    "{\"path\": \"/\", \"exists\": false}"
#define PLACE      "{\"path\": \"/templates\", \"kind\": \"directory\", \"writable\": true}"

static ExmFileFacts *file_facts(const char *text)
{
	g_autoptr(ExmJson) json = json_of(text);
	g_autoptr(GError) error = NULL;
	ExmFileFacts *file = exm_file_facts_from_json(json, &error);

	g_assert_no_error(error);
	return file;
}

static ExmCaps *make_caps(void)
{
	ExmCaps *caps = exm_caps_new();

	caps->path = g_strdup("/usr/bin/qemu-system-x86_64");
	caps->version = g_strdup("7.2.22");
	caps->major = 7;
	caps->minor = 2;
	caps->micro = 22;
	caps->migration_capabilities = g_strsplit("x-ignore-shared", " ", -1);
	g_ptr_array_add(caps->machines, exm_machine_new("pc-q35-7.2", "q35", "pc.ram", false));
	return caps;
}

static ExmJson *answer(ExmJson *answers, const char *name)
{
	return json_object_get(exm_json_member(answers, name));
}

static ExmSaveFacts *facts_of(ExmJson *answers)
{
	g_autoptr(ExmJson) guest = json_of(GUEST);
	g_autoptr(ExmJson) place = json_of(PLACE);
	g_autoptr(GError) error = NULL;
	ExmSaveFacts *facts = exm_save_facts_new();

	facts->vm = exm_vm_from_json(guest, "/run/exomem/web", &error);
	g_assert_no_error(error);
	facts->caps = make_caps();
	facts->place = exm_place_from_json(place, &error);
	g_assert_no_error(error);
	facts->target = file_facts(NO_FILE);
	g_ptr_array_add(facts->memory, file_facts(FILE_FACTS));
	g_ptr_array_add(facts->images, file_facts(FILE_FACTS));
	facts->status = answer(answers, "status");
	facts->migration = answer(answers, "migration");
	facts->backends = answer(answers, "backends");
	facts->disks = answer(answers, "disks");
	facts->kvm = answer(answers, "kvm");
	facts->device = 1;
	facts->now = 1700000000;
	facts->random = g_strdup("1a2b");
	return facts;
}

/* The manifest that will be written of it is one that can be read. */
static void check_manifest(const ExmSavePlan *plan)
{
	g_autofree char *text = NULL;
	g_autoptr(ExmJson) json = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmTemplate) again = NULL;

	plan->template->devices_sha256 = g_strdup("");
	for (guint i = 0; i < plan->memory->len; i++)
		((ExmTemplateMemory *)plan->template->memory->pdata[i])->path = g_strdup(
			((const ExmSaveFile *)plan->memory->pdata[i])->outer);
	for (guint i = 0; i < plan->disks->len; i++)
		((ExmTemplateDisk *)plan->template->disks->pdata[i])->path = g_strdup(
			((const ExmSaveFile *)plan->disks->pdata[i])->outer);
	text = json_text_and_put(exm_template_to_json(plan->template));
	json = json_of(text);
	again = exm_template_from_json(json, "/templates/web", &error);
	g_assert_no_error(error);
}

static void check_save(ExmJson *answers)
{
	const ExmSaveRequest request = { .name = (char *)(uintptr_t) "web",
		                         .directory = (char *)(uintptr_t) "/templates/web" };
	ExmSaveFacts *facts = facts_of(answers);
	g_autoptr(GError) error = NULL;
	ExmSavePlan *plan = exm_save_plan_begin(&request, facts, &error);

	if (plan)
		check_manifest(plan);
	else
		assert_rejected(error);
	exm_save_plan_free(plan);
	exm_save_facts_free(facts);
}

static void check_balloon(ExmJson *answers)
{
	g_autofree char *path = exm_balloon_find(exm_json_member(answers, "devices"), "/machine");
	ExmGuestSample guest = { .memory = 1 << 30 };

	g_assert_true(!path || g_str_has_prefix(path, "/machine"));
	exm_balloon_read_statistics(exm_json_member(answers, "statistics"), 1700000000, &guest);
}

/**
 * LLVMFuzzerTestOneInput() - Read the answers of a QEMU
 * @data: an object with one member for each command
 * @size: length of that
 *
 * Return: 0
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(ExmJson) answers = exm_json_parse_plain((const char *)data, size, NULL);

	if (!answers)
		return 0;
	check_save(answers);
	check_balloon(answers);
	return 0;
}
