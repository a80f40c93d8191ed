/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_fork.c - lib/plan/fork.c, and what run_child.c and run_memory.c plan for its children */

#include "plan/fork.h"

#include "facts.h"
#include "suite.h"

/* Requests own what they hold, so it may not be const. */
static char guest_name[] = "web";
static char template_name[] = "base";
static char kept_directory[] = TEMPLATES "/base";
static char dropped_directory[] = TEMPLATES "/.web.fork-0011aabb";
static char state_directory[] = "/run/exomem";
static char short_name[] = "x";

#define KEPT_PLACE    TEMPLATES "/base"
#define DROPPED_PLACE TEMPLATES "/.web.fork-0011aabb"
#define RAM_FILE      "qemu_back_mem.0+20000000.pc.ram"

/**
 * struct Setting - What is otherwise than with a detached guest without disks, memory without a name
 * @guest:   changes to facts_guest(), or NULL for those that leave out its disk
 * @answers: to what facts_save() knows, or NULL for those that leave out its disk
 * @host:    to facts_host(), or NULL
 * @guests:  of facts_guests(), beside the guest itself; or NULL
 * @kin:     changes to facts_guest() that give a relative of the guest; or NULL
 * @qemu:    version, or NULL for "7.2"
 * @beside:  templates are on the file system of the memory
 * @reflink: files there can share blocks
 * @keep:    the template is asked for
 */
typedef struct {
	const char *guest;
	const char *answers;
	const char *host;
	const char *guests;
	const char *kin;
	const char *qemu;
	bool beside;
	bool reflink;
	bool keep;
} Setting;

#define WORDS     "'command': ['-M', 'q35', '-mem-path', '/mem']"
#define DISKLESS  "{" WORDS "}"
#define NAMED     "{" WORDS ", 'memory': [" KEPT "]}"
#define ALONE     "{" WORDS ", 'memory': [" PRIVATE "]}"
#define ON_SCREEN "{" WORDS ", 'detached': false}"

#define NO_DISKS   "{'disks': []}"
#define WITH_DISKS .guest = AS_IT_IS, .answers = AS_IT_IS

static GPtrArray *read_guests(const Setting *setting, const char *guest)
{
	GPtrArray *guests = facts_guests(setting->guests);

	g_ptr_array_add(guests, facts_guest(guest));
	if (setting->kin)
		g_ptr_array_add(guests, facts_guest(setting->kin));
	return guests;
}

static ExmForkFacts *read_facts(const Setting *setting)
{
	const char *guest = setting->guest ? setting->guest : DISKLESS;
	const char *answers = setting->answers ? setting->answers : NO_DISKS;
	ExmForkFacts *facts = exm_fork_facts_new();

	facts->freeze = facts_save(guest, answers, setting->qemu, false);
	facts->host = facts_host(setting->host);
	facts->place = facts_place("{'path': '/mem'}");
	facts->device = facts->freeze->device + (setting->beside ? 0 : 1);
	facts->reflink = setting->reflink;
	facts->guests = read_guests(setting, guest);
	return facts;
}

static ExmForkPlan *plan_fork(const Setting *setting, const ExmForkFacts *facts,
                              const ExmCloneRequest *clone, GError **error)
{
	ExmForkRequest request = {
		.freeze = { .name = setting->keep ? template_name : guest_name,
		            .directory = setting->keep ? kept_directory : dropped_directory },
		.clone = *clone,
		.keep = setting->keep,
	};

	request.clone.state_directory = state_directory;
	return exm_fork_plan(&request, facts, error);
}

static const ExmCloneRequest one_child = { .count = 1 };

static ExmForkPlan *plan_or_fail(const Setting *setting, const ExmForkFacts *facts,
                                 const ExmCloneRequest *clone)
{
	g_autoptr(GError) error = NULL;
	ExmForkPlan *plan = plan_fork(setting, facts, clone, &error);

	assert_no_error(error);
	return plan;
}

