#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_nova.bats - what went wrong in Nova's vPMEM, and does not here. What is seen in a plan is in
# golden/pmem/nova-* and run-nova-*; that a stop, a start that fails or a kill keeps data, and that
# devices may change their numbers, in pmem_run.bats.

# What the made-up world's shell expands is quoted; bats and helper.bash set the other variables.
# shellcheck disable=SC2016,SC2154

load helper
load pmem

teardown() {
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || true
	rm -rf "$T"
}

use_pool() {
	need_namespaces
	make_world '0 ns_0 1 32 2097152 0 devdax mem yes' '1 ns_1 2 16 2097152 0 devdax mem yes' \
		'2 ns_2 3 16 2097152 0 devdax mem yes'
	printf '[pmem]\npmem_namespaces = 4GB:ns_0,SMALL:ns_1|ns_2\n' >"$T/conf"
	pmem -q list >"$T/out"
}

pmem_run() { # NAME SPEC
	"$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--name "$1" --detach --pmem "$2" -accel tcg -nodefaults -display none -m 64M -S 3>&-
}

fill() { # DIGIT
	tr '\0' 'x' </dev/zero | head -c 16M | dd of="$T/devices/$1" conv=notrunc status=none
}

# Runs a command in the made-up world behind another one.
behind() { # COMMAND ARGUMENT...
	printf '#!/bin/sh\n%s || exit 99\nexec "$@"\n' "$1" >"$T/behind"
	chmod +x "$T/behind"
	"$T/fake" "$T/behind" "${@:2}"
}

# Hides a shared library, as if it were not installed.
without_ndctl='for f in /usr/lib/*/libndctl.so.6*; do mount --bind /dev/null "$f"; done'

@test "1904446: without ndctl's library it says so in one line" {
	use_pool
	run -3 behind "$without_ndctl" "$EXOMEM" pmem --claims "$T/claims" --config "$T/conf" list
	assert_refused 3 'libndctl'
	run -3 behind "$without_ndctl" "$EXOMEM" pmem --claims "$T/claims" --config "$T/conf" list --check
	[[ $output = *'BAD  ndctl'* ]]
	run -3 behind "$without_ndctl" "$EXOMEM" run --claims "$T/claims" --config "$T/conf" \
		--pmem SMALL -accel tcg -m 64
	[[ $output = *libndctl* ]]
}

# The same functions, the first of which fails.
broken_ndctl() {
	command -v cc >/dev/null || lacks cc 'no compiler is installed'
	{
		echo 'int ndctl_new(void **context) { *context = 0; return -5; }'
		grep -oE 'FUNCTION\(ndctl_[a-z_]+\)' "$BATS_TEST_DIRNAME/../../lib/host/ndctl_loader.h" |
			grep -v 'ndctl_new)' | sed 's/FUNCTION(\(.*\))/void *\1(void) { return 0; }/'
	} >"$T/broken.c"
	cc -shared -fPIC -o "$T/broken.so" "$T/broken.c"
	behind "for f in /usr/lib/*/libndctl.so.6*; do mount --bind $T/broken.so \"\$f\"; done" "$@"
}

@test "1904446: where ndctl's library fails, that is said in one line, and nothing is given out" {
	need_qemu
	use_pool
	run broken_ndctl "$EXOMEM" pmem --claims "$T/claims" --config "$T/conf" list
	assert_refused 1 'start libndctl: Input/output error'
	# QEMU has the library too, so that it is asked before.
	"$EXOMEM" probe >"$T/out"
	run broken_ndctl "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--pmem SMALL -accel tcg -m 64
	assert_refused 1 'start libndctl: Input/output error'
	assert_empty "$T/claims"
}

@test "two guests exhaust SMALL, the third fails, and once one has released it the next gets it" {
	need_qemu
	use_pool
	run -0 pmem_run a SMALL
	run -0 pmem_run b SMALL
	run -4 pmem_run c SMALL
	# A guest that was stopped still has it.
	"$EXOMEM" stop --state-dir "$state" --kill a
	run -4 pmem_run c SMALL
	run -0 pmem release a
	run -0 pmem_run c SMALL
}

@test "devices come in the guest's order: SMALL,4GB,SMALL" {
	need_qemu
	use_pool
	run -0 pmem_run a SMALL,4GB,SMALL
	run -0 "$EXOMEM" qmp --state-dir "$state" a query-memory-devices
	[ "$(jq -c '[.[].data.size / 1048576]' <<<"$output")" = '[14,30,14]' ]
	[ "$(jq -c '[.[].data.id]' <<<"$output")" = '["nvdimm0","nvdimm1","nvdimm2"]' ]
}

@test "a namespace that has left the pool is its guest's, and can be released" {
	need_qemu
	use_pool
	run -0 pmem_run a SMALL
	"$EXOMEM" stop --state-dir "$state" --kill a
	printf '[pmem]\npmem_namespaces = 4GB:ns_0\n' >"$T/conf"
	run -0 pmem allocations
	[[ ${lines[1]} =~ ^a\ +ns_1\ .*kept$ ]]
	run -5 pmem_run b ns_1
	run -0 pmem release a
	[ "$output" = 'ns_1: 16 MiB zeroed and verified' ]
}

@test "where one device cannot be wiped, the others are, and it is not given out" {
	need_qemu
	use_pool
	run -0 pmem_run a SMALL,SMALL
	"$EXOMEM" stop --state-dir "$state" --kill a
	fill 2
	fill 3
	run behind 'mount -o remount,bind,ro /dev/dax1.0' \
		"$EXOMEM" pmem --claims "$T/claims" --config "$T/conf" release a
	assert_refused 1 "'/dev/dax1.0'"
	[ "$(head -c 1 "$T/devices/2")" = x ]
	cmp -n 16777216 "$T/devices/3" /dev/zero
	run -0 pmem allocations
	[ "${#lines[@]}" = 2 ]
	run -5 pmem_run b ns_1
	run -0 pmem release a
	cmp -n 16777216 "$T/devices/2" /dev/zero
}
