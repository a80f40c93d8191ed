#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_pool.bats - the vPMEM document's example on real drivers, and a power cut in a scrub

# lab: nvdimm=258M disk=64M phases=2 timeout=420

# bats and lab.bash set the other variables.
# shellcheck disable=SC2154

load lab

# What has to outlive a test is not in $T; what has to outlive the power is on the disk.
pool=/lab/pool

use_pool() {
	mkdir -p "$pool" /disk
	mountpoint -q /disk || mount /dev/vdc /disk
	printf '[libvirt]\npmem_namespaces = 6GB:ns0|ns1|ns2,LARGE:ns3\n' >"$pool/conf"
}

pmem() { # ACTION...
	"$EXOMEM" pmem --config "$pool/conf" --claims /disk/claims "$@"
}

# A guest on its own, with the tiny guest in it. Its first NVDIMM is at 4 GiB.
pmem_run() { # NAME SPEC QEMU-ARGUMENT...
	"$EXOMEM" run --state-dir "$pool/state" --config "$pool/conf" --claims /disk/claims --name "$1" \
		--detach --pmem "$2" -accel tcg -M q35 -m 64M -nodefaults -display none -kernel "$GUEST" "${@:3}" 3>&-
}

# What a guest finds at the start of its first NVDIMM.
nvdimm_of() { # NAME
	"$EXOMEM" qmp --state-dir "$pool/state" "$1" pmemsave \
		'{"val": 4294967296, "size": 4096, "filename": "/lab/pool/found"}' >/dev/null
	cat "$pool/found"
}

stop_guest() { # NAME
	"$EXOMEM" stop --state-dir "$pool/state" --kill "$1"
}

@test "phase 1: the document's namespaces, as the kernel has them" {
	lab_disk ext4 /disk
	lab_pmem ns0=32M ns1=32M ns2=32M ns3=64M
	use_pool
	run -0 pmem -q list
	[ "${lines[*]}" = 'ns0 ns1 ns2 ns3' ]
	run -0 pmem --json list
	[ "$(jq -r '[.namespaces[] | .mode, .label] | join(" ")' <<<"$output")" = \
		'devdax 6GB devdax 6GB devdax 6GB devdax LARGE' ]
	[ "$(jq -r '.namespaces[] | select(.name == "ns0") | .uuid' <<<"$output")" = \
		"$(ndctl list -X | jq -r '.[] | select(.name == "ns0") | .uuid')" ]
	[ "$(jq -r '.namespaces[] | select(.name == "ns3") | .size' <<<"$output")" = \
		"$(ndctl list -X | jq -r '.[] | select(.name == "ns3") | .size')" ]
	modprobe nd_btt || true
	run pmem list --check
	echo "$output"
	[[ $output != *'BAD  pool'* ]]
}

@test "phase 1: a guest with 6GB,LARGE and one with 6GB, and the document's two tables" {
	use_pool
	run -0 pmem_run server-with-2-vpmems 6GB,LARGE
	run -0 pmem_run server-with-1-vpmem 6GB
	run -0 pmem inventory
	printf '# %s\n' "${lines[@]}" >&3
	[[ ${lines[1]} =~ ^CUSTOM_PMEM_NAMESPACE_6GB\ +1.0\ +3\ +0\ +1\ +1\ +3\ +2$ ]]
	[[ ${lines[2]} =~ ^CUSTOM_PMEM_NAMESPACE_LARGE\ +1.0\ +1\ +0\ +1\ +1\ +1\ +1$ ]]
	run -0 pmem allocations
	printf '# %s\n' "${lines[@]}" >&3
	[[ ${lines[1]} =~ ^server-with-1-vpmem\ +ns1\ .*'in use'$ ]]
	[[ ${lines[2]} =~ ^server-with-2-vpmems\ +ns0\ .*'in use'$ ]]
	[[ ${lines[3]} =~ ^server-with-2-vpmems\ +ns3\ .*'in use'$ ]]
	run -4 pmem_run third LARGE
	run -0 "$EXOMEM" qmp --state-dir "$pool/state" server-with-2-vpmems query-memory-devices
	[ "$(jq -r '[.[].data.memdev] | join(" ")' <<<"$output")" = '/objects/pmem0 /objects/pmem1' ]
	grep -q 'rw-s.* /dev/dax' "/proc/$(jq .pid "$pool/state/server-with-2-vpmems/vm.json")/maps"
}

@test "phase 1: what a stopped guest left is there for it again, and zero after release" {
	use_pool
	stop_guest server-with-1-vpmem
	run -0 pmem allocations
	[[ $output = *kept* ]]
	# One guest writes to its NVDIMM, and the next reads it there.
	yes lasting | head -c 4096 >"$pool/written"
	run -0 pmem_run server-with-1-vpmem 6GB \
		-device "loader,file=$pool/written,addr=0x100000000,force-raw=on"
	cmp <(nvdimm_of server-with-1-vpmem) "$pool/written"
	stop_guest server-with-1-vpmem
	run -0 pmem_run server-with-1-vpmem 6GB
	cmp <(nvdimm_of server-with-1-vpmem) "$pool/written"
	run -0 pmem allocations
	[[ ${lines[1]} =~ ^server-with-1-vpmem\ +ns1\ .*'in use'$ ]]
	run -5 pmem release server-with-1-vpmem
	stop_guest server-with-1-vpmem
	run -0 pmem release server-with-1-vpmem
	[[ $output = *'zeroed and verified' ]]
	run -0 pmem allocations
	[[ $output != *server-with-1-vpmem* ]]
	run -0 pmem_run other ns1
	cmp <(nvdimm_of other) <(head -c 4096 /dev/zero)
	stop_guest other
	run -0 pmem release other
	stop_guest server-with-2-vpmems
}

@test "phase 1: the power is cut in the middle of a scrub" {
	use_pool
	# Stopped at its first progress by a signal that it cannot miss, and then the power goes.
	pmem release server-with-2-vpmems >/dev/null &
	until grep -qs '"dirty": *true' /disk/claims/*.json; do :; done
	kill -STOP $!
	lab_cut_power
}

@test "phase 2: nobody gets it before the scrub is finished" {
	lab_nvdimm
	use_pool
	run -0 pmem allocations
	printf '# %s\n' "${lines[@]}" >&3
	# The first of the two, unless the machine was fast.
	dirty=$(awk '/to be scrubbed/ { print $2 }' <<<"$output")
	[[ $dirty = ns[03] ]]
	run -0 pmem inventory
	[[ $output =~ \ 1.0\ +[13]\ +1\  ]]
	run -0 pmem_run next "$dirty"
	run -0 pmem allocations
	[[ $output = *next* ]]
	# What no longer runs has nothing open that the end of the tests would wait for.
	stop_guest next
}