/* Memory in short: the guest's own file, where the children's is, and what a manifest would say. */
static char *print_memory(const ExmForkPlan *plan)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < plan->freeze->memory->len; i++) {
		const ExmSaveFile *file = plan->freeze->memory->pdata[i];
		const ExmTemplateMemory *block = plan->freeze->template->memory->pdata[i];
		const ExmFileFacts *found = plan->files->pdata[i];

		ck_assert_str_eq(found->path, file->path);
		ck_assert_uint_eq(found->size, block->size);
		ck_assert(found->exists && found->regular && found->readable && found->writable);
		g_string_append_printf(text, "%s%s %s %s", i ? "; " : "",
		                       plan->way == EXM_FORK_WRITE ? "-" : file->source, file->path,
		                       block->path);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

#define BEGIN "make-template hold-devices "
#define SUCCEED \
	BEGIN "lend-memory start-children sync-memory keep-memory save-devices take-place load-children "
#define REFLINK                                                                   \
	BEGIN "make-memory start-children sync-memory save-devices clone-memory " \
	      "resume-guest load-children "
#define WRITE BEGIN "make-memory start-children save-devices resume-guest load-children "

#define OWN_FILE    "/proc/42/fd/66"
#define BESIDE(tpl) "/mem/" RAM_FILE "." tpl "-1a2b"

/* How the guest goes on, and the memory of its children. */
static const struct {
	Setting setting;
	ExmForkWay way;
	const char *memory;
	const char *steps;
} ways[] = {
	{ { 0 },
	  EXM_FORK_SUCCEED,
	  OWN_FILE " " DROPPED_PLACE "/" RAM_FILE " " RAM_FILE,
	  SUCCEED "drop-template end-guest" },
	{ { .keep = true },
	  EXM_FORK_SUCCEED,
	  OWN_FILE " " KEPT_PLACE "/" RAM_FILE " " RAM_FILE,
	  SUCCEED "link-file flush-memory mark-file write-manifest end-guest" },
	/* A file with a name has it already. */
	{ { .guest = NAMED, .keep = true },
	  EXM_FORK_SUCCEED,
	  "/mem/ram /mem/ram /mem/ram",
	  SUCCEED "flush-memory mark-file write-manifest end-guest" },
	/* Blocks are shared on their own file system only. */
	{ { .reflink = true },
	  EXM_FORK_REFLINK,
	  OWN_FILE " " BESIDE("web") " " BESIDE("web"),
	  REFLINK "drop-template" },
	{ { .reflink = true, .beside = true },
	  EXM_FORK_REFLINK,
	  OWN_FILE " " DROPPED_PLACE "/" RAM_FILE " " RAM_FILE,
	  REFLINK "drop-template" },
	{ { .reflink = true, .keep = true },
	  EXM_FORK_REFLINK,
	  OWN_FILE " " BESIDE("base") " " BESIDE("base"),
	  REFLINK "flush-memory mark-file write-manifest" },
	/* It goes on by itself, so it may have a terminal, and a file with a name. */
	{ { .guest = NAMED, .reflink = true },
	  EXM_FORK_REFLINK,
	  "/mem/ram " BESIDE("web") " " BESIDE("web"),
	  REFLINK "drop-template" },
	{ { .guest = ON_SCREEN, .reflink = true },
	  EXM_FORK_REFLINK,
	  OWN_FILE " " BESIDE("web") " " BESIDE("web"),
	  REFLINK "drop-template" },
	{ { .guest = ALONE },
	  EXM_FORK_WRITE,
	  "- " BESIDE("web") " " BESIDE("web"),
	  WRITE "drop-template" },
	{ { .guest = ALONE, .beside = true, .keep = true },
	  EXM_FORK_WRITE,
	  "- " KEPT_PLACE "/" RAM_FILE " " RAM_FILE,
	  WRITE "flush-memory mark-file write-manifest" },
	/* What is private is in no file that could share blocks. */
	{ { .guest = ALONE, .reflink = true },
	  EXM_FORK_WRITE,
	  "- " BESIDE("web") " " BESIDE("web"),
	  WRITE "drop-template" },
};

START_TEST(how_a_guest_goes_on)
{
	const Setting *setting = &ways[_i].setting;
	g_autoptr(ExmForkFacts) facts = read_facts(setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(setting, facts, &one_child);

	ck_assert_int_eq(plan->way, ways[_i].way);
	ck_assert(plan->keep == setting->keep && !plan->paused);
	ck_assert_ptr_eq(plan->freeze->vm, facts->freeze->vm);
	ck_assert_str_eq(plan->freeze->temporary, setting->keep ? KEPT_PLACE : DROPPED_PLACE);
	ck_assert((exm_fork_heir(plan) != NULL) == (plan->way == EXM_FORK_SUCCEED));
	assert_text_and_free(print_memory(plan), ways[_i].memory);
	assert_text_and_free(facts_step_names(plan->freeze->steps), ways[_i].steps);
}
END_TEST

#define NODE(number, fd)                                                                \
	"{'id': 'ram-node" number "', 'offset': 0, 'size': 268435456, 'path': '/mem', " \
	"'unnamed': true, 'shared': true, 'backend': {'mem-path': '/proc/self/fd/" fd "'}}"
#define TWO_NODES \
	"{'command': ['-mem-path', '/mem'], 'memory': [" NODE("0", "70") ", " NODE("1", "71") "]}"
#define TWO_FILES "{'disks': [], 'backends': [], 'memory': [" FILE_ON("2") ", " FILE_ON("2") "]}"

/* The descriptors that children inherit: of the device state, then of each block. */
START_TEST(what_children_inherit)
{
	const Setting setting = { .guest = TWO_NODES, .answers = TWO_FILES, .reflink = true };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &one_child);
	const ExmStep *hold = plan->freeze->steps->pdata[1];

	ck_assert_int_eq(plan->inheritance.devices_fd, 64);
	ck_assert_int_eq(plan->inheritance.memory_fd, 65);
	ck_assert(!plan->inheritance.kept);
	ck_assert_int_eq(hold->kind, EXM_STEP_HOLD_DEVICES);
	ck_assert_int_eq(hold->fd, 64);
	for (int i = 0; i < 2; i++) {
		const ExmStep *make = plan->freeze->steps->pdata[2 + i];

		ck_assert_int_eq(make->kind, EXM_STEP_MAKE_MEMORY);
		ck_assert_int_eq(make->fd, 65 + i);
		ck_assert_uint_eq(make->bytes, 268435456);
	}
}
END_TEST

/* What is stopped before its state is taken. */
static const struct {
	Setting setting;
	bool stop;
} stops[] = {
	{ { .reflink = true }, true },
	{ { .reflink = true, .qemu = "10.0" }, false },
	{ { .guest = ALONE, .qemu = "10.0" }, true },
	/* A disk moves while the guest rests. */
	{ { WITH_DISKS, .reflink = true, .qemu = "10.0" }, true },
};

START_TEST(what_is_stopped_first)
{
	g_autoptr(ExmForkFacts) facts = read_facts(&stops[_i].setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&stops[_i].setting, facts, &one_child);

	ck_assert(plan->freeze->stop == stops[_i].stop);
	ck_assert(plan->freeze->template->paused == stops[_i].stop);
}
END_TEST

#define STATUS(text)  "{'disks': [], 'status': {" text "}}"
#define UNNAMED_DISK  "{'command': ['-hda', 'a.img'], 'disks': [" OVERLAY("0", "68") "]}"
#define UNNAMED_IMAGE "{'disks': [" DRIVE("/proc/self/fd/68", "false") "]}"
#define PORT          "{'command': ['-mem-path', '/mem', '-nic', 'user,hostfwd=tcp::22-:22']}"
#define SOCKET \
	"{'command': ['-mem-path', '/mem', '-chardev', 'socket,id=c,path=/run/@{name},server=on']}"
#define NO_VMGENID "{" WORDS ", 'argv': ['q']}"

static const struct {
	Setting setting;
	ExmCloneRequest clone;
	ExmErrorCode code;
	const char *message;
} refusals[] = {
	{ { .answers = STATUS("'status': 'paused', 'running': false") },
	  { .count = 1 },
	  EXM_ERROR_STATE,
	  "guest 'web' does not run, but is in state 'paused': let it go on first, or freeze it by "
	  "'exomem save' and start children by 'exomem clone'" },
	{ { .answers = STATUS("'running': false") },
	  { .count = 1 },
	  EXM_ERROR_STATE,
	  "guest 'web' does not run, but is in state 'unknown': let it go on first, or freeze it by "
	  "'exomem save' and start children by 'exomem clone'" },
	{ { .answers = "{'disks': [], 'migration': {'status': 'active'}}" },
	  { .count = 1 },
	  EXM_ERROR_STATE,
	  "guest 'web' is being migrated" },
	{ { .answers = "{'disks': [], 'target': " FILE_ON("1") "}", .keep = true },
	  { .count = 1 },
	  EXM_ERROR_STATE,
	  "'" KEPT_PLACE "' exists: name another template, or remove it by 'exomem template remove'" },
	/* Where a child would have to take its place. */
	{ { .guest = ON_SCREEN },
	  { .count = 1 },
	  EXM_ERROR_UNSUPPORTED,
	  "guest 'web' shares its memory with '/mem', which has no reflinks, so a child would have "
	  "to take its place, but it is in the foreground: start it with '--detach', or with memory "
	  "on XFS or btrfs" },
	{ { .guest = NAMED },
	  { .count = 1 },
	  EXM_ERROR_UNSUPPORTED,
	  "the memory of guest 'web' is a file with a name, which its children would need: say "
	  "'--keep' to make it a template's, or start the guest with 'mode=temp', or with memory on "
	  "XFS or btrfs" },
	{ { .guest = UNNAMED_DISK, .answers = UNNAMED_IMAGE, .reflink = true },
	  { .count = 1 },
	  EXM_ERROR_UNSUPPORTED,
	  "guest 'web' writes to an overlay without a name, which its children would need: say "
	  "'--keep' to make it a template's" },
	/* What the guest and the child that takes its place would both have for a moment. */
	{ { .guest = SOCKET },
	  { .count = 1 },
	  EXM_ERROR_STATE,
	  "'-chardev socket,id=c,path=/run/web,server=on' can be had once, and the child that would "
	  "take the place of guest 'web' has its name: write '@{index}' or '@{dir}' in it, or start "
	  "the guest with memory on XFS or btrfs" },
	/* What a clone would be refused for; the guest itself is one of those who want it. */
	{ { .guest = PORT },
	  { .count = 1 },
	  EXM_ERROR_STATE,
	  "'-nic user,hostfwd=tcp::22-:22': host port 22 can be had once: write "
	  "'hostfwd=tcp::@{index+22}-:22'" },
	{ { .guest = NO_VMGENID },
	  { .count = 1 },
	  EXM_ERROR_STATE,
	  "template 'web' has no vmgenid, so its children would not know that they are several: say "
	  "'--identical' if that is meant" },
	{ { .guests = "web-2 0 " }, { .count = 2 }, EXM_ERROR_STATE, "name 'web-2' is taken (pid 42)" },
	{ { 0 }, { .count = 1, .name = guest_name }, EXM_ERROR_STATE, "name 'web' is taken (pid 42)" },
	/* The one that takes the guest's place needs room too. */
	{ { .host = "{'ram-available': 33554432}" },
	  { .count = 2 },
	  EXM_ERROR_NO_ROOM,
	  "3 children need at least 48 MiB beside what they share, 16 MiB each; 32 MiB of memory "
	  "and swap are free" },
};

START_TEST(refused)
{
	g_autoptr(ExmForkFacts) facts = read_facts(&refusals[_i].setting);
	g_autoptr(GError) error = NULL;

	ck_assert_ptr_null(plan_fork(&refusals[_i].setting, facts, &refusals[_i].clone, &error));
	assert_error(error, refusals[_i].code, refusals[_i].message);
	ck_assert_str_eq(error->message, refusals[_i].message);
}
END_TEST

/* Where it goes on by itself, a name may tell its children apart. */
START_TEST(a_socket_of_each_name)
{
	const Setting setting = { .guest = SOCKET, .reflink = true };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &one_child);

	ck_assert_int_eq(plan->way, EXM_FORK_REFLINK);
}
END_TEST

