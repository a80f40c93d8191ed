/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.c - A policy for overcommitted memory: its text, and what it says */

#include "plan/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"

#define SEPARATORS " \t,;"

static const char *const lever_names[] = {
	[EXM_LEVER_DROP_CACHE] = "drop-cache",
	[EXM_LEVER_KSM] = "ksm",
	[EXM_LEVER_BALLOON_IDLE] = "balloon-idle",
	[EXM_LEVER_BALLOON] = "balloon",
	[EXM_LEVER_RECLAIM_IDLE] = "reclaim-idle",
	[EXM_LEVER_RECLAIM] = "reclaim",
	[EXM_LEVER_PAUSE] = "pause",
	[EXM_LEVER_REFUSE] = "refuse",
	[EXM_LEVER_MIGRATE] = "migrate",
};

const ExmEnumTable exm_lever_table = { "lever", lever_names, G_N_ELEMENTS(lever_names) };

/**
 * struct Rule - What one [guest PATTERN] says
 * @pattern: of guests' names
 * @rule:    its values
 * @said:    which of @rule it says, by the row in rule_keys
 */
typedef struct {
	GPatternSpec *pattern;
	ExmGuestRule rule;
	uint32_t said;
} Rule;

typedef bool (*Reader)(const char *text, void *value, GError **error);

/**
 * struct Key - A key of a group
 * @name:   as it is written
 * @read:   its text
 * @offset: of its value in the group's struct
 * @min:    smallest number or fraction
 * @max:    largest; 0 where the reader knows itself
 */
typedef struct {
	const char *name;
	Reader read;
	size_t offset;
	uint64_t min;
	uint64_t max;
} Key;

/**
 * struct Keys - The keys that a kind of group has
 * @rows:  of them
 * @count: of rows
 */
typedef struct {
	const Key *rows;
	size_t count;
} Keys;

/* "12.8%" in hundredths of a percent. */
static bool read_fraction(const char *text, void *value, GError **error)
{
	char *end;
	const double percent = g_ascii_strtod(text, &end);

	if (!g_ascii_isdigit(*text) || strspn(text, "0123456789.") != (size_t)(end - text) ||
	    strcmp(g_strchug(end), "%") != 0 || percent > 100)
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a percentage such as 12.8%%",
		                 text);
	*(uint64_t *)value = (uint64_t)(percent * (EXM_WHOLE / 100.0) + 0.5);
	return true;
}

static bool read_number(const char *text, void *value, GError **error)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &number, NULL))
		return exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a number", text);
	*(uint64_t *)value = number;
	return true;
}

static bool read_allowance(const char *text, void *value, GError **error)
{
	ExmAllowance *allowance = value;
	ExmAllowance read = { 0 };

	if (strchr(text, '%') ? !read_fraction(text, &read.fraction, error)
	                      : !exm_size_parse(text, 1, &read.bytes, error))
		return false;
	*allowance = read;
	return true;
}

static bool read_switch(const char *text, void *value, GError **error)
{
	static const char *const words[] = { "no", "yes" };
	static const ExmEnumTable table = { "switch", words, G_N_ELEMENTS(words) };
	int number;

	if (!exm_enum_parse(&table, text, &number, error))
		return false;
	*(bool *)value = number == 1;
	return true;
}

/* The order in which levers are named is the one in which they are pulled. */
static bool read_levers(const char *text, void *value, GError **error)
{
	ExmPolicyState *state = value;
	g_auto(GStrv) words = g_strsplit_set(text, SEPARATORS, -1);

	for (char **word = words; *word; word++) {
		int lever;

		if (!**word)
			continue;
		if (!exm_enum_parse(&exm_lever_table, *word, &lever, error))
			return false;
		if (exm_policy_state_has(state, (ExmLever)lever))
			return exm_throw(error, EXM_ERROR_USAGE, "'%s' is there twice", *word);
		state->levers[state->count++] = (ExmLever)lever;
	}
	return true;
}

#define POLICY_KEY(text, reader, member, least, most)                         \
	{                                                                     \
		text, reader, G_STRUCT_OFFSET(ExmPolicy, member), least, most \
	}
#define RULE_KEY(text, reader, member)                                    \
	{                                                                 \
		text, reader, G_STRUCT_OFFSET(ExmGuestRule, member), 0, 0 \
	}

