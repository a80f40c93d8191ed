/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_prefetch.c - lib/plan/prefetch.c and lib/plan/extents.c */

#include "plan/prefetch.h"

#include "base/size.h"
#include "facts.h"
#include "suite.h"

/* "10-20 30-40": a set. */
static GArray *set_of(const char *text)
{
	GArray *extents = exm_extents_new();
	g_auto(GStrv) words = g_strsplit(text, " ", -1);

	for (char **word = words; *word && **word; word++) {
		const char *minus = strchr(*word, '-');

		exm_extents_add(extents, g_ascii_strtoull(*word, NULL, 10),
		                g_ascii_strtoull(minus + 1, NULL, 10));
	}
	return extents;
}

static char *text_of(const GArray *extents)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < extents->len; i++)
		g_string_append_printf(text, "%s%d-%d", i ? " " : "",
		                       (int)exm_extents_at(extents, i)->start,
		                       (int)exm_extents_at(extents, i)->end);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void assert_set(GArray *extents, const char *wanted)
{
	assert_text_and_free(text_of(extents), wanted);
	g_array_unref(extents);
}

START_TEST(what_touches_is_one)
{
	g_autoptr(GArray) extents = set_of("10-20 20-30 40-50 45-48");

	ck_assert_uint_eq(exm_extents_bytes(extents), 30);
	assert_text_and_free(text_of(extents), "10-30 40-50");
	assert_set(exm_extents_join(extents, 9), "10-30 40-50");
	assert_set(exm_extents_join(extents, 10), "10-50");
}
END_TEST

static const struct {
	const char *one;
	const char *other;
	const char *shared;
	const char *left;
} pairs[] = {
	{ "", "", "", "" },
	{ "10-20", "", "", "10-20" },
	{ "", "10-20", "", "" },
	{ "10-20", "10-20", "10-20", "" },
	{ "10-20", "20-30", "", "10-20" },
	{ "10-20", "5-15", "10-15", "15-20" },
	{ "10-20", "15-25", "15-20", "10-15" },
	{ "10-50", "20-30 35-40", "20-30 35-40", "10-20 30-35 40-50" },
	{ "10-20 30-40 50-60", "0-100", "10-20 30-40 50-60", "" },
	{ "10-20 30-40 50-60", "15-35 55-70", "15-20 30-35 55-60", "10-15 35-40 50-55" },
	{ "10-20 30-40", "12-14 16-18 38-50", "12-14 16-18 38-40", "10-12 14-16 18-20 30-38" },
};

START_TEST(two_sets)
{
	g_autoptr(GArray) one = set_of(pairs[_i].one);
	g_autoptr(GArray) other = set_of(pairs[_i].other);

	assert_set(exm_extents_intersect(one, other), pairs[_i].shared);
	assert_set(exm_extents_intersect(other, one), pairs[_i].shared);
	assert_set(exm_extents_subtract(one, other), pairs[_i].left);
}
END_TEST

/* Of one block, with these pages. */
static ExmPrefetch *recording_of(const char *text)
{
	ExmPrefetch *recording = exm_prefetch_new(4096);
	ExmPrefetchMemory *memory = exm_prefetch_add_memory(recording);
	g_autoptr(GArray) extents = set_of(text);

	memory->id = g_strdup("pc.ram");
	memory->size = EXM_GIB;
	memory->inode = 12;
	memory->mtime = 1700000000000000000;
	exm_prefetch_set_extents(memory, extents);
	return recording;
}

static void assert_recorded(const ExmPrefetch *recording, const char *wanted)
{
	assert_set(exm_prefetch_extents(recording->memory->pdata[0]), wanted);
}

START_TEST(there_and_back)
{
	g_autoptr(ExmPrefetch) recording = recording_of("4096-8192 16384-65536");
	g_autoptr(ExmJson) json = exm_prefetch_to_json(recording);
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmPrefetch) again = exm_prefetch_from_json(json, &error);
	g_autoptr(ExmJson) json_again = NULL;

	assert_no_error(error);
	json_again = exm_prefetch_to_json(again);
	ck_assert(json_object_equal(json, json_again));
	ck_assert_uint_eq(exm_json_get_uint(json, "schema"), 1);
	ck_assert_uint_eq(exm_prefetch_bytes(again), 4096 + 49152);
	ck_assert_uint_eq(exm_prefetch_count(again), 2);
	assert_recorded(again, "4096-8192 16384-65536");
	ck_assert(exm_prefetch_check(again, recording, &error));
	exm_prefetch_free(NULL);
}
END_TEST

#define BLOCK(extents)                                                             \
	"{'schema': 1, 'page-size': 4096, 'runs': 1, 'memory': [{'id': 'pc.ram', " \
	"'size': 8192, 'inode': 1, 'mtime': 0, 'extents': " extents "}]}"