/* Just enough, where the guest goes on by itself. */
START_TEST(room_for_two)
{
	const Setting setting = { .host = "{'ram-available': 33554432}", .reflink = true };
	const ExmCloneRequest clone = { .count = 2 };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &clone);

	ck_assert_uint_eq(plan->children->len, 2);
}
END_TEST

#define NAMED_DISK(path) \
	"{'command': ['-hda', 'a.img'], 'disks': [{'word': 0, 'path': '" path "', 'backing': 'a'}]}"
#define IMAGE(path) "{'disks': [" DRIVE(path, "false") "]}"

/* What the guest writes to from then on, and what it would lose. */
static const struct {
	Setting setting;
	const char *overlays;
	const char *losses;
} disks[] = {
	{ { .reflink = true }, "", "" },
	{ { WITH_DISKS, .reflink = true },
	  "/srv/a.img.web-1a2b.qcow2",
	  "'web' writes to '/srv/a.img.web-1a2b.qcow2' from then on; '/srv/a.img' stays as it was" },
	{ { .guest = "{'command': ['-hda', 'a.img', '-hdb', '/disks/b.qcow2']}",
	    .answers = "{'disks': [" DRIVE("a.img", "false") ", " DRIVE(
		    "/disks/b.qcow2", "false") "], "
	                                       "'images': [" FILE_ON("1") ", " FILE_ON("1") "]}",
	    .reflink = true },
	  "/srv/a.img.web-1a2b.qcow2 /disks/b.qcow2.web-1a2b.qcow2",
	  "'web' writes to '/srv/a.img.web-1a2b.qcow2' from then on; '/srv/a.img' stays as it was\n"
	  "'web' writes to '/disks/b.qcow2.web-1a2b.qcow2' from then on; '/disks/b.qcow2' stays as "
	  "it was" },
	/* A second fork does not make the name longer; one of a child of a fork has both names. */
	{ { .guest = NAMED_DISK("/srv/a.img.web-0f0f.qcow2"),
	    .answers = IMAGE("/srv/a.img.web-0f0f.qcow2"),
	    .reflink = true },
	  "/srv/a.img.web-1a2b.qcow2",
	  "'web' writes to '/srv/a.img.web-1a2b.qcow2' from then on; '/srv/a.img.web-0f0f.qcow2' "
	  "stays as it was" },
	{ { .guest = NAMED_DISK("/srv/a.img.db-0f0f.qcow2"),
	    .answers = IMAGE("/srv/a.img.db-0f0f.qcow2"),
	    .reflink = true },
	  "/srv/a.img.db-0f0f.qcow2.web-1a2b.qcow2",
	  "'web' writes to '/srv/a.img.db-0f0f.qcow2.web-1a2b.qcow2' from then on; "
	  "'/srv/a.img.db-0f0f.qcow2' stays as it was" },
	/* What only looks like it. */
	{ { .guest = NAMED_DISK("/srv/a.web-0f0.qcow2"),
	    .answers = IMAGE("/srv/a.web-0f0.qcow2"),
	    .reflink = true },
	  "/srv/a.web-0f0.qcow2.web-1a2b.qcow2",
	  "'web' writes to '/srv/a.web-0f0.qcow2.web-1a2b.qcow2' from then on; "
	  "'/srv/a.web-0f0.qcow2' stays as it was" },
	{ { .guest = NAMED_DISK("/srv/a.web-0f0f.raw"),
	    .answers = IMAGE("/srv/a.web-0f0f.raw"),
	    .reflink = true },
	  "/srv/a.web-0f0f.raw.web-1a2b.qcow2",
	  "'web' writes to '/srv/a.web-0f0f.raw.web-1a2b.qcow2' from then on; "
	  "'/srv/a.web-0f0f.raw' stays as it was" },
	{ { .guest = ALONE }, "", "'web' rests while its memory is written" },
	{ { 0 },
	  "",
	  "'web' goes on in another process: connections of its user network and of its monitors and "
	  "console end\n"
	  "'web' has index 2 from then on, where a placeholder says so" },
};

