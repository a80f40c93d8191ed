/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pmem.c - Persistent memory: what there is, and giving it up */

#include "op/pmem.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "host/claim_store.h"
#include "host/lock.h"
#include "host/namespaces.h"
#include "host/scrub.h"
#include "host/state.h"
#include "host/state_root.h"
#include "host/template_store.h"
#include "op/probe.h"

/* So much is lost of a scrub at most when power is cut; and a record costs two syncs. */
#define RECORD_EVERY EXM_GIB

/* A template that was removed, or whose guest goes on, keeps nobody away from its memory. */
static void forget_templates(const GPtrArray *claims)
{
	for (guint i = 0; i < claims->len; i++) {
		ExmClaim *claim = claims->pdata[i];

		if (claim->template && !exm_template_store_has(claim->template))
			g_free(g_steal_pointer(&claim->template));
	}
}

/**
 * exm_op_pmem_read() - Read what persistent memory there is, and whose it is
 * @source: where facts are to be had
 * @error:  USAGE for pmem_namespaces, UNSUPPORTED without libndctl, STATE for a claim, SYSTEM
 *
 * Return: it (transfer full), its pool not yet held against its namespaces; or NULL.
 */
ExmPmem *exm_op_pmem_read(const ExmPmemSource *source, GError **error)
{
	g_autoptr(ExmPmem) pmem = NULL;
	g_autoptr(ExmJson) recorded = NULL;

	if (source->recorded) {
		recorded = exm_facts_recorded(source->recorded, error);
		if (recorded && source->pool)
			exm_json_set_string(recorded, "pmem-namespaces", source->pool);
		return recorded ? exm_pmem_from_json(recorded, error) : NULL;
	}
	pmem = exm_pmem_new();
	pmem->pool = exm_pool_parse(source->pool, error);
	/* Claims first: one that is made while we look is then seen by its lock. */
	if (!pmem->pool || !exm_claim_store_read_all(source->directory, pmem->claims, error) ||
	    !exm_namespaces_read(pmem->namespaces, error))
		return NULL;
	forget_templates(pmem->claims);
	return g_steal_pointer(&pmem);
}

static char **loaded_modules(const char *release)
{
	g_autoptr(GStrvBuilder) loaded = g_strv_builder_new();
	g_autofree char *list = g_strdup_printf("/lib/modules/%s/modules.builtin", release);
	g_autofree char *builtin = NULL;

	exm_file_read(list, &builtin, NULL, NULL);
	for (size_t i = 0; exm_pmem_modules[i]; i++) {
		g_autofree char *path = g_strdup_printf("/sys/module/%s", exm_pmem_modules[i]);
		g_autofree char *line = g_strdup_printf("/%s.ko\n", exm_pmem_modules[i]);

		if (access(path, F_OK) == 0 || (builtin && strstr(builtin, line)))
			g_strv_builder_add(loaded, exm_pmem_modules[i]);
	}
	return g_strv_builder_end(loaded);
}

/**
 * exm_op_pmem_host() - What persistent memory needs beside itself
 * @sources: where a QEMU is to be had
 *
 * Return: it (transfer full).
 */
ExmPmemHost *exm_op_pmem_host(const ExmSources *sources)
{
	ExmPmemHost *host = g_new0(ExmPmemHost, 1);
	g_autoptr(ExmCaps)
		caps = exm_op_probe(sources->qemu, sources->cache_directory, false, NULL, NULL);
	g_autoptr(GError) problem = NULL;
	g_autoptr(ExmPmem) pmem = exm_pmem_new();
	struct utsname info = { .release = "" };

	uname(&info);
	host->kernel = g_strdup(info.release);
	host->modules = loaded_modules(info.release);
	if (!exm_namespaces_read(pmem->namespaces, &problem))
		host->ndctl = g_strdup(problem->message);
	host->qemu_version = caps ? g_strdup(caps->version) : NULL;
	return host;
}

/**
 * struct Cleaning - A scrub on its way
 * @directory: of claims
 * @seen:      what was remembered of the namespace when this was decided, or NULL
 * @progress:  is told how far it is; may be NULL
 * @claim:     as it stands on disk
 * @what:      for the progress bar
 * @all:       bytes of the namespace
 */
typedef struct {
	const char *directory;
	const ExmClaim *seen;
	ExmProgress progress;
	ExmClaim *claim;
	const char *what;
	uint64_t all;
} Cleaning;

