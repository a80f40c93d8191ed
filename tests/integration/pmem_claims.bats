#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_claims.bats - whose a namespace is: guests of one name in several state directories, starts that
# fail, and namespaces that are gone, disabled, recreated or moved to another label; on a real QEMU

# Words are split on purpose ($quiet); bats and helper.bash set the other variables.
# shellcheck disable=SC2086,SC2154

load helper
load pmem

quiet='-accel tcg -nodefaults -display none -m 64M -S'

ns0='0 ns0 1 16 2097152 0 devdax mem yes'
ns1='1 ns1 2 16 2097152 0 devdax mem yes'

use_pool() { # WORLD-LINE...
	need_qemu
	need_namespaces
	make_world "$@"
	set_pool SMALL:ns0
	# The world is made once, so that no two make a device's file; and the QEMU is asked once.
	pmem -q list >"$T/out"
	"$EXOMEM" probe >"$T/out"
}

set_pool() { # LABELS
	printf '[pmem]\npmem_namespaces = %s\n' "$1" >"$T/conf"
}

# A guest that does nothing, on its own, in one of several state directories.
guest() { # STATE NAME SPEC QEMU-ARGUMENT...
	"$T/fake" "$EXOMEM" run --state-dir "$T/$1" --claims "$T/claims" --config "$T/conf" \
		--name "$2" --detach --pmem "$3" $quiet "${@:4}" 3>&-
}

# A guest in the foreground that ends at once, and its exit status in $T/rc.
foreground() { # NAME SPEC QEMU-ARGUMENT...
	timeout 60 "$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--name "$1" --pmem "$2" $quiet "${@:3}" 3>&-
}

stop_guest() { # STATE NAME
	"$EXOMEM" stop --state-dir "$T/$1" --kill "$2"
}

fill() { # DIGIT
	tr '\0' 'x' </dev/zero | head -c 16M | dd of="$T/devices/$1" conv=notrunc status=none
}

first_byte() { # DIGIT
	head -c 1 "$T/devices/$1" | tr '\0' 0
}

# "GUEST NAMESPACE STATE" of each claim.
claims() {
	pmem --json allocations | jq -r '.allocations[] | [.guest, .namespace, .state] | join(" ")'
}

teardown() {
	for one in "$state" "$T/one" "$T/other"; do
		"$EXOMEM" stop --state-dir "$one" --kill --all >/dev/null 2>&1 || true
	done
	rm -rf "$T"
}

@test "guests of one name in two state directories do not get each other's namespaces" {
	use_pool "$ns0" "$ns1"
	set_pool 'SMALL:ns0|ns1'
	run -0 guest one web SMALL
	fill 1
	stop_guest one web
	run -0 guest other web SMALL
	[ "$(claims)" = $'web ns0 kept\nweb ns1 in use' ]
	[ "$(first_byte 1)" = x ]
	fill 2
	stop_guest other web
	run -5 guest other web ns0
	assert_refused 5 "guest 'web' of state directory '$T/one' has it, also while it does not run"
	# Each gets its own again, in whatever order.
	run -0 guest other web SMALL
	[ "$(claims)" = $'web ns0 kept\nweb ns1 in use' ]
	run -0 guest one web SMALL
	[ "$(claims)" = $'web ns0 in use\nweb ns1 in use' ]
	[ "$(first_byte 1)$(first_byte 2)" = xx ]
	# And no release takes both for one.
	stop_guest one web
	stop_guest other web
	run -5 pmem release web
	assert_refused 5 "state directories '$T/o"
	[ "$(first_byte 1)$(first_byte 2)" = xx ]
	run -0 pmem release ns0
	[ "$(first_byte 1)$(first_byte 2)" = 0x ]
}

@test "a state directory that is made anew in the same boot gets what was there when it adopts it" {
	use_pool "$ns0" "$ns1"
	set_pool 'SMALL:ns0|ns1'
	run -0 guest one web SMALL
	fill 1
	run -5 pmem adopt --state-dir "$T/other" web
	assert_refused 5 "namespace 'ns0' is in use by pid"
	stop_guest one web
	rm -r "$T/one"
	run -5 guest one web SMALL
	assert_refused 5 "namespace 'ns0' is of guest 'web' of an earlier state directory '$T/one': 'exomem pmem adopt web'"
	run -0 pmem adopt --state-dir "$T/one" web
	[ "$output" = "ns0: adopted for guest 'web'" ]
	run -0 guest one web SMALL
	[ "$(claims)" = 'web ns0 in use' ]
	[ "$(first_byte 1)" = x ]
	stop_guest one web
	run -5 pmem adopt --state-dir "$T/one" web
	# One namespace, for a directory that is not there yet.
	run -0 pmem -q adopt --state-dir "$T/other" ns0
	[ "$output" = ns0 ]
	run -5 guest one web ns0
	run -0 guest other web SMALL
	[ "$(first_byte 1)" = x ]
}