static char *join(const GPtrArray *words, const char *between)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < words->len && words->pdata[i]; i++)
		g_string_append_printf(text, "%s%s", i ? between : "", (char *)words->pdata[i]);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

START_TEST(what_the_guest_loses)
{
	g_autoptr(ExmForkFacts) facts = read_facts(&disks[_i].setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&disks[_i].setting, facts, &one_child);

	ck_assert_ptr_null(plan->overlays->pdata[plan->overlays->len - 1]);
	assert_text_and_free(join(plan->overlays, " "), disks[_i].overlays);
	assert_text_and_free(join(plan->losses, "\n"), disks[_i].losses);
}
END_TEST

/* Steps of disks; those of a child's overlay without a name give it one. */
static const struct {
	Setting setting;
	const char *steps;
} moves[] = {
	{ { WITH_DISKS, .reflink = true },
	  "make-template make-overlay make-overlay hold-devices make-memory start-children "
	  "sync-memory move-disk save-devices clone-memory resume-guest load-children drop-template" },
	{ { WITH_DISKS },
	  "make-template make-overlay make-overlay hold-devices lend-memory start-children "
	  "sync-memory keep-memory save-devices take-place load-children drop-template end-guest" },
	{ { .guest = UNNAMED_DISK, .answers = UNNAMED_IMAGE, .reflink = true, .keep = true },
	  "make-template link-file make-overlay make-overlay hold-devices make-memory start-children "
	  "sync-memory move-disk save-devices clone-memory resume-guest load-children flush-memory mark-file "
	  "write-manifest" },
};

