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

# Every step of a plan is described in one of these pages.
assert_steps_described() { # PLAN PAGE...
	plan=$1
	shift
	for step in $(jq -r '.steps[].step' "$plan"); do
		(cd "$man" && grep -qx ".It Cm $step" "$@") || {
			echo "$* do not describe $step"
			return 1
		}
	done
}

@test "vm.json, show --json and list --json" {
	need_qemu
	exomem_run --detach --name web $tcg -M q35 -m 64 -mem-path "$memory,mode=create,anyfs" \
		-kernel "$GUEST" >/dev/null 3>&-
	assert_as_promised exomem-state.5 schema memory-error run-as pmem template parent disks <"$state/web/vm.json"
	"$EXOMEM" show --state-dir "$state" web --json |
		jq 'del(.directory, .status, .sockets, ."memory-size")' |
		assert_as_promised exomem-state.5 schema memory-error run-as pmem template parent disks
	"$EXOMEM" show --state-dir "$state" web --json | jq -e '(.directory | type) == "string" and
		(.status | type) == "string" and (."memory-size" | type) == "number" and
		(.sockets | all(type == "string"))'
	[ "$("$EXOMEM" list --state-dir "$state" --json | jq -c '.[0] | keys')" = \
		'["created","detached","directory","memory","name","pid","qemu-version","status","uuid"]' ]
	"$EXOMEM" stop --state-dir "$state" --kill web
}

# A guest with a disk and a CPU model, so that nothing is absent for want of them.
start_parent() { # EXOMEM-RUN-ARGUMENT...
	truncate -s 1M "$T/disk.raw"
	exomem_run --detach --name web $tcg -M q35 -cpu qemu64 -m 64 -mem-path "$memory,anyfs" \
		-kernel "$GUEST" -drive "file=$T/disk.raw,format=raw,if=virtio" "$@" >/dev/null 3>&-
}

# A verb on this test's guests and templates.
on_templates() { # VERB ARGUMENT...
	verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" --templates "$T/templates" "$@" 3>&-
}

@test "save --dry-run --json and save --json" {
	need_qemu
	start_parent
	on_templates save --dry-run --json web base >"$T/plan"
	assert_as_promised exomem-save.1 schema <"$T/plan"
	jq '.steps[]' "$T/plan" | assert_as_promised exomem-save.1 step
	assert_steps_described "$T/plan" exomem-save.1
	on_templates save --json web base | assert_as_promised exomem-save.1 template
	start_parent -S
	on_templates save --json web rested | assert_as_promised exomem-save.1 template pause-us
}

@test "manifest.json, template show --json and template list --json" {
	need_qemu
	start_parent
	on_templates save --checksum -q web base
	manifest=$T/templates/base/manifest.json
	assert_as_promised exomem-template.5 schema boot-id run-as host-cpu <"$manifest"
	jq '.memory[]' "$manifest" | assert_as_promised exomem-template.5 id namespace claims
	jq '.disks[]' "$manifest" | assert_as_promised exomem-template.5 word
	on_templates template show --json base >"$T/shown"
	[ "$(jq -r .directory "$T/shown")" = "$T/templates/base" ]
	jq 'del(.directory, .sha256)' "$T/shown" | assert_as_promised exomem-template.5 schema boot-id run-as host-cpu
	on_templates template list --json >"$T/listed"
	jq -e --slurpfile shown "$T/shown" '. == $shown' "$T/listed"
}

@test "clone --dry-run --json, and vm.json of a child" {
	need_qemu
	start_parent
	on_templates save -q web base
	on_templates clone --dry-run --json base >"$T/plan"
	assert_as_promised exomem-clone.1 schema sandbox <"$T/plan"
	jq '.memory[]' "$T/plan" | assert_as_promised exomem-run.1 id
	jq '.disks[]' "$T/plan" | assert_as_promised exomem-clone.1 word path
	jq '.steps[]' "$T/plan" | assert_as_promised exomem-run.1 step
	assert_steps_described "$T/plan" exomem-run.1 exomem-clone.1
	on_templates clone --detach base
	record=$state/base-1/vm.json
	assert_as_promised exomem-state.5 schema memory-error run-as pmem <"$record"
	jq '.disks[]' "$record" | assert_as_promised exomem-clone.1 word path
	"$EXOMEM" show --state-dir "$state" --json base-1 |
		jq 'del(.directory, .status, .sockets, ."memory-size")' |
		assert_as_promised exomem-state.5 schema memory-error run-as pmem
	"$EXOMEM" stop --state-dir "$state" --kill base-1
}

