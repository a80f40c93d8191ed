#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_run.bats - guests with persistent memory: claims, locks and devices, on a real QEMU

# shellcheck disable=SC2154 # of helper.bash

load helper
load pmem

quiet='-accel tcg -nodefaults -display none -m 64M -S'

use_pool() {
	need_qemu
	need_namespaces
	make_world '0 ns0 1 16 2097152 0 devdax mem yes' '1 ns1 2 16 2097152 0 devdax mem yes' \
		'2 ns2 3 16 2097152 1 devdax mem yes' '3 ns3 4 64 2097152 1 devdax mem yes'
	printf '[pmem]\npmem_namespaces = 6GB:ns0|ns1|ns2,LARGE:ns3\n' >"$T/conf"
	chmod 0644 "$T/conf"
	# The world is made once, so that no two make a device's file.
	pmem -q list >"$T/out"
	# And the QEMU is asked once.
	"$EXOMEM" probe >"$T/out"
}

# A guest that does nothing, on its own.
pmem_run() { # NAME SPEC
	# shellcheck disable=SC2086 # one word each
	"$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--name "$1" --detach --pmem "$2" $quiet
}

stop_guest() { # NAME
	"$EXOMEM" stop --state-dir "$state" --kill "$1"
}

claim_of() { # GUEST: its namespaces, in its order
	pmem --json allocations |
		jq -r --arg guest "$1" '[.allocations[] | select(.guest == $guest)] | sort_by(.order) | .[].namespace'
}

fill() { # DIGIT: write to a device
	tr '\0' 'x' </dev/zero | head -c 16M | dd of="$T/devices/$1" conv=notrunc status=none
}

teardown() {
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || true
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$T"
}

@test "a file becomes an NVDIMM of the size that was said" {
	need_qemu
	printf '' >"$T/conf"
	# shellcheck disable=SC2086
	run -0 "$EXOMEM" run --state-dir "$state" --config "$T/conf" --claims "$T/claims" --name a \
		--detach --pmem "file:$T/nv,size=64M" $quiet
	[[ $output = *"'$T/nv' is not on DAX"* ]]
	run -0 "$EXOMEM" qmp --state-dir "$state" a query-memory-devices
	[ "$(jq -r '.[0].type, .[0].data.size, .[0].data.node, .[0].data.id' <<<"$output")" = \
		$'nvdimm\n65011712\n0\nnvdimm0' ]
	[ "$(stat -c %s "$T/nv")" = 67108864 ]
	[ "$(jq -r '.pmem[0].visible' "$state/a/vm.json")" = 65011712 ]
	# Nobody else gets the file while the guest has it.
	# shellcheck disable=SC2086
	run -5 "$EXOMEM" run --state-dir "$state" --config "$T/conf" --claims "$T/claims" --name b \
		--detach --pmem "file:$T/nv" $quiet
	[[ $output = *"in use by guest 'a'"* ]]
	[ ! -e "$T/claims" ]
}

@test "a file that was made is not left behind where the next cannot be had" {
	need_qemu
	printf '' >"$T/conf"
	truncate -s 16M "$T/held"
	flock "$T/held" sleep 60 3>&- &
	pids="$pids $!"
	until ! flock -n "$T/held" true; do sleep 0.05; done
	# shellcheck disable=SC2086
	run -5 "$EXOMEM" run --state-dir "$state" --config "$T/conf" --claims "$T/claims" --name a \
		--detach --pmem "file:$T/nv,size=16M" --pmem "file:$T/held" $quiet
	[[ $output = *"'$T/held' is in use"* ]]
	[ ! -e "$T/nv" ]
}

@test "NVDIMM and virtio-pmem side by side, read-only, with slots of the user's own" {
	need_qemu
	printf '' >"$T/conf"
	truncate -s 32M "$T/ro"
	chmod 0400 "$T/ro"
	run -0 "$EXOMEM" run --state-dir "$state" --config "$T/conf" --claims "$T/claims" --name a \
		--detach --pmem "file:$T/nv,size=16M,unarmed" --pmem "file:$T/v,size=32M,virtio" \
		--pmem "file:$T/ro,readonly,label-size=0" -M q35 -accel tcg -nodefaults -display none \
		-m 64M,slots=3,maxmem=1G -object memory-backend-ram,id=d,size=64M -device pc-dimm,memdev=d -S
	run -0 "$EXOMEM" qmp --state-dir "$state" a query-memory-devices
	[ "$(jq -r '[.[] | .type + " " + (.data.size | tostring)] | sort | join(", ")' <<<"$output")" = \
		'dimm 67108864, nvdimm 14680064, nvdimm 33554432, virtio-pmem 33554432' ]
}

@test "a device that does not fit beside the user's maxmem is refused before QEMU would" {
	need_qemu
	printf '' >"$T/conf"
	run -2 "$EXOMEM" run --state-dir "$state" --config "$T/conf" --claims "$T/claims" \
		--pmem "file:$T/nv,size=1G" -accel tcg -nodefaults -display none -m 64M,slots=1,maxmem=512M
	[[ $output = *"'maxmem=1088M'"* ]]
}

@test "a guest gets what it asked for, in its order, and has its lock" {
	use_pool
	run -0 pmem_run web '6GB,LARGE'
	[ "$(claim_of web)" = $'ns0\nns3' ]
	run -0 "$EXOMEM" qmp --state-dir "$state" web query-memory-devices
	[ "$(jq -r '[.[].data.size] | join(" ")' <<<"$output")" = '14680064 65011712' ]
	run -0 pmem inventory
	[[ ${lines[1]} =~ ^CUSTOM_PMEM_NAMESPACE_6GB\ +1.0\ +3\ +0\ +1\ +1\ +3\ +1$ ]]
	[[ ${lines[2]} =~ ^CUSTOM_PMEM_NAMESPACE_LARGE\ +1.0\ +1\ +0\ +1\ +1\ +1\ +1$ ]]
	run -0 pmem allocations
	[[ ${lines[1]} = *'in use' ]]
	run -4 pmem_run db LARGE
	[[ $output = *"label 'LARGE': 1 wanted, 0 free of 1: 'ns3': guest 'web' runs on it"* ]]
	run -5 pmem_run db ns3
	[[ $output = *"'ns3' cannot be had: guest 'web' runs on it"* ]]
}