START_TEST(where_disks_move)
{
	g_autoptr(ExmForkFacts) facts = read_facts(&moves[_i].setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&moves[_i].setting, facts, &one_child);

	assert_text_and_free(facts_step_names(plan->freeze->steps), moves[_i].steps);
}
END_TEST

#define RELATIVE(name, index, parent) \
	"{" WORDS ", 'name': '" name "', 'index': " index ", 'parent': '" parent "'}"

/* Names and indices of the children, and the index of the one that takes the guest's place. */
static const struct {
	Setting setting;
	ExmCloneRequest clone;
	const char *children;
	uint32_t heir;
} families[] = {
	{ { .reflink = true }, { .count = 2 }, "web-1:1 web-2:2", 0 },
	{ { 0 }, { .count = 2 }, "web-1:1 web-2:2", 3 },
	{ { 0 }, { .count = 1, .name = short_name }, "x:1", 2 },
	{ { .keep = true }, { .count = 1 }, "base-1:1", 2 },
	/* Children of earlier forks, and the guest itself where it has been one, have theirs. */
	{ { .kin = RELATIVE("web-1", "1", "web") }, { .count = 1 }, "web-2:2", 3 },
	{ { .kin = RELATIVE("web-2", "2", "web") }, { .count = 1 }, "web-1:1", 3 },
	/* So have those that the guest was forked from, and children of its children. */
	{ { .kin = RELATIVE("first", "1", "first") }, { .count = 1 }, "web-2:2", 3 },
	{ { .kin = RELATIVE("web-1-1", "2", "web-1") }, { .count = 1 }, "web-1:1", 3 },
	{ { .guest = "{" WORDS ", 'index': 1}" }, { .count = 1 }, "web-2:2", 3 },
	/* A name that only the guest's own number would make is no matter. */
	{ { .guests = "web-2 0 " }, { .count = 1 }, "web-1:1", 2 },
	{ { .guests = "web-2 0 " }, { .count = 1, .name = short_name }, "x:1", 2 },
	/* Another guest has another command line. */
	{ { .guests = "other 1 " }, { .count = 1 }, "web-1:1", 2 },
};