static const Key policy_keys[] = {
	POLICY_KEY("interval", read_number, interval, 1, 86400),
	POLICY_KEY("step", read_fraction, step, 1, EXM_WHOLE),
	POLICY_KEY("hysteresis", read_fraction, hysteresis, 1, EXM_WHOLE / 2),
	POLICY_KEY("window", read_number, window, 1, 10000),
	POLICY_KEY("idle", read_fraction, idle, 1, EXM_WHOLE),
	POLICY_KEY("idle-tax", read_fraction, idle_tax, 0, EXM_WHOLE - 100),
	POLICY_KEY("guest-free", read_fraction, guest_free, 0, EXM_WHOLE / 2),
	POLICY_KEY("statistics-age", read_number, statistics_age, 1, 86400),
	POLICY_KEY("pages-min", read_number, pages_min, 1, 1000000),
	POLICY_KEY("pages-max", read_number, pages_max, 1, 1000000),
};

static const Key state_keys[] = {
	{ "free", read_fraction, G_STRUCT_OFFSET(ExmPolicyState, free), 1, EXM_WHOLE },
	{ "pressure", read_fraction, G_STRUCT_OFFSET(ExmPolicyState, pressure), 1, EXM_WHOLE },
	{ "levers", read_levers, 0, 0, 0 },
};

static const Key rule_keys[] = {
	RULE_KEY("shares", read_number, shares),
	RULE_KEY("floor", read_allowance, floor),
	RULE_KEY("ceiling", read_allowance, ceiling),
	RULE_KEY("pause", read_switch, pause),
};

static const Keys of_policy = { policy_keys, G_N_ELEMENTS(policy_keys) };
static const Keys of_state = { state_keys, G_N_ELEMENTS(state_keys) };
static const Keys of_rule = { rule_keys, G_N_ELEMENTS(rule_keys) };

static const Key *find_key(const Keys *keys, const char *name, GError **error)
{
	g_autofree const char **names = g_new0(const char *, keys->count);
	const char *near;

	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(keys->rows[i].name, name) == 0)
			return &keys->rows[i];
		names[i] = keys->rows[i].name;
	}
	near = exm_nearest(name, names, keys->count);
	if (near)
		exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a key (did you mean '%s'?)", name,
		          near);
	else
		exm_throw(error, EXM_ERROR_USAGE, "'%s' is not a key", name);
	return NULL;
}

static bool check_range(const Key *key, const void *value, const char *text, GError **error)
{
	const uint64_t number = key->max ? *(const uint64_t *)value : 0;

	if (number >= key->min && number <= key->max)
		return true;
	return exm_throw(error, EXM_ERROR_USAGE, "'%s' is too %s", text,
	                 number < key->min ? "small" : "large");
}

/* Reads all keys of a group into a struct; @said gets a bit for each row that was there. */
static bool read_group(GKeyFile *file, const char *group, const Keys *keys, void *into,
                       uint32_t *said, GError **error)
{
	g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);

	for (char **name = names; names && *name; name++) {
		g_autofree char *text = g_key_file_get_value(file, group, *name, NULL);
		const Key *key = find_key(keys, *name, error);
		void *value = key ? (char *)into + key->offset : NULL;

		if (!key || !key->read(g_strstrip(text), value, error) ||
		    !check_range(key, value, text, error)) {
			g_prefix_error(error, "[%s]: %s%s", group, key ? *name : "", key ? ": " : "");
			return false;
		}
		*said |= 1U << (key - keys->rows);
	}
	return true;
}

static void state_free(gpointer data)
{
	ExmPolicyState *state = data;

	g_free(state->name);
	g_free(state);
}

static void rule_free(gpointer data)
{
	Rule *rule = data;

	g_pattern_spec_free(rule->pattern);
	g_free(rule);
}

static bool add_state(ExmPolicy *policy, GKeyFile *file, const char *group, const char *name,
                      GError **error)
{
	ExmPolicyState *state = g_new0(ExmPolicyState, 1);
	uint32_t said = 0;

	state->name = g_strdup(name);
	g_ptr_array_add(policy->states, state);
	if (strcmp(name, EXM_STATE_PLENTY) == 0)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "[%s]: that is the state in which none of the others is", group);
	if (!read_group(file, group, &of_state, state, &said, error))
		return false;
	return state->free || state->pressure ||
	       exm_throw(error, EXM_ERROR_USAGE, "[%s]: say 'free' or 'pressure', when it begins",
	                 group);
}

static bool add_rule(ExmPolicy *policy, GKeyFile *file, const char *group, const char *pattern,
                     GError **error)
{
	Rule *rule;

	/* GLib ends the program where a pattern is not (gpattern.c, g_pattern_spec_new()). */
	if (!g_utf8_validate(pattern, -1, NULL))
		return exm_throw(error, EXM_ERROR_USAGE, "[%s]: the pattern is not UTF-8", group);
	rule = g_new0(Rule, 1);
	rule->pattern = g_pattern_spec_new(pattern);
	g_ptr_array_add(policy->guests, rule);
	if (!read_group(file, group, &of_rule, &rule->rule, &rule->said, error))
		return false;
	return !(rule->said & 1U) || rule->rule.shares ||
	       exm_throw(error, EXM_ERROR_USAGE, "[%s]: shares: '0' is too small", group);
}