@test "all or nothing: what could be had of it stays free" {
	use_pool
	run -0 pmem_run web LARGE
	run -4 pmem_run db '6GB,LARGE'
	[ -z "$(claim_of db)" ]
	run -0 pmem inventory
	[[ ${lines[1]} =~ \ 0$ ]]
}

# In the made-up world: fifty guests at once, each of which wants one of three.
start_fifty() {
	for i in $(seq 50); do
		(
			rc=0
			# shellcheck disable=SC2086
			"$EXOMEM" run --state-dir "$T/state" --claims "$T/claims" --config "$T/conf" \
				--name "g$i" --detach --pmem 6GB $quiet >"$T/$i.out" 2>&1 || rc=$?
			echo "$rc" >"$T/$i.rc"
		) &
	done
	wait
}

@test "fifty at once, of three namespaces: three guests and forty-seven refusals" {
	use_pool
	export T quiet EXOMEM
	export -f start_fifty
	run -0 "$T/fake" bash -c start_fifty
	[ "$(cat "$T"/*.rc | sort | uniq -c | sed 's/^ *//' | paste -sd,)" = '3 0,47 4' ]
	for i in $(seq 50); do
		[ "$(cat "$T/$i.rc")" = 0 ] || grep -q "label '6GB': 1 wanted, 0 free of 3" "$T/$i.out"
	done
	[ "$(jq -r .guest "$T"/claims/*.json | sort -u | wc -l)" = 3 ]
	[ "$("$EXOMEM" list --state-dir "$state" -q | wc -l)" = 3 ]
}

@test "SIGKILL frees the lock, and the guest gets its own again, with its data" {
	use_pool
	run -0 pmem_run web 6GB
	fill 1
	stop_guest web
	run -0 pmem allocations
	[[ ${lines[1]} = *kept ]]
	run -0 pmem_run other 6GB
	[ "$(claim_of other)" = ns1 ]
	# The kernel calls it otherwise after a restart.
	sed -i 's/^0 ns0/7 ns0/' "$T/world"
	run -0 pmem_run web 6GB
	[ "$(claim_of web)" = ns0 ]
	grep -q /dev/dax7.0 "$state/web/vm.json"
	[ "$(head -c 5 "$T/devices/1")" = xxxxx ]
}

@test "SIGKILL of an ephemeral guest frees its claim; the next one finds zeros" {
	use_pool
	run -0 pmem_run web 6GB,ephemeral
	run -0 pmem_run second 6GB
	run -0 pmem_run third 6GB
	[ "$(claim_of web)" = ns0 ]
	run -4 pmem_run fourth 6GB
	fill 1
	stop_guest web
	run -0 pmem_run fourth 6GB
	[ "$(claim_of fourth)" = ns0 ]
	[ -z "$(claim_of web)" ]
	cmp -n 16777216 "$T/devices/1" /dev/zero
}

@test "nobody gets a namespace before its scrub is finished" {
	use_pool
	fill 1
	mkdir "$T/claims"
	printf '{"schema":1,"uuid":"%s","namespace":"ns0","size":16777216,"guest":"gone","dirty":true}' \
		"$(uuid_of 1)" >"$T/claims/$(uuid_of 1).json"
	run -0 pmem_run web ns0
	cmp -n 16777216 "$T/devices/1" /dev/zero
	[ "$(claim_of web)" = ns0 ]
}

@test "release is refused while the guest runs, then wipes all that it had" {
	use_pool
	run -0 pmem_run web 6GB,LARGE
	fill 1
	run -5 pmem release web
	[[ $output = *"'ns0' is in use by pid"* ]]
	[ "$(head -c 1 "$T/devices/1")" = x ]
	stop_guest web
	run -5 pmem scrub ns0
	[[ $output = *"holds data of guest 'web'"* ]]
	run -0 pmem release web
	cmp -n 16777216 "$T/devices/1" /dev/zero
	[ -z "$(claim_of web)" ]
	run -5 pmem release web
}

@test "a namespace whose size changed is refused, and can be given up" {
	use_pool
	run -0 pmem_run web 6GB
	stop_guest web
	truncate -s 18M "$T/devices/1"
	sed -i 's/^0 ns0 1 16/0 ns0 1 18/' "$T/world"
	run -5 pmem_run web 6GB
	[[ $output = *"has 18M now, and had 16M when guest 'web' got it"* ]]
	run -0 pmem release ns0
}

@test "nothing is claimed for a name that is taken" {
	use_pool
	run -0 pmem_run web 6GB
	# shellcheck disable=SC2086
	run -5 "$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" --config "$T/conf" \
		--name web --detach --pmem LARGE $quiet
	[[ $output = *"'web' is taken"* ]]
	[ "$(claim_of web)" = ns0 ]
}

@test "a guest with persistent memory is not saved" {
	use_pool
	run -0 pmem_run web 6GB
	run -3 "$EXOMEM" save --state-dir "$state" --templates "$T/templates" web t
	[[ $output = *"has persistent memory ('ns0')"*'save it then'* ]]
	run -0 "$EXOMEM" list --state-dir "$state" -q
	[ "$output" = web ]
}