@test "a claim without a state directory is of the first guest of its name" {
	use_pool "$ns0"
	fill 1
	mkdir "$T/claims"
	printf '{"schema":1,"uuid":"%s","namespace":"ns0","size":16777216,"guest":"web","label":"SMALL"}' \
		"$(uuid_of 1)" >"$T/claims/$(uuid_of 1).json"
	run -0 guest one web SMALL
	[ "$(first_byte 1)" = x ]
	[ "$(jq -r '."state-directory"' "$T/claims"/*.json)" = "$T/one" ]
	stop_guest one web
	run -4 guest other web SMALL
}

@test "a start whose QEMU never made its machine claims nothing" {
	use_pool "$ns0" "$ns1"
	set_pool 'SMALL:ns0|ns1'
	for _ in 1 2 3; do
		run "$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
			--detach --pmem SMALL $quiet -device nope
		[ "$status" = 1 ] && [[ $output = *"'nope' is not a valid device"* ]]
	done
	[ -z "$(claims)" ]
	run -0 guest one web SMALL,SMALL
	[ "$(claims)" = $'web ns0 in use\nweb ns1 in use' ]
}

@test "a start in the foreground whose QEMU never made its machine keeps nobody away" {
	use_pool "$ns0"
	for name in a b c; do
		run foreground "$name" SMALL -device nope
		[ "$status" = 1 ]
	done
	run -0 pmem allocations
	[[ ${lines[1]} = *'not started' ]]
	run -0 pmem inventory
	[[ ${lines[1]} =~ \ 0$ ]]
	run -0 guest one web SMALL
	[ "$(claims)" = 'web ns0 in use' ]
}

@test "a guest in the foreground keeps what it wrote to" {
	use_pool "$ns0"
	foreground a SMALL <"$T/conf" >"$T/out" 2>&1 &
	until [ "$("$EXOMEM" list --state-dir "$state" -q 2>/dev/null)" = a ]; do sleep 0.1; done
	until [ "$(jq 'has("start")' "$T/claims"/*.json)" = false ]; do sleep 0.1; done
	stop_guest state a
	wait $! || true
	[ "$(claims)" = 'a ns0 kept' ]
	run -4 guest one web SMALL
	run -0 pmem release a
}

@test "a claim of a start that nobody saw run is kept where the guest has left data" {
	use_pool "$ns0"
	fill 1
	mkdir "$T/claims"
	printf '{"schema":1,"uuid":"%s","namespace":"ns0","size":16777216,"guest":"a","start":"s"}' \
		"$(uuid_of 1)" >"$T/claims/$(uuid_of 1).json"
	[ "$(claims)" = 'a ns0 not started' ]
	run -4 guest one web SMALL
	[[ $output = *"guest 'a' has it"* ]]
	[ "$(claims)" = 'a ns0 kept' ]
	[ "$(first_byte 1)" = x ]
	run -0 guest one a SMALL
	[ "$(first_byte 1)" = x ]
}

