#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# schema.bats - the JSON that exomem writes and prints is what the manual's tables say.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

man=$BATS_TEST_DIRNAME/../../man

# Members and types of the table that begins with this member, as jq calls the types.
promised() { # PAGE MEMBER
	awk -v first="$2" '
		/^\.Bl -column/ { start = 1; next }
		/^\.El/ { inside = 0 }
		/^\.It Sy / { next }
		/^\.It / {
			sub(/^\.It /, ""); split($0, cell, " Ta ")
			if (start)
				inside = cell[1] == first && !done++
			start = 0
			if (!inside)
				next
			type = cell[2]; sub(/ .*/, "", type)
			sub("integer", "number", type)
			print cell[1], type
		}' "$man/$1" | sort
}

# Members and types of the objects that come in.
found() {
	jq -r 'to_entries[] | "\(.key) \(.value | type)"' | sort -u
}

# Every member is promised with this type; and every promised one is there, but those named.
assert_as_promised() { # PAGE FIRST-MEMBER [MEMBER-THAT-MAY-BE-ABSENT]...
	page=$1 table=$2
	shift 2
	promised "$page" "$table" >"$T/promised"
	[ -s "$T/promised" ]
	found >"$T/found"
	run -0 comm -13 "$T/promised" "$T/found"
	echo "$page does not promise: $output"
	[ -z "$output" ]
	missing=$(comm -23 "$T/promised" "$T/found" | cut -d' ' -f1)
	for member in "$@"; do
		missing=$(grep -vx -- "$member" <<<"$missing" || true)
	done
	echo "$page promises in vain: $missing"
	[ -z "$missing" ]
}

@test "vm.json, show --json and list --json" {
	need_qemu
	exomem_run --detach --name web $tcg -M q35 -m 64 -mem-path "$memory,mode=create,anyfs" \
		-kernel "$GUEST" >/dev/null 3>&-
	assert_as_promised exomem-state.5 schema <"$state/web/vm.json"
	"$EXOMEM" show --state-dir "$state" web --json |
		jq 'del(.directory, .status, .sockets, ."memory-size")' |
		assert_as_promised exomem-state.5 schema
	"$EXOMEM" show --state-dir "$state" web --json | jq -e '(.directory | type) == "string" and
		(.status | type) == "string" and (."memory-size" | type) == "number" and
		(.sockets | all(type == "string"))'
	[ "$("$EXOMEM" list --state-dir "$state" --json | jq -c '.[0] | keys')" = \
		'["created","detached","directory","memory","name","pid","qemu-version","status","uuid"]' ]
	"$EXOMEM" stop --state-dir "$state" --kill web
}

@test "run --dry-run --json" {
	need_qemu
	exomem_run --dry-run --json --name web -M q35 -m 64 \
		-mem-path "$memory,mode=create,anyfs" >"$T/plan"
	assert_as_promised exomem-run.1 schema <"$T/plan"
	jq '.memory[]' "$T/plan" | assert_as_promised exomem-run.1 id
	jq '.steps[]' "$T/plan" | assert_as_promised exomem-run.1 step
}

@test "probe --json" {
	need_qemu
	"$EXOMEM" probe --json >"$T/probe"
	assert_as_promised exomem-probe.1 schema <"$T/probe"
	jq '.machines[]' "$T/probe" | assert_as_promised exomem-probe.1 name
}