static bool add_group(ExmPolicy *policy, GKeyFile *file, const char *group, GError **error)
{
	uint32_t said = 0;

	if (strcmp(group, "policy") == 0)
		return read_group(file, group, &of_policy, policy, &said, error);
	if (g_str_has_prefix(group, "state ") && group[strlen("state ")])
		return add_state(policy, file, group, group + strlen("state "), error);
	if (g_str_has_prefix(group, "guest ") && group[strlen("guest ")])
		return add_rule(policy, file, group, group + strlen("guest "), error);
	return exm_throw(error, EXM_ERROR_USAGE,
	                 "'[%s]' is not a group ([policy], [state NAME] or [guest PATTERN])", group);
}

/* What is left of a milder state when the harder one is left must not be nothing. */
static bool check_pair(const ExmPolicy *policy, const ExmPolicyState *mild,
                       const ExmPolicyState *hard, GError **error)
{
	if (mild->free && hard->free + policy->hysteresis > mild->free) {
		g_autofree char *left = exm_fraction_print(hard->free + policy->hysteresis);
		g_autofree char *begins = exm_fraction_print(mild->free);

		return exm_throw(error, EXM_ERROR_USAGE,
		                 "states cross: '%s' is left at %s %% free (with the hysteresis), but "
		                 "'%s', before it, begins at %s %%",
		                 hard->name, left, mild->name, begins);
	}
	if (mild->pressure && hard->pressure && hard->pressure <= mild->pressure)
		return exm_throw(error, EXM_ERROR_USAGE,
		                 "states cross: '%s' begins at no more pressure than '%s', before it",
		                 hard->name, mild->name);
	return true;
}

static bool check_rules(const ExmPolicy *policy, GError **error)
{
	for (guint i = 0; i < policy->guests->len; i++) {
		const ExmGuestRule *rule = &((const Rule *)policy->guests->pdata[i])->rule;
		const bool fractions = rule->floor.fraction && rule->ceiling.fraction;
		const bool sizes = rule->floor.bytes && rule->ceiling.bytes;

		if ((fractions && rule->floor.fraction > rule->ceiling.fraction) ||
		    (sizes && rule->floor.bytes > rule->ceiling.bytes))
			return exm_throw(error, EXM_ERROR_USAGE,
			                 "[guest ...] number %u: its floor is above its ceiling",
			                 i + 1);
	}
	return true;
}

static bool check_policy(const ExmPolicy *policy, GError **error)
{
	const ExmPolicyState *free_state = NULL;
	const ExmPolicyState *pressed = NULL;

	if (policy->states->len == 0)
		return exm_throw(error, EXM_ERROR_USAGE, "there is no [state NAME]");
	if (policy->pages_min > policy->pages_max)
		return exm_throw(error, EXM_ERROR_USAGE, "[policy]: pages-min is above pages-max");
	for (guint i = 0; i < policy->states->len; i++) {
		const ExmPolicyState *state = policy->states->pdata[i];

		if ((free_state && state->free && !check_pair(policy, free_state, state, error)) ||
		    (pressed && state->pressure && !check_pair(policy, pressed, state, error)))
			return false;
		free_state = state->free ? state : free_state;
		pressed = state->pressure ? state : pressed;
	}
	return check_rules(policy, error);
}

static ExmPolicy *policy_new(void)
{
	ExmPolicy *policy = g_new0(ExmPolicy, 1);

	*policy = (ExmPolicy){
		.interval = 10,
		.step = 500,
		.hysteresis = 200,
		.window = 6,
		.idle = 5000,
		.idle_tax = 7500,
		.guest_free = 2000,
		.statistics_age = 60,
		.pages_min = 64,
		.pages_max = 1250,
		.states = g_ptr_array_new_with_free_func(state_free),
		.guests = g_ptr_array_new_with_free_func(rule_free),
	};
	return policy;
}

/**
 * exm_policy_parse() - Read a policy
 * @text:  of it, as exomem-policy(5) has it
 * @error: USAGE, with the group and the key
 *
 * Return: the policy (transfer full), or NULL.
 */