static bool tell_zeroed(uint64_t done, void *user, GError **error)
{
	Cleaning *cleaning = user;

	if (cleaning->progress)
		cleaning->progress(cleaning->what, done, cleaning->all);
	if (done < cleaning->claim->scrubbed + RECORD_EVERY)
		return true;
	cleaning->claim->scrubbed = done;
	return exm_claim_store_write(cleaning->directory, cleaning->claim, error);
}

static bool tell_verified(uint64_t done, void *user, G_GNUC_UNUSED GError **error)
{
	const Cleaning *cleaning = user;

	if (cleaning->progress)
		cleaning->progress(cleaning->what, done, cleaning->all);
	return true;
}

static ExmScrub scrub_of(int fd, const ExmNamespace *namespace)
{
	return (ExmScrub){
		.fd = fd,
		.path = namespace->path,
		.size = namespace->size - namespace->size % namespace->align,
		.align = namespace->align,
	};
}

static bool zero_and_verify(int fd, const ExmNamespace *namespace, Cleaning *cleaning,
                            ExmScrubbed *scrubbed, GError **error)
{
	const ExmScrub scrub = scrub_of(fd, namespace);
	const uint64_t from = cleaning->claim->scrubbed;
	const gint64 start = g_get_monotonic_time();
	gint64 zeroed;

	if (!exm_scrub_zero(&scrub, from, tell_zeroed, cleaning, error))
		return false;
	zeroed = g_get_monotonic_time();
	cleaning->what = "verify";
	if (!exm_scrub_verify(&scrub, tell_verified, cleaning, error))
		return false;
	scrubbed->bytes = scrub.size - from;
	scrubbed->zero_us = (uint64_t)(zeroed - start);
	scrubbed->verify_us = (uint64_t)(g_get_monotonic_time() - zeroed);
	return true;
}

/* From where a scrub that was interrupted goes on; from the start where the namespace changed. */
static void begin(ExmClaim *claim, const ExmNamespace *namespace)
{
	if (!claim->dirty || claim->size != namespace->size)
		claim->scrubbed = 0;
	claim->dirty = true;
	claim->size = namespace->size;
}

static ExmClaim *claim_of_nobody(const ExmNamespace *namespace)
{
	ExmClaim *claim = exm_claim_new();

	claim->uuid = g_strdup(namespace->uuid);
	claim->namespace = g_strdup(exm_namespace_title(namespace));
	return claim;
}

/**
 * exm_op_pmem_set_clean() - Remember that a namespace is zero and nobody's
 * @namespace: it
 * @directory: of claims
 * @error:     SYSTEM or NO_ROOM
 *
 * A namespace that nothing is remembered of may hold anything, and is scrubbed before a guest gets it.
 */
bool exm_op_pmem_set_clean(const ExmNamespace *namespace, const char *directory, GError **error)
{
	g_autoptr(ExmClaim) claim = claim_of_nobody(namespace);

	claim->size = namespace->size;
	claim->scrubbed = namespace->size;
	return exm_claim_store_write(directory, claim, error);
}

static bool continue_reading(G_GNUC_UNUSED uint64_t done, G_GNUC_UNUSED void *user,
                             G_GNUC_UNUSED GError **error)
{
	return true;
}

/**
 * exm_op_pmem_drop_unused() - Give up a claim of a start whose guest was never seen to run
 * @fd:        device of the namespace, whose lock is ours
 * @namespace: the namespace
 * @claim:     what is remembered of it; has no start any more when it is kept
 * @directory: of claims
 * @error:     STATE where the namespace is not zero: the guest has run, and keeps it; SYSTEM
 */
bool exm_op_pmem_drop_unused(int fd, const ExmNamespace *namespace, ExmClaim *claim,
                             const char *directory, GError **error)
{
	const ExmScrub scrub = scrub_of(fd, namespace);

	if (exm_scrub_verify(&scrub, continue_reading, NULL, NULL))
		return exm_op_pmem_set_clean(namespace, directory, error);
	g_free(g_steal_pointer(&claim->start));
	return exm_claim_store_write(directory, claim, error) &&
	       exm_throw(error, EXM_ERROR_STATE, "namespace '%s' holds data of guest '%s'",
	                 exm_namespace_title(namespace), claim->guest);
}

/* What was decided was decided by what was remembered before the lock was ours. */
static bool check_unchanged(const ExmNamespace *namespace, const ExmClaim *seen,
                            const ExmClaim *now, GError **error)
{
	return exm_claim_same(seen, now) ||
	       exm_throw(error, EXM_ERROR_STATE, "namespace '%s' has just been claimed: try again",
	                 exm_namespace_title(namespace));
}

