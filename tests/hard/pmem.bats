#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem.bats - a namespace that is claimed, and one that is released, with a system call that fails.

# bats and hard.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load hard

quiet='-accel tcg -nodefaults -display none -m 64M -S'

# All of them are in the made-up world: it is how a device's file is found.
make_pool() {
	need_namespaces
	# The script that it writes loads pmem.bash from there.
	BATS_TEST_DIRNAME=$BATS_TEST_DIRNAME/../integration \
		make_world '0 ns0 1 16 2097152 0 devdax mem yes' \
		'1 ns1 2 16 2097152 0 devdax mem yes'
	printf '[pmem]\npmem_namespaces = SMALL:ns0|ns1\n' >"$T/conf"
	chmod 0644 "$T/conf"
	outside=("$T/fake")
	pmem -q list >/dev/null
}

# Without their claims, devices are as new.
start_over() {
	stop_all
	rm -f "$T"/devices/*
}

prepare() {
	[ -e "$T/fake" ] || make_pool
	had=$(claims)
	[ "$part" = release ] || return 0
	[ ! -e "$T/claims" ] || [ "$(claims)" = 0 ] || return 0
	"$T/fake" "$EXOMEM" run --detach --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--name web --pmem SMALL $quiet >/dev/null 3>&-
	vm stop --kill web >/dev/null
	vm clean
	tr '\0' 'x' </dev/zero | head -c 1M | dd of="$T/devices/1" conv=notrunc status=none
}

claims() {
	pmem --json allocations | jq -r '.allocations | length'
}

set_command() {
	if [ "$part" = release ]; then
		command=("$EXOMEM" pmem --claims "$T/claims" --config "$T/conf" release -q web)
	else
		command=("$EXOMEM" run --detach --state-dir "$state" --claims "$T/claims" --config "$T/conf"
			--name web --pmem SMALL $quiet)
	fi
}

dirty_devices() {
	local device
	for device in "$T"/devices/*; do
		cmp -s -n $((16 << 20)) "$device" /dev/zero || echo "${device##*/}"
	done
}

# What is not zero belongs to somebody, or waits for its scrub.
check_clean() {
	check_processes
	[ "$(dirty_devices | wc -l)" -le "$(claims)" ] || complain lost 'unscrubbed, and nobody has it'
}

check_done() {
	check_clean
	if [ "$part" = release ]; then
		[ "$(claims)" = 0 ] || complain lost 'released, and still claimed'
		return
	fi
	[ "$(claims)" = 1 ] || complain lost 'no claim'
	vm stop --kill web >/dev/null 2>&1 || complain lost 'it does not run'
	vm clean >/dev/null
	tr '\0' 'x' </dev/zero | head -c 1M | dd of="$T/devices/1" conv=notrunc status=none
}

check_failed() {
	check_clean
	if [ "$part" = release ]; then
		# It has a claim, or waits for its scrub, and either can be finished.
		pmem -q scrub >/dev/null 2>&1 || true
		[ "$(claims)" = 0 ] || pmem -q release web >/dev/null 2>"$T/answer" ||
			complain lost "it cannot be released any more: $(cat "$T/answer")"
		[ -z "$(dirty_devices)" ] || complain lost 'data left after the release'
	else
		# A scrub that was interrupted can be finished; then the guest has no claim.
		pmem -q scrub >/dev/null 2>&1 || complain lost 'what is left cannot be scrubbed'
		[ "$(claims)" = "$had" ] || complain lost "a start that failed: $had claims before, now $(claims)"
		check_unchanged
	fi
}

check_killed() {
	vm stop --kill --all >/dev/null 2>&1 || true
	vm clean >/dev/null
	check_clean
	pmem -q scrub >/dev/null 2>&1 || true
	[ "$(claims)" = 0 ] || pmem -q release web >/dev/null 2>"$T/answer" ||
		complain lost "it cannot be released: $(cat "$T/answer")"
	[ -z "$(dirty_devices)" ] || complain lost 'data left after the release'
}

@test "run --pmem, with each system call failing" {
	part=claim
	fault_sweep pmem-claim
}

@test "pmem release, with each system call failing" {
	part=release
	fault_sweep pmem-release
}