START_TEST(names_and_indices)
{
	g_autoptr(ExmForkFacts) facts = read_facts(&families[_i].setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&families[_i].setting, facts, &families[_i].clone);
	const ExmRunRequest *heir = exm_fork_heir(plan);
	g_autoptr(GString) text = g_string_new(NULL);

	ck_assert_uint_eq(heir ? heir->index : 0, families[_i].heir);
	for (guint i = 0; i < plan->children->len; i++) {
		const ExmRunRequest *child = plan->children->pdata[i];

		ck_assert(child->detach && child->waiting && child->paused && child->identity);
		ck_assert_ptr_eq(child->template, plan->freeze->template);
		ck_assert_ptr_eq(child->inheritance, &plan->inheritance);
		ck_assert_str_eq(child->state_directory, state_directory);
		if (child == heir)
			continue;
		ck_assert_ptr_null(child->place);
		ck_assert_ptr_null(child->overlays);
		g_string_append_printf(text, "%s%s:%u", i ? " " : "", child->name, child->index);
	}
	ck_assert_str_eq(text->str, families[_i].children);
}
END_TEST

/* It is told to the children, and kept from the one that takes the guest's place. */
START_TEST(children_that_rest)
{
	const Setting setting = { 0 };
	const ExmCloneRequest clone = { .count = 1, .paused = true };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &clone);

	ck_assert(plan->paused);
}
END_TEST

START_TEST(the_heir)
{
	const Setting setting = { WITH_DISKS };
	const ExmCloneRequest clone = { .count = 1, .no_kernel = true };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &clone);
	const ExmRunRequest *heir = exm_fork_heir(plan);

	ck_assert_ptr_eq(heir, plan->children->pdata[1]);
	ck_assert_str_eq(heir->name, "web");
	ck_assert_str_eq(heir->place, "web.heir-1a2b");
	ck_assert_str_eq(heir->overlays[0], "/srv/a.img.web-1a2b.qcow2");
	ck_assert_ptr_null(heir->overlays[1]);
	/* The guest itself shall go on as it was. */
	ck_assert(!heir->no_kernel);
	ck_assert(((const ExmRunRequest *)plan->children->pdata[0])->no_kernel);
}
END_TEST