static bool clean(int fd, const ExmNamespace *namespace, Cleaning *cleaning, ExmScrubbed *scrubbed,
                  GError **error)
{
	const char *directory = cleaning->directory;
	g_autoptr(ExmClaim) claim = NULL;

	if (!exm_claim_store_read(directory, namespace->uuid, &claim, error) ||
	    !check_unchanged(namespace, cleaning->seen, claim, error))
		return false;

	if (!claim)
		claim = claim_of_nobody(namespace);
	begin(claim, namespace);
	cleaning->claim = claim;
	cleaning->what = "scrub";
	cleaning->all = namespace->size;
	/* Before the first byte: from here on nobody gets it until all is done. */
	if (!exm_claim_store_write(directory, claim, error))
		return false;
	if (!zero_and_verify(fd, namespace, cleaning, scrubbed, error)) {
		/* Where it was not zero after all, the next one begins anew. */
		if (strcmp(cleaning->what, "verify") == 0) {
			claim->scrubbed = 0;
			exm_claim_store_write(directory, claim, NULL);
		}
		return false;
	}
	return exm_op_pmem_set_clean(namespace, directory, error);
}

/**
 * exm_op_pmem_clean() - Scrub a namespace for a guest, and forget whose it was
 * @fd:        its device, whose lock is ours
 * @namespace: it
 * @seen:      what was remembered of it when this was decided, or NULL
 * @directory: of claims
 * @progress:  is told how far it is; may be NULL
 * @error:     STATE where it has another guest now, or holds data of one that was not seen to run;
 *             SYSTEM: then the namespace stays marked, and the next scrub goes on
 */
bool exm_op_pmem_clean(int fd, const ExmNamespace *namespace, const ExmClaim *seen,
                       const char *directory, ExmProgress progress, GError **error)
{
	Cleaning cleaning = { directory, seen, progress, NULL, NULL, 0 };
	g_autoptr(ExmClaim) now = NULL;
	ExmScrubbed scrubbed;

	if (!exm_claim_store_read(directory, namespace->uuid, &now, error) ||
	    !check_unchanged(namespace, seen, now, error))
		return false;
	if (now && now->start && !exm_claim_waits(now))
		return exm_op_pmem_drop_unused(fd, namespace, now, directory, error);
	return clean(fd, namespace, &cleaning, &scrubbed, error);
}

static bool lock(int fd, const ExmNamespace *namespace, GError **error)
{
	bool taken;
	pid_t holder;

	if (!exm_lock_take(fd, false, &taken, error))
		return false;
	if (taken)
		return true;
	holder = exm_lock_holder(fd);
	return exm_throw(error, EXM_ERROR_STATE, "namespace '%s' is in use by pid %d",
	                 exm_namespace_title(namespace), (int)holder);
}

static bool check_idle(const ExmNamespace *namespace, GError **error)
{
	const char *title = exm_namespace_title(namespace);

	if (!exm_namespace_check(namespace, error))
		return false;
	if (namespace->locked_by)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "namespace '%s' is in use by pid %" G_GUINT64_FORMAT, title,
		                 namespace->locked_by);
	return !namespace->used_by ||
	       exm_throw(error, EXM_ERROR_STATE, "namespace '%s' is in use: %s", title,
	                 namespace->used_by);
}

static bool scrub_one(const ExmPmem *pmem, const ExmNamespace *namespace, const char *directory,
                      ExmProgress progress, GPtrArray *done, GError **error)
{
	Cleaning cleaning = { directory, exm_pmem_claim_of(pmem, namespace), progress, NULL, NULL, 0 };
	exm_autofd int fd = -1;
	g_autofree ExmScrubbed *scrubbed = g_new0(ExmScrubbed, 1);

	if (!check_idle(namespace, error) || !exm_scrub_open(namespace->path, &fd, error) ||
	    !lock(fd, namespace, error) || !clean(fd, namespace, &cleaning, scrubbed, error))
		return false;
	scrubbed->title = g_strdup(exm_namespace_title(namespace));
	g_ptr_array_add(done, g_steal_pointer(&scrubbed));
	return true;
}

static void scrubbed_free(gpointer data)
{
	ExmScrubbed *scrubbed = data;

	g_free(scrubbed->title);
	g_free(scrubbed);
}

