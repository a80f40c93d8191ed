#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# prefetch_nfs.sh - what a recording saves a child whose template is on a file server, by network delay.
#
# Boots the lab for prefetch_nfs.bats, which measures there, and prints its table.  $LAB is what
# tests/lab/build.sh has made, $EXOMEM the program, $GUEST the tiny guest.  It takes minutes, and a
# guest in the lab is some fifty times slower than on the machine itself: so the delay counts for less.
set -eu
: "${LAB:?is the lab}" "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "$LAB/bench-prefetch-nfs.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
timeout --foreground -k 5 3000 "$here/../lab/boot.sh" "$dir" run=../bench/prefetch_nfs.bats \
	</dev/null >"$dir/qemu" 2>&1 || {
	cat "$dir/console" "$dir/qemu"
	exit 1
}
tr -d '\r' <"$dir/tap" | sed -n 's/^# *|/|/p'
if grep -q '^not ok' "$dir/tap"; then
	cat "$dir/tap"
	exit 1
fi
