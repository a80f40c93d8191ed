#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# exomem usage against what the kernel says of the same processes.

# helper.bash and template.bash set the other variables.
# shellcheck disable=SC2154

load helper
load template

# The sum of a line of smaps_rollup over all guests, in bytes.
rollup() { # LINE
	for pid in $(jq .pid "$state"/*/vm.json); do cat "/proc/$pid/smaps_rollup"; done |
		awk -v line="$1:" '$1 == line { sum += $2 } END { print sum * 1024 }'
}

# Bytes of anonymous pages that are mapped from the template's memory.
anonymous_of_memory() {
	for pid in $(jq .pid "$state"/*/vm.json); do cat "/proc/$pid/smaps"; done |
		awk -v file="$file" 'index($0, file) { ours = 1 } /^[0-9a-f]+-/ && !index($0, file) { ours = 0 }
			ours && $1 == "Anonymous:" { sum += $2 } END { print sum * 1024 }'
}

# Children that rest, so that their memory does, each of which has written 1 MiB.
make_children() { # COUNT
	boot_and_save web
	vm clone --detach -n "$1" web >"$T/names"
	while read -r name; do
		dirty "$name" 1M 3
		vm qmp "$name" stop >/dev/null
	done <"$T/names"
}

# A QEMU whose guest was just stopped gives a little back for a while. Its share of libraries (Pss)
# changes with whoever else maps them, exomem for one: that cannot be compared.
read_usage() {
	local before='' now=''
	until [ -n "$now" ] && [ "$now" = "$before" ]; do
		before=$now
		sleep 0.5
		usage=$(vm usage --json)
		now=$(jq -c '[.guests[] | .rss, .copied]' <<<"$usage")
	done
}

check_sums() { # COUNT
	make_children "$1"
	read_usage
	echo "$usage"
	[ "$(jq '.guests | length' <<<"$usage")" = "$1" ]
	[ "$(jq '[.guests[].rss] | add' <<<"$usage")" = "$(rollup Rss)" ]
	[ "$(jq .copied <<<"$usage")" = "$(anonymous_of_memory)" ]
	[ "$(jq .copied <<<"$usage")" -ge $(($1 * 1048576)) ]
	[ "$(jq .files <<<"$usage")" -le $((64 << 20)) ]
	[ "$(jq '.all - .files - .copied - .qemu' <<<"$usage")" = 0 ]
}

@test "one child: what is said is what smaps_rollup says" {
	need_qemu
	check_sums 1
}

@test "ten children: what is said is what smaps_rollup says" {
	need_qemu
	check_sums 10
}

@test "children of a fork: their memory file has no name, and counts once" {
	need_qemu
	boot web -mem-path "$memory,anyfs"
	fill web 8M 7
	vm fork -q -n 3 web
	dirty web-1 1M 3
	usage=$(vm usage --json)
	[ "$(jq '.guests[] | select(.name == "web-1") | .copied' <<<"$usage")" -ge 1048576 ]
	[ "$(jq '.guests[] | select(.name == "web-2") | .copied' <<<"$usage")" -lt 1048576 ]
	[ "$(jq .files <<<"$usage")" -ge $((8 << 20)) ]
	[ "$(jq .files <<<"$usage")" -le $((64 << 20)) ]
}
