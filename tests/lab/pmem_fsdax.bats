#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_fsdax.bats - a file system with DAX on a real namespace: nobody gets the namespace, and a file
# there is mapped so that what a guest flushes lasts (MAP_SYNC)

# lab: nvdimm=258M timeout=300

# bats and lab.bash set the other variables.
# shellcheck disable=SC2154

load lab

mounted=/lab/fsdax

pmem() { # ACTION...
	"$EXOMEM" pmem --claims /lab/claims "$@"
}

# The one namespace, as a file system.
setup_file() {
	lab_nvdimm
	ndctl disable-region all
	ndctl init-labels -f all
	ndctl enable-region all
	ndctl create-namespace -r region0 -m fsdax -M mem -n files
	mkfs.ext4 -q -b 4096 /dev/pmem0
	mkdir "$mounted"
	mount -o dax /dev/pmem0 "$mounted"
}

@test "a namespace that is mounted is listed with its place" {
	run -0 pmem --json list
	[ "$(jq -r '.namespaces[0] | .name, .mode, ."used-by"' <<<"$output")" = \
		"files"$'\nfsdax\n'"mounted on '$mounted'" ]
}

@test "nobody gets it, and nobody wipes it" {
	run -3 pmem --pool A:files inventory
	[[ $output = *"'files' is in mode fsdax"* ]]
	run pmem --pool A:files list --check
	[ "$status" = 3 ]
	[[ $output = *"BAD  use"*"'files' cannot be given out: mounted on '$mounted'"* ]]
	[[ $output = *"BAD  pool"*"in mode fsdax"* ]]
	run -3 pmem scrub files
	run -3 "$EXOMEM" run --claims /lab/claims --pmem files -M q35 -m 64
	[ ! -e /lab/claims ]
}

@test "a file on it is mapped with MAP_SYNC, and outlives its guest" {
	run -0 "$EXOMEM" run --state-dir "$state" --claims /lab/claims --name a --detach \
		--pmem "file:$mounted/nv,size=64M" -accel tcg -M q35 -m 64 -nodefaults -display none -S 3>&-
	[ "$output" = a ]
	grep -q 'pmem=on' "/proc/$(jq .pid "$state/a/vm.json")/cmdline"
	# "sf": Documentation/filesystems/proc.rst, VmFlags
	sed -n '/nv$/,/^VmFlags/p' "/proc/$(jq .pid "$state/a/vm.json")/smaps" | grep -q '^VmFlags:.* sf'
	"$EXOMEM" stop --state-dir "$state" --kill a
	[ "$(stat -c %s "$mounted/nv")" = $((64 << 20)) ]
}

@test "a file that is not on DAX draws a warning" {
	run -0 "$EXOMEM" run --dry-run --pmem "file:$T/nv,size=64M" -accel tcg -M q35 -m 64
	[[ $output = *"'$T/nv' is not on DAX"* ]]
}