static ExmPlan *plan_child(const ExmForkPlan *plan, const ExmForkFacts *facts, guint index)
{
	g_autoptr(ExmPlace) disk_place = facts_place("{'path': '" TEMPLATES "'}");
	g_autoptr(GError) error = NULL;
	char uuid[] = "UUID";
	char generation_id[] = "GUID";
	char random[] = "5e6f";
	const ExmRunFacts run = {
		.caps = facts->freeze->caps,
		.host = facts->host,
		.place = facts->place,
		.disk_place = disk_place,
		.files = plan->files,
		.uuid = uuid,
		.generation_id = generation_id,
		.random = random,
	};
	ExmPlan *child = exm_run_plan(plan->children->pdata[index], &run, &error);

	assert_no_error(error);
	return child;
}

#define QEMU   "/usr/bin/qemu-system-x86_64"
#define OBJECT " -object memory-backend-file,id=pc.ram,size=536870912,mem-path=/proc/self/fd/65"
#define IDENTITY(name, index)                                                 \
	" -machine memory-backend=pc.ram -device vmgenid,guid=GUID"           \
	" -fw_cfg name=opt/exomem/identity,string=name=" name " index=" index \
	" uuid=UUID parent=web template=web"
#define WAITING(directory) \
	" -machine pc-q35-7.2 -incoming defer -S -readconfig /run/exomem/" directory "/control.conf"

/* It inherits its files, waits for its state, and has an overlay of its own. */
START_TEST(plan_of_a_child)
{
	const Setting setting = { WITH_DISKS };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &one_child);
	g_autoptr(ExmPlan) child = plan_child(plan, facts, 0);
	const ExmPlanMemory *memory = child->memory->pdata[0];

	assert_text_and_free(exm_steps_to_text(child->steps),
	                     "# steps\n"
	                     "claim-name      /run/exomem/web-1\n"
	                     "inherit         " DROPPED_PLACE "/devices\n"
	                     "create-unnamed  /templates\n"
	                     "copy-overlay    " DROPPED_PLACE "/disk0.qcow2\n"
	                     "inherit         " DROPPED_PLACE "/" RAM_FILE "\n"
	                     "listen          /run/exomem/web-1/control.sock\n"
	                     "listen          /run/exomem/web-1/events.sock\n"
	                     "configure       /run/exomem/web-1/control.conf\n"
	                     "record-guest    /run/exomem/web-1\n"
	                     "keep-log        /run/exomem/web-1/log\n"
	                     "leave-terminal  /dev/null\n"
	                     "guard-memory    " DROPPED_PLACE "\n"
	                     "chdir           /srv\n"
	                     "exec            " QEMU "\n");
	assert_text_and_free(facts_words(child),
	                     QEMU " -M q35 -drive file=/proc/self/fd/67,index=0,media=disk,"
	                          "format=qcow2 -name guest=web-1" OBJECT
	                          ",share=off,reserve=off" IDENTITY("web-1", "1") WAITING("web-1"));
	ck_assert(child->waiting && child->paused && !child->kept);
	ck_assert(memory->unnamed && !memory->shared);
	ck_assert_str_eq(memory->path, "/mem");
}
END_TEST

/* It has the guest's name, its disks, and a place of its own until it takes the guest's. */
START_TEST(plan_of_the_heir)
{
	const Setting setting = { WITH_DISKS, .keep = true };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &one_child);
	g_autoptr(ExmPlan) heir = plan_child(plan, facts, 1);
	g_autoptr(ExmJson) found = exm_plan_disks_to_json(heir);
	g_autoptr(ExmJson) wanted = facts_json("[{'word': 2, 'path': '/srv/a.img.web-1a2b.qcow2',"
	                                       " 'backing': '/srv/a.img'}]");
	g_autofree char *words = facts_words(heir);

	ck_assert_str_eq(heir->name, "web");
	ck_assert_str_eq(heir->directory, "/run/exomem/web.heir-1a2b");
	ck_assert(heir->kept && heir->index == 2);
	ck_assert_msg(json_object_equal(found, wanted), "%s", json_object_to_json_string(found));
	ck_assert_ptr_nonnull(strstr(words, " -drive file=/srv/a.img.web-1a2b.qcow2,"));
	ck_assert_ptr_nonnull(strstr(words, " -name guest=web -object "));
	assert_text_and_free(facts_step_names(heir->steps),
	                     "claim-name inherit inherit listen listen configure record-guest "
	                     "keep-log leave-terminal guard-memory chdir exec");
}
END_TEST