static bool is_called(const ExmClaim *claim, const char *word)
{
	return strcmp(claim->namespace, word) == 0 || strcmp(claim->uuid, word) == 0;
}

/* Guests of one name in several state directories are several guests. */
static bool check_one_guest(const ExmClaim *one, const ExmClaim *other, GError **error)
{
	return !one || g_strcmp0(one->state_directory, other->state_directory) == 0 ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "guests '%s' of state directories '%s' and '%s' both have persistent memory: "
	                 "name a namespace, which 'exomem pmem allocations --json' shows",
	                 one->guest, one->state_directory ? one->state_directory : "-",
	                 other->state_directory ? other->state_directory : "-");
}

/* Which namespaces a guest has. */
static bool find_of_guest(const ExmPmem *pmem, const char *guest, GPtrArray *found, GError **error)
{
	const ExmClaim *first = NULL;

	for (guint i = 0; i < pmem->claims->len; i++) {
		const ExmClaim *claim = pmem->claims->pdata[i];
		ExmNamespace *namespace;

		if (g_strcmp0(claim->guest, guest) != 0)
			continue;
		if (!check_one_guest(first, claim, error) ||
		    !exm_pmem_check_claim(pmem, claim, &namespace, error))
			return false;
		first = claim;
		g_ptr_array_add(found, namespace);
	}
	return true;
}

/* What is called so may be another namespace than that which is claimed. */
static bool check_not_lost(const ExmPmem *pmem, const char *word, GError **error)
{
	for (guint i = 0; i < pmem->claims->len; i++) {
		const ExmClaim *claim = pmem->claims->pdata[i];
		ExmNamespace *namespace;

		if (claim->guest && is_called(claim, word) &&
		    !exm_pmem_check_claim(pmem, claim, &namespace, error))
			return false;
	}
	return true;
}

static bool find_to_release(const ExmPmem *pmem, const char *word, GPtrArray *found, GError **error)
{
	const ExmClaim *claim;
	ExmNamespace *namespace;

	if (!find_of_guest(pmem, word, found, error))
		return false;
	exm_namespaces_sort(found);
	if (found->len)
		return true;
	if (!check_not_lost(pmem, word, error))
		return false;
	if (!exm_namespaces_find(pmem->namespaces, word, &namespace, NULL))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "no guest '%s' has persistent memory, and no namespace is called so: "
		                 "'exomem pmem allocations' shows them",
		                 word);
	claim = exm_pmem_claim_of(pmem, namespace);
	if (!claim || exm_claim_is_clean(claim))
		return exm_throw(error, EXM_ERROR_STATE, "namespace '%s' is nobody's", word);
	g_ptr_array_add(found, namespace);
	return true;
}

/* One that fails stays marked; the others are wiped nevertheless. */
static bool scrub_all(const ExmPmem *pmem, const GPtrArray *found, const char *directory,
                      ExmProgress progress, GPtrArray *done, GError **error)
{
	bool whole = true;

	/* All of them before the first is wiped: a guest that runs keeps everything. */
	for (guint i = 0; i < found->len; i++) {
		const ExmClaim *claim = exm_pmem_claim_of(pmem, found->pdata[i]);

		if (!check_idle(found->pdata[i], error) ||
		    (claim && claim->template && !exm_pmem_throw_saved(claim, found->pdata[i], error)))
			return false;
	}
	for (guint i = 0; i < found->len; i++) {
		GError **first = whole ? error : NULL;

		whole = scrub_one(pmem, found->pdata[i], directory, progress, done, first) && whole;
	}
	return whole;
}

/**
 * exm_op_pmem_release() - Take namespaces away from a guest, and wipe them
 * @source:   where facts are to be had
 * @word:     name of the guest, or of one namespace
 * @progress: is told how far it is
 * @error:    STATE where nobody has it or somebody uses it; SYSTEM
 *
 * Return: of ExmScrubbed (transfer full), or NULL.
 */
GPtrArray *exm_op_pmem_release(const ExmPmemSource *source, const char *word, ExmProgress progress,
                               GError **error)
{
	g_autoptr(ExmPmem) pmem = exm_op_pmem_read(source, error);
	g_autoptr(GPtrArray) found = g_ptr_array_new();
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(scrubbed_free);

	if (!pmem || !find_to_release(pmem, word, found, error) ||
	    !scrub_all(pmem, found, source->directory, progress, done, error))
		return NULL;
	return g_steal_pointer(&done);
}

static void claim_free(gpointer claim)
{
	exm_claim_free(claim);
}