# The first fork takes the guest's place; its memory is private then, and the next one writes it.
@test "fork --dry-run --json, fork --json, and vm.json of a guest that was forked" {
	need_qemu
	start_parent
	for way in succeed write; do
		on_templates fork --dry-run --json --keep web "$way" >"$T/plan"
		[ "$(jq -r .way "$T/plan")" = "$way" ]
		assert_as_promised exomem-fork.1 schema <"$T/plan"
		jq '.steps[]' "$T/plan" | assert_as_promised exomem-run.1 step shared
		assert_steps_described "$T/plan" exomem-fork.1
		jq .child "$T/plan" | assert_as_promised exomem-clone.1 schema sandbox
		jq '.child.disks[]' "$T/plan" | assert_as_promised exomem-clone.1 word path
		jq .child "$T/plan" >"$T/child"
		assert_steps_described "$T/child" exomem-run.1 exomem-clone.1 exomem-fork.1
		on_templates fork --json web | assert_as_promised exomem-fork.1 children template
		assert_as_promised exomem-state.5 schema memory-error run-as pmem template <"$state/web/vm.json"
		jq '.disks[]' "$state/web/vm.json" |
			assert_as_promised exomem-clone.1 word fd directory
	done
	on_templates fork --paused --keep --json web kept >"$T/forked"
	assert_as_promised exomem-fork.1 children child-us <"$T/forked"
	assert_as_promised exomem-state.5 schema memory-error run-as pmem template <"$state/web-3/vm.json"
	"$EXOMEM" stop --state-dir "$state" --kill --all
}

@test "fork --dry-run --json with reflinks" {
	need_qemu
	use_xfs 400M
	memory=$reflink
	start_parent
	on_templates fork --dry-run --json web >"$T/plan"
	[ "$(jq -r .way "$T/plan")" = reflink ]
	assert_as_promised exomem-fork.1 schema template <"$T/plan"
	assert_steps_described "$T/plan" exomem-fork.1
	"$EXOMEM" stop --state-dir "$state" --kill web
}

@test "prefetch --json, a recording, and the plan of clone --prefetch" {
	need_qemu
	start_parent
	on_templates save -q web base
	on_templates clone --detach base
	on_prefetch() {
		"$EXOMEM" prefetch --json --state-dir "$state" --templates "$T/templates" "$@"
	}
	on_prefetch record base-1 |
		assert_as_promised exomem-prefetch.1 path cached touched hit waste
	on_prefetch show base | assert_as_promised exomem-prefetch.1 path
	on_prefetch replay base | assert_as_promised exomem-prefetch.1 cached
	assert_as_promised exomem-prefetch.1 schema <"$T/templates/base/prefetch.json"
	jq '.memory[]' "$T/templates/base/prefetch.json" | assert_as_promised exomem-prefetch.1 id
	on_templates clone --dry-run --json --prefetch base >"$T/plan"
	jq -e '.steps | any(.step == "prefetch")' "$T/plan"
	assert_steps_described "$T/plan" exomem-run.1 exomem-clone.1
	"$EXOMEM" stop --state-dir "$state" --kill --all
}

@test "run --dry-run --json" {
	need_qemu
	exomem_run --dry-run --json --name web -M q35 -m 64 \
		-mem-path "$memory,mode=create,anyfs" >"$T/plan"
	assert_as_promised exomem-run.1 schema pmem sandbox <"$T/plan"
	jq '.memory[]' "$T/plan" | assert_as_promised exomem-run.1 id
	jq '.steps[]' "$T/plan" | assert_as_promised exomem-run.1 step
	assert_steps_described "$T/plan" exomem-run.1
}

@test "probe --json" {
	need_qemu
	"$EXOMEM" probe --json >"$T/probe"
	assert_as_promised exomem-probe.1 schema <"$T/probe"
	jq '.machines[]' "$T/probe" | assert_as_promised exomem-probe.1 name
}