static const struct {
	const char *text;
	const char *why;
} wrong[] = {
	{ "{'schema': 2}", "newer exomem" },
	{ "{}", "schema" },
	{ "{'schema': 1, 'page-size': 0, 'runs': 1, 'memory': []}", "not whole" },
	{ "{'schema': 1, 'page-size': 4096, 'runs': 1, 'memory': {}}", "memory" },
	{ BLOCK("{}"), "extent" },
	{ BLOCK("[0]"), "extent" },
	{ BLOCK("[0, 0]"), "extent" },
	{ BLOCK("[0, '4096']"), "extent" },
	{ BLOCK("[0, null]"), "extent" },
	{ BLOCK("[0, 8193]"), "extent" },
	{ BLOCK("[8193, 1]"), "extent" },
	{ BLOCK("[4096, 18446744073709551615]"), "extent" },
	{ BLOCK("[4096, 4096, 0, 4096]"), "extent" },
	{ BLOCK("[0, 4096, 4095, 4096]"), "extent" },
};

START_TEST(what_is_not_whole_is_refused)
{
	g_autofree char *text = g_strdelimit(g_strdup(wrong[_i].text), "'", '"');
	g_autoptr(GError) error = NULL;
	g_autoptr(ExmJson) json = exm_json_parse(text, strlen(text), &error);

	assert_no_error(error);
	ck_assert_ptr_null(exm_prefetch_from_json(json, &error));
	assert_error(error, EXM_ERROR_STATE, wrong[_i].why);
}
END_TEST

START_TEST(whose_it_is)
{
	g_autoptr(ExmTemplate) template = facts_template(AS_IT_IS);
	g_autoptr(ExmPrefetch) blank = exm_prefetch_of_template(template, 4096);
	g_autoptr(ExmPrefetch) same = exm_prefetch_of_template(template, 4096);
	const ExmTemplateMemory *memory = template->memory->pdata[0];
	ExmPrefetchMemory *block = same->memory->pdata[0];
	g_autoptr(GError) error = NULL;

	ck_assert_str_eq(block->id, memory->id);
	ck_assert_uint_eq(block->mtime, memory->mtime);
	ck_assert(exm_prefetch_check(same, blank, &error));
	block->mtime++;
	ck_assert(!exm_prefetch_check(same, blank, &error));
	assert_error(error, EXM_ERROR_STATE, "--anew");
	block->mtime--;
	block->inode++;
	ck_assert(!exm_prefetch_check(same, blank, NULL));
	/* It is not known of what is still on its way. */
	((ExmPrefetchMemory *)blank->memory->pdata[0])->inode = 0;
	ck_assert(exm_prefetch_check(same, blank, NULL));
	block->size++;
	ck_assert(!exm_prefetch_check(same, blank, NULL));
	block->size--;
	same->page_size = 65536;
	ck_assert(!exm_prefetch_check(same, blank, NULL));
	same->page_size = 4096;
	exm_prefetch_add_memory(same);
	ck_assert(!exm_prefetch_check(same, blank, NULL));
}
END_TEST

/* Memory of a guest on its way is written until it goes. */
START_TEST(a_guest_that_is_handed_over_has_no_time)
{
	g_autoptr(ExmTemplate) template = facts_template("{'uuid': 'a'}");
	g_autoptr(ExmPrefetch) blank = exm_prefetch_of_template(template, 4096);

	ck_assert_uint_eq(((ExmPrefetchMemory *)blank->memory->pdata[0])->mtime, 0);
}
END_TEST

START_TEST(what_all_runs_have_is_kept)
{
	g_autoptr(ExmPrefetch) first = recording_of("10-30 40-50");
	g_autoptr(ExmPrefetch) second = recording_of("20-45");
	g_autoptr(ExmPrefetch) third = recording_of("25-42");

	exm_prefetch_keep_common(second, first);
	assert_recorded(second, "20-30 40-45");
	exm_prefetch_keep_common(third, second);
	assert_recorded(third, "25-30 40-42");
	ck_assert_uint_eq(third->runs, 3);
}
END_TEST

START_TEST(hits_and_waste)
{
	g_autoptr(ExmPrefetch) recording = recording_of("10-30 40-50");
	g_autoptr(ExmPrefetch) touched = recording_of("20-45 100-200");
	const ExmPrefetchScore score = exm_prefetch_score(recording, touched);

	ck_assert_uint_eq(score.recorded, 30);
	ck_assert_uint_eq(score.touched, 125);
	ck_assert_uint_eq(score.hit, 15);
}
END_TEST

#define K(number) ((number)*EXM_KIB)