static bool check_forgettable(const ExmClaim *claim, GError **error)
{
	return !claim->template ||
	       exm_throw(error, EXM_ERROR_STATE,
	                 "namespace '%s' is the memory of template '%s': 'exomem template remove' "
	                 "gives it up",
	                 claim->namespace, claim->template);
}

/* The claims that a word means and whose namespaces are gone. */
static bool find_gone(const ExmPmem *pmem, const char *word, GPtrArray *found, GError **error)
{
	const ExmClaim *here = NULL, *first = NULL;

	for (guint i = 0; i < pmem->claims->len; i++) {
		ExmClaim *claim = pmem->claims->pdata[i];
		const bool of_guest = g_strcmp0(claim->guest, word) == 0;

		if (exm_claim_is_clean(claim) || (!of_guest && !is_called(claim, word)))
			continue;
		if (!exm_pmem_is_gone(pmem, claim)) {
			here = claim;
			continue;
		}
		if (!check_forgettable(claim, error) ||
		    (of_guest && !check_one_guest(first, claim, error)))
			return false;
		first = of_guest ? claim : first;
		g_ptr_array_add(found, claim);
	}
	if (found->len)
		return true;
	if (here)
		return exm_throw(error, EXM_ERROR_STATE,
		                 "namespace '%s' is on this host: 'exomem pmem release %s' wipes it and "
		                 "gives it up",
		                 here->namespace, here->namespace);
	return exm_throw(
		error, EXM_ERROR_STATE,
		"no claim is of a guest or namespace '%s': 'exomem pmem allocations' shows them",
		word);
}

/**
 * exm_op_pmem_forget() - Drop the claims on namespaces that are gone
 * @source: where facts are to be had
 * @word:   name of a guest, or name or uuid of one namespace
 * @error:  STATE where no such namespace is gone, or a template's memory is in it; SYSTEM
 *
 * Nothing is wiped. A namespace that comes back is one that nothing is remembered of.
 *
 * Return: of ExmClaim, those that were dropped (transfer full), or NULL.
 */
GPtrArray *exm_op_pmem_forget(const ExmPmemSource *source, const char *word, GError **error)
{
	g_autoptr(ExmPmem) pmem = exm_op_pmem_read(source, error);
	g_autoptr(GPtrArray) found = g_ptr_array_new();
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(claim_free);

	if (!pmem || !find_gone(pmem, word, found, error))
		return NULL;
	for (guint i = 0; i < found->len; i++) {
		ExmClaim *claim = found->pdata[i];
		guint at;

		if (!exm_claim_store_remove(source->directory, claim->uuid, error))
			return NULL;
		g_ptr_array_find(pmem->claims, claim, &at);
		g_ptr_array_add(done, g_ptr_array_steal_index(pmem->claims, at));
	}
	return g_steal_pointer(&done);
}

/* The claims that a word means and that are not those of a guest of this state directory. */
static bool find_to_adopt(const ExmPmem *pmem, const ExmClaimant *here, const char *word,
                          GPtrArray *found, GError **error)
{
	const ExmClaim *first = NULL;

	for (guint i = 0; i < pmem->claims->len; i++) {
		ExmClaim *claim = pmem->claims->pdata[i];
		ExmClaimant claimant = *here;
		ExmNamespace *namespace;

		claimant.guest = claim->guest;
		if (!claim->guest || exm_claim_waits(claim) ||
		    (strcmp(claim->guest, word) != 0 && !is_called(claim, word)) ||
		    exm_claim_is_of(claim, &claimant))
			continue;
		if (!check_one_guest(first, claim, error) ||
		    !exm_pmem_check_claim(pmem, claim, &namespace, error) ||
		    !check_idle(namespace, error))
			return false;
		first = claim;
		g_ptr_array_add(found, claim);
	}
	return found->len || exm_throw(error, EXM_ERROR_STATE,
	                               "no other state directory has a guest or namespace '%s' with "
	                               "persistent memory",
	                               word);
}

static bool adopt(const ExmPmem *pmem, ExmClaim *claim, const ExmClaimant *here,
                  const char *directory, GError **error)
{
	const ExmNamespace *namespace = exm_namespaces_find_uuid(pmem->namespaces, claim->uuid);
	g_autoptr(ExmClaim) now = NULL;
	exm_autofd int fd = -1;

	if (!exm_scrub_open(namespace->path, &fd, error) || !lock(fd, namespace, error) ||
	    !exm_claim_store_read(directory, claim->uuid, &now, error) ||
	    !check_unchanged(namespace, claim, now, error))
		return false;
	g_free(now->state_directory);
	g_free(now->state_id);
	g_free(now->boot_id);
	now->state_directory = g_strdup(here->state_directory);
	now->state_id = g_strdup(here->state_id);
	now->boot_id = g_strdup(here->boot_id);
	return exm_claim_store_write(directory, now, error);
}