START_TEST(printed_forms)
{
	const Setting setting = { .keep = true };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &one_child);
	g_autoptr(ExmJson) json = exm_fork_plan_to_json(plan);
	g_autoptr(ExmJson) names = facts_json("['base-1']");

	ck_assert_uint_eq(exm_json_get_uint(json, "schema"), 1);
	ck_assert_str_eq(exm_json_get_string(json, "name"), "web");
	ck_assert_str_eq(exm_json_get_string(json, "way"), "succeed");
	ck_assert_str_eq(exm_json_get_string(json, "template"), KEPT_PLACE);
	ck_assert(json_object_equal(exm_json_member(json, "children"), names));
	ck_assert_uint_eq(json_object_array_length(exm_json_member(json, "losses")), 2);
	ck_assert_uint_eq(json_object_array_length(exm_json_member(json, "steps")),
	                  plan->freeze->steps->len);
	assert_text_and_free(
		exm_fork_plan_to_text(plan),
		"# way\n"
		"succeed\n"
		"# what the guest loses\n"
		"'web' goes on in another process: connections of its user network and of its "
		"monitors and console end\n"
		"'web' has index 2 from then on, where a placeholder says so\n"
		"# steps\n"
		"make-template   " KEPT_PLACE "\n"
		"hold-devices    " KEPT_PLACE "/devices\n"
		"lend-memory     " KEPT_PLACE "/" RAM_FILE ", 536870912 bytes (512 MiB)\n"
		"start-children  web\n"
		"sync-memory     web\n"
		"keep-memory     web\n"
		"save-devices    " KEPT_PLACE "/devices\n"
		"take-place      web\n"
		"load-children   web\n"
		"link-file       " KEPT_PLACE "/" RAM_FILE "\n"
		"flush-memory    web\n"
		"mark-file       " KEPT_PLACE "/" RAM_FILE "\n"
		"write-manifest  " KEPT_PLACE "/manifest.json\n"
		"end-guest       web\n");
}
END_TEST

/* Nothing is lost, and no template stays. */
START_TEST(printed_forms_of_little)
{
	const Setting setting = { .reflink = true };
	g_autoptr(ExmForkFacts) facts = read_facts(&setting);
	g_autoptr(ExmForkPlan) plan = plan_or_fail(&setting, facts, &one_child);
	g_autoptr(ExmJson) json = exm_fork_plan_to_json(plan);
	g_autofree char *text = exm_fork_plan_to_text(plan);

	ck_assert_str_eq(exm_json_get_string(json, "way"), "reflink");
	ck_assert_ptr_null(exm_json_member(json, "template"));
	ck_assert_uint_eq(json_object_array_length(exm_json_member(json, "losses")), 0);
	ck_assert(g_str_has_prefix(text, "# way\nreflink\n# steps\nmake-template "));
	exm_fork_facts_free(NULL);
	exm_fork_plan_free(NULL);
}
END_TEST

Suite *fork_suite(void)
{
	Suite *suite = suite_create("fork");
	TCase *tcase = tcase_create("fork");

	tcase_add_loop_test(tcase, how_a_guest_goes_on, 0, G_N_ELEMENTS(ways));
	tcase_add_test(tcase, what_children_inherit);
	tcase_add_loop_test(tcase, what_is_stopped_first, 0, G_N_ELEMENTS(stops));
	tcase_add_loop_test(tcase, refused, 0, G_N_ELEMENTS(refusals));
	tcase_add_test(tcase, a_socket_of_each_name);
	tcase_add_test(tcase, room_for_two);
	tcase_add_loop_test(tcase, what_the_guest_loses, 0, G_N_ELEMENTS(disks));
	tcase_add_loop_test(tcase, where_disks_move, 0, G_N_ELEMENTS(moves));
	tcase_add_loop_test(tcase, names_and_indices, 0, G_N_ELEMENTS(families));
	tcase_add_test(tcase, children_that_rest);
	tcase_add_test(tcase, the_heir);
	tcase_add_test(tcase, plan_of_a_child);
	tcase_add_test(tcase, plan_of_the_heir);
	tcase_add_test(tcase, printed_forms);
	tcase_add_test(tcase, printed_forms_of_little);
	suite_add_tcase(suite, tcase);
	return suite;
}