ExmPolicy *exm_policy_parse(const char *text, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(ExmPolicy) policy = policy_new();
	g_autoptr(GError) problem = NULL;
	g_auto(GStrv) groups = NULL;

	if (!g_key_file_load_from_data(file, text, (gsize)-1, G_KEY_FILE_NONE, &problem)) {
		exm_throw(error, EXM_ERROR_USAGE, "not a policy: %s", problem->message);
		return NULL;
	}
	groups = g_key_file_get_groups(file, NULL);
	for (char **group = groups; *group; group++)
		if (!add_group(policy, file, *group, error))
			return NULL;
	return check_policy(policy, error) ? g_steal_pointer(&policy) : NULL;
}

/**
 * exm_policy_free() - Free a policy
 * @policy: may be NULL
 */
void exm_policy_free(ExmPolicy *policy)
{
	if (!policy)
		return;
	g_ptr_array_unref(policy->states);
	g_ptr_array_unref(policy->guests);
	g_free(policy);
}

/**
 * exm_policy_state() - A state by its number
 * @policy: the policy
 * @number: from 1 on
 *
 * Return: the state (borrowed); NULL for 0, the state of plenty.
 */
const ExmPolicyState *exm_policy_state(const ExmPolicy *policy, size_t number)
{
	return number ? policy->states->pdata[number - 1] : NULL;
}

/**
 * exm_policy_state_name() - What a state is called
 * @policy: the policy
 * @number: of the state; 0 for that of plenty
 *
 * Return: its name (borrowed).
 */
const char *exm_policy_state_name(const ExmPolicy *policy, size_t number)
{
	return number ? exm_policy_state(policy, number)->name : EXM_STATE_PLENTY;
}

/**
 * exm_policy_state_has() - Whether a lever may be pulled in a state
 * @state: the state, or NULL for that of plenty, which has none
 * @lever: the lever
 */
bool exm_policy_state_has(const ExmPolicyState *state, ExmLever lever)
{
	for (size_t i = 0; state && i < state->count; i++)
		if (state->levers[i] == lever)
			return true;
	return false;
}

/**
 * exm_policy_rule() - What a policy says of a guest
 * @policy:   the policy
 * @guest:    the guest's name
 * @memory:   its main memory, in bytes
 * @ret_rule: all that match its name, the last word on each key counts
 * @error:    USAGE where they leave it a floor above its ceiling
 */
bool exm_policy_rule(const ExmPolicy *policy, const char *guest, uint64_t memory,
                     ExmGuestRule *ret_rule, GError **error)
{
	ExmGuestRule all = {
		.shares = 1000,
		.floor = { .fraction = EXM_WHOLE / 4 },
		.ceiling = { .fraction = EXM_WHOLE },
		.pause = true,
	};

	for (guint i = 0; i < policy->guests->len; i++) {
		const Rule *rule = policy->guests->pdata[i];

		if (!g_pattern_spec_match_string(rule->pattern, guest))
			continue;
		all.shares = rule->said & 1U ? rule->rule.shares : all.shares;
		all.floor = rule->said & 2U ? rule->rule.floor : all.floor;
		all.ceiling = rule->said & 4U ? rule->rule.ceiling : all.ceiling;
		all.pause = rule->said & 8U ? rule->rule.pause : all.pause;
	}
	*ret_rule = all;
	return exm_allowance_of(all.floor, memory) <= exm_allowance_of(all.ceiling, memory) ||
	       exm_throw(error, EXM_ERROR_USAGE, "guest '%s': its floor is above its ceiling", guest);
}

/**
 * exm_allowance_of() - An allowance in bytes
 * @allowance: as a policy says it
 * @memory:    of the guest
 *
 * Return: bytes, no more than the guest's memory.
 */
uint64_t exm_allowance_of(ExmAllowance allowance, uint64_t memory)
{
	return allowance.fraction ? exm_fraction_of(memory, allowance.fraction)
	                          : MIN(allowance.bytes, memory);
}

/**
 * exm_fraction_of() - A part of some memory
 * @bytes:    of it
 * @fraction: in hundredths of a percent
 */
uint64_t exm_fraction_of(uint64_t bytes, uint64_t fraction)
{
	return bytes / EXM_WHOLE * fraction + bytes % EXM_WHOLE * fraction / EXM_WHOLE;
}

/**
 * exm_fraction_print() - A fraction for people
 * @fraction: in hundredths of a percent
 *
 * Return: percent with one digit behind the point: "12.8" (transfer full).
 */
char *exm_fraction_print(uint64_t fraction)
{
	const uint64_t tenths = (fraction + 5) / 10;

	return g_strdup_printf("%" G_GUINT64_FORMAT ".%u", tenths / 10, (unsigned)(tenths % 10));
}