static void assert_piece(const GArray *pieces, guint index, ExmPrefetchPiece wanted)
{
	const ExmPrefetchPiece *piece = &g_array_index(pieces, ExmPrefetchPiece, index);

	ck_assert_uint_eq(piece->file, wanted.file);
	ck_assert_uint_eq(piece->start, wanted.start);
	ck_assert_uint_eq(piece->length, wanted.length);
	ck_assert_uint_eq(piece->before, wanted.before);
}

/* Through small gaps, in pieces, over several files, up to the limit. */
START_TEST(how_it_is_cut)
{
	g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(ExmPrefetchPiece));
	g_autoptr(GArray) extents = exm_extents_new();

	exm_extents_add(extents, K(4), K(8));
	exm_extents_add(extents, K(40), K(44));
	exm_extents_add(extents, K(80), K(80 + 300));
	exm_prefetch_add_pieces(pieces, 0, extents, UINT64_MAX);
	ck_assert_uint_eq(pieces->len, 4);
	assert_piece(pieces, 0, (ExmPrefetchPiece){ 0, K(4), K(40), 0 });
	assert_piece(pieces, 1, (ExmPrefetchPiece){ 0, K(80), K(128), K(40) });
	assert_piece(pieces, 2, (ExmPrefetchPiece){ 0, K(80 + 128), K(128), K(168) });
	assert_piece(pieces, 3, (ExmPrefetchPiece){ 0, K(80 + 256), K(44), K(296) });
	exm_prefetch_add_pieces(pieces, 1, extents, K(400));
	ck_assert_uint_eq(pieces->len, 6);
	assert_piece(pieces, 4, (ExmPrefetchPiece){ 1, K(4), K(40), K(340) });
	assert_piece(pieces, 5, (ExmPrefetchPiece){ 1, K(80), K(20), K(380) });
	exm_prefetch_add_pieces(pieces, 2, extents, K(400));
	ck_assert_uint_eq(pieces->len, 6);
}
END_TEST

/* Whole blocks at once, and what is before and behind them in pieces that end where a block does. */
START_TEST(blocks_are_read_whole)
{
	g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(ExmPrefetchPiece));
	g_autoptr(GArray) extents = exm_extents_new();

	exm_extents_add(extents, K(2048 - 200), K(3 * 2048 + 4));
	exm_prefetch_add_pieces(pieces, 0, extents, UINT64_MAX);
	ck_assert_uint_eq(pieces->len, 5);
	assert_piece(pieces, 0, (ExmPrefetchPiece){ 0, K(1848), K(128), 0 });
	assert_piece(pieces, 1, (ExmPrefetchPiece){ 0, K(1976), K(72), K(128) });
	assert_piece(pieces, 2, (ExmPrefetchPiece){ 0, K(2048), K(2048), K(200) });
	assert_piece(pieces, 3, (ExmPrefetchPiece){ 0, K(4096), K(2048), K(2248) });
	assert_piece(pieces, 4, (ExmPrefetchPiece){ 0, K(6144), K(4), K(4296) });
}
END_TEST

static const struct {
	uint64_t start;
	uint64_t end;
	bool scattered;
} spreads[] = {
	{ 0, 0, false },
	{ 0, K(2048), false },
	{ K(4), K(2048), true },
	{ 0, K(2 * 2048 - 4), false },
	{ K(4), K(2 * 2048 + 4), false },
	{ K(4), K(2 * 2048 + 8), true },
};

START_TEST(scattered_is_what_is_less_than_half_in_blocks)
{
	g_autoptr(ExmPrefetch) recording = exm_prefetch_new(4096);
	g_autoptr(GArray) extents = exm_extents_new();

	if (spreads[_i].end > 0)
		exm_extents_add(extents, spreads[_i].start, spreads[_i].end);
	exm_prefetch_set_extents(exm_prefetch_add_memory(recording), extents);
	ck_assert(exm_prefetch_is_scattered(recording) == spreads[_i].scattered);
}
END_TEST

Suite *prefetch_suite(void)
{
	Suite *suite = suite_create("prefetch");
	TCase *tests = tcase_create("prefetch");

	tcase_add_test(tests, what_touches_is_one);
	tcase_add_loop_test(tests, two_sets, 0, G_N_ELEMENTS(pairs));
	tcase_add_test(tests, there_and_back);
	tcase_add_loop_test(tests, what_is_not_whole_is_refused, 0, G_N_ELEMENTS(wrong));
	tcase_add_test(tests, whose_it_is);
	tcase_add_test(tests, a_guest_that_is_handed_over_has_no_time);
	tcase_add_test(tests, what_all_runs_have_is_kept);
	tcase_add_test(tests, hits_and_waste);
	tcase_add_test(tests, how_it_is_cut);
	tcase_add_test(tests, blocks_are_read_whole);
	tcase_add_loop_test(tests, scattered_is_what_is_less_than_half_in_blocks, 0,
	                    G_N_ELEMENTS(spreads));
	suite_add_tcase(suite, tests);
	return suite;
}