@test "a start that fails leaves the claim that was there before as it was" {
	use_pool "$ns0"
	run -0 guest one web SMALL
	fill 1
	stop_guest one web
	before=$(cat "$T/claims"/*.json)
	run guest one web SMALL,ephemeral -device nope
	[ "$status" = 1 ]
	[ "$(cat "$T/claims"/*.json)" = "$before" ]
	state=$T/one run foreground web SMALL,ephemeral -device nope
	[ "$status" = 1 ]
	[ "$(cat "$T/claims"/*.json)" = "$before" ]
	run -0 guest one web SMALL
	[ "$(first_byte 1)" = x ]
}

@test "a start that fails before QEMU is started claims nothing" {
	use_pool "$ns0"
	run "$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--qemu "$T/fake" --pmem SMALL $quiet
	[ "$status" != 0 ]
	truncate -s 16M "$T/held"
	flock "$T/held" sleep 60 3>&- &
	pids="$pids $!"
	until ! flock -n "$T/held" true; do sleep 0.05; done
	run -5 "$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--detach --pmem SMALL --pmem "file:$T/held" $quiet
	[ -z "$(claims)" ]
	kill $!
}

@test "a guest whose namespace is missing gets no other one" {
	use_pool "$ns0" "$ns1"
	run -0 guest one web SMALL
	fill 1
	stop_guest one web
	make_world "$ns1"
	set_pool SMALL:ns1
	run -5 guest one web SMALL
	assert_refused 5 "namespace 'ns0' of guest 'web' (uuid $(uuid_of 1)) is not on this host: bring it back, or 'exomem pmem release --forget ns0' drops the claim"
	run -5 guest one web ns1
	run -5 pmem release web
	assert_refused 5 'release --forget ns0'
	run -3 pmem list --check
	[[ $output = *"BAD  claim   namespace 'ns0' of guest 'web'"* ]]
	# It comes back, with its data.
	make_world "$ns0" "$ns1"
	set_pool 'SMALL:ns0|ns1'
	run -5 pmem release --forget web
	assert_refused 5 "namespace 'ns0' is on this host: 'exomem pmem release ns0' wipes it"
	run -0 guest one web SMALL
	[ "$(claims)" = 'web ns0 in use' ]
	[ "$(first_byte 1)" = x ]
	stop_guest one web
	# Given up.
	make_world "$ns1"
	set_pool SMALL:ns1
	run -0 pmem release --forget web
	[ "$output" = "ns0: no longer claimed by guest 'web'" ]
	[ -z "$(claims)" ]
	run -0 guest one web SMALL
	[ "$(claims)" = 'web ns1 in use' ]
	# What comes back then is nobody's, and is scrubbed.
	make_world "$ns0" "$ns1"
	set_pool 'SMALL:ns0|ns1'
	run -0 guest one db SMALL
	[ "$(first_byte 1)" = 0 ]
}

@test "a guest whose namespace left the label gets no other one" {
	use_pool "$ns0" "$ns1"
	run -0 guest one web SMALL
	fill 1
	stop_guest one web
	for pool in SMALL:ns1 TINY:ns0,SMALL:ns1; do
		set_pool "$pool"
		run -5 guest one web SMALL
		assert_refused 5 "namespace 'ns0' of guest 'web' is not under label 'SMALL' of pmem_namespaces any more"
	done
	# Nor by its new label, under which another one may be first.
	set_pool 'TINY:ns1|ns0'
	run -5 guest one web TINY
	# By its name it is had as before.
	run -0 guest one web ns0
	[ "$(first_byte 1)" = x ]
	stop_guest one web
	# And so by any label that it is under.
	run -0 guest one web TINY
	[ "$(claims)" = 'web ns0 in use' ]
}

@test "a namespace that was recreated under its name is nobody's, and is scrubbed" {
	use_pool "$ns0"
	run -0 guest one web SMALL
	stop_guest one web
	# The same bytes, another uuid.
	make_world "${ns0/ns0 1/ns0 5}"
	pmem -q list >"$T/out"
	fill 5
	run -5 guest one web SMALL
	assert_refused 5 "was recreated with uuid $(uuid_of 5), without the guest's data: 'exomem pmem release --forget ns0' drops the claim"
	run -5 pmem release ns0
	assert_refused 5 'release --forget ns0'
	run -0 guest one db SMALL
	cmp -n 16777216 "$T/devices/5" /dev/zero
	stop_guest one db
	run -3 pmem list --check
	[[ $output = *'BAD  claim'* ]]
	run -0 pmem release --forget --json ns0
	[ "$(jq -r '.forgotten[] | .guest, .uuid' <<<"$output")" = $'web\n'"$(uuid_of 1)" ]
	[ "$(claims)" = 'db ns0 kept' ]
	run -5 pmem release --forget ns0
	run -5 pmem release --forget nobody
}

@test "a namespace that exomem never gave out is scrubbed once" {
	use_pool "$ns0"
	fill 1
	run -0 guest one web SMALL
	cmp -n 16777216 "$T/devices/1" /dev/zero
	stop_guest one web
	# What a release has wiped is not wiped again.
	run -0 pmem release web
	run -0 "$T/fake" "$EXOMEM" run --state-dir "$T/one" --claims "$T/claims" --config "$T/conf" \
		--dry-run --pmem SMALL $quiet
	[[ $output != *scrub* ]]
	# Unless it has another size.
	truncate -s 18M "$T/devices/1"
	make_world "${ns0/ns0 1 16/ns0 1 18}"
	run -0 "$T/fake" "$EXOMEM" run --state-dir "$T/one" --claims "$T/claims" --config "$T/conf" \
		--dry-run --pmem SMALL $quiet
	[[ $output = *scrub* ]]
}

@test "scrub without a name wipes only what waits for it" {
	use_pool "$ns0" "$ns1"
	fill 1
	fill 2
	run -0 pmem scrub
	[ "$output" = 'nothing waits to be scrubbed' ]
	[ "$(first_byte 1)$(first_byte 2)" = xx ]
}

# As the kernel shows it: without its driver it has no device, another mode, and the uuid of its label.
@test "a disabled namespace is enabled, not recreated, and its claim stays" {
	use_pool "$ns0" "$ns1"
	run -0 guest one web SMALL
	fill 1
	stop_guest one web
	make_world '0 ns0 1 16 2097152 0 disabled-raw mem yes' "$ns1"
	run -3 guest one web SMALL
	assert_refused 3 "namespace 'ns0' is disabled: 'ndctl enable-namespace namespace0.0' enables it"
	run -3 guest one db ns0
	assert_refused 3 'enable-namespace'
	run -5 pmem release --forget web
	run -3 pmem release web
	assert_refused 3 'enable-namespace'
	run -0 pmem allocations
	[[ ${lines[1]} = *disabled ]]
	make_world "$ns0" "$ns1"
	run -0 guest one web SMALL
	[ "$(first_byte 1)" = x ]
}