/**
 * exm_op_pmem_adopt() - Give a guest's namespaces to the guest of its name in another state directory
 * @source:          where facts are to be had
 * @state_directory: the other state directory; made where it is missing
 * @word:            name of the guest, or name or uuid of one namespace
 * @error:           STATE where there is nothing to give, or somebody uses it; SYSTEM
 *
 * The data stay.
 *
 * Return: of ExmClaim, as they were (transfer full), or NULL.
 */
GPtrArray *exm_op_pmem_adopt(const ExmPmemSource *source, const char *state_directory,
                             const char *word, GError **error)
{
	g_autoptr(ExmPmem) pmem = exm_op_pmem_read(source, error);
	g_autofree char *state_id = NULL;
	g_autofree char *boot_id = exm_state_boot_id();
	g_autoptr(GPtrArray) found = g_ptr_array_new();
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(claim_free);
	ExmClaimant here = { .state_directory = state_directory, .boot_id = boot_id };

	if (!pmem || !exm_state_root_make(state_directory, error))
		return NULL;
	state_id = exm_state_root_id(state_directory);
	here.state_id = state_id;
	if (!find_to_adopt(pmem, &here, word, found, error))
		return NULL;
	for (guint i = 0; i < found->len; i++) {
		ExmClaim *claim = found->pdata[i];
		guint at;

		if (!adopt(pmem, claim, &here, source->directory, error))
			return NULL;
		g_ptr_array_find(pmem->claims, claim, &at);
		g_ptr_array_add(done, g_ptr_array_steal_index(pmem->claims, at));
	}
	return g_steal_pointer(&done);
}

/* All that wait for a scrub and that nobody uses. */
static void find_dirty(const ExmPmem *pmem, GPtrArray *found)
{
	for (guint i = 0; i < pmem->namespaces->len; i++) {
		ExmNamespace *namespace = pmem->namespaces->pdata[i];
		const ExmClaim *claim = exm_pmem_claim_of(pmem, namespace);
		g_autofree char *reason = NULL;

		if (claim && exm_claim_waits(claim) && exm_namespace_check(namespace, NULL) &&
		    exm_pmem_state(pmem, namespace, NULL, &reason) == EXM_PMEM_DIRTY)
			g_ptr_array_add(found, namespace);
	}
}

static bool find_to_scrub(const ExmPmem *pmem, const char *word, GPtrArray *found, GError **error)
{
	const ExmClaim *claim;
	ExmNamespace *namespace;

	if (!exm_namespaces_find(pmem->namespaces, word, &namespace, error))
		return false;
	claim = exm_pmem_claim_of(pmem, namespace);
	if (claim && claim->guest && !exm_claim_waits(claim))
		return exm_throw(error, EXM_ERROR_STATE,
		                 "namespace '%s' holds data of guest '%s': 'exomem pmem release %s' "
		                 "wipes them",
		                 word, claim->guest, word);
	g_ptr_array_add(found, namespace);
	return true;
}

/**
 * exm_op_pmem_scrub() - Wipe namespaces that nobody has
 * @source:   where facts are to be had
 * @word:     name of the namespace, or NULL for all that wait for it
 * @progress: is told how far it is
 * @error:    STATE where it is somebody's, or in use; USAGE for a name that is none; SYSTEM
 *
 * Return: of ExmScrubbed (transfer full), or NULL.
 */
GPtrArray *exm_op_pmem_scrub(const ExmPmemSource *source, const char *word, ExmProgress progress,
                             GError **error)
{
	g_autoptr(ExmPmem) pmem = exm_op_pmem_read(source, error);
	g_autoptr(GPtrArray) found = g_ptr_array_new();
	g_autoptr(GPtrArray) done = g_ptr_array_new_with_free_func(scrubbed_free);

	if (!pmem)
		return NULL;
	if (!word)
		find_dirty(pmem, found);
	else if (!find_to_scrub(pmem, word, found, error))
		return NULL;
	if (!scrub_all(pmem, found, source->directory, progress, done, error))
		return NULL;
	return g_steal_pointer(&done);
}
