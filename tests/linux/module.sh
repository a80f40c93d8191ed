#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# module.sh MODULES DIR NAME... - put kernel modules into DIR, uncompressed, and print what each is called
#
# MODULES is the folder of a kernel's release, as in /lib/modules. A NAME is a path below its folder
# kernel, without the ending. One that is built into this kernel is left out, and not printed.

set -eu

fail() {
	echo "module.sh: $1" >&2
	exit 1
}

# Debian 12 does not compress modules, Debian 13 does it with xz, and Ubuntu with zstd.
contents() { # FILE-WITHOUT-ENDING
	if [ -e "$1.ko" ]; then
		cat "$1.ko"
	elif [ -e "$1.ko.xz" ]; then
		xz -dc "$1.ko.xz"
	else
		zstd -dcq "$1.ko.zst"
	fi
}

[ $# -ge 3 ] || fail 'usage: module.sh MODULES DIR NAME...'
modules=$1 dir=$2
shift 2
for name; do
	if grep -qxF "kernel/$name.ko" "$modules/modules.builtin"; then
		continue
	fi
	contents "$modules/kernel/$name" >"$dir/${name##*/}.ko" ||
		fail "no module '$name' in '$modules'"
	echo "${name##*/}"
done
