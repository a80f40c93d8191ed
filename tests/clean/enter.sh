#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# enter.sh ROOT COMMAND [ARGUMENT]... - run a command as root in a root file system, away from this one
#
# The command gets mount and pid namespaces of its own and ROOT as /, by pivot_root(2): in a chroot,
# `unshare --user` fails, and so does all that needs / to be a mount point. It sees this machine's /proc
# (of its own processes), /sys, /dev and network, and an environment with no more than PATH, HOME, TERM,
# CI, LC_ALL and CCACHE_DIR. It starts in /root. All that it leaves running is killed when it ends. Packages
# that apt fetches for a root made by root.sh are kept in $EXOMEM_CACHE, and so is what is put into
# /var/cache/exomem there. Exits as the command does.

set -eu

[ $# -ge 2 ] || {
	echo 'usage: enter.sh ROOT COMMAND [ARGUMENT]...' >&2
	exit 2
}
[ "$(id -u)" = 0 ] || {
	echo 'enter.sh: only root can enter another root file system' >&2
	exit 2
}
root=$1
packages=/var/cache/apt/archives results=
if [ -e "$root/etc/exomem-clean" ]; then
	kept=${EXOMEM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exomem-clean}/$(cat "$root/etc/exomem-clean")
	packages=$kept-packages results=$kept-results
fi
shift
# shellcheck disable=SC2016 # the inner shell's variables
exec unshare --mount --pid --fork --kill-child --propagation private sh -euc '
	root=$1 packages=$2 results=$3
	shift 3
	mount --bind "$root" "$root"
	cd "$root"
	mount --rbind /sys sys
	mount --rbind /dev dev
	mount -t proc proc proc
	mount -t tmpfs -o mode=1777 tmpfs dev/shm
	mount --bind "$packages" var/cache/apt/archives
	if [ -n "$results" ]; then
		mkdir -p "$results" var/cache/exomem
		mount --bind "$results" var/cache/exomem
	fi
	mkdir -p .outside
	pivot_root . .outside
	cd /
	umount -l /.outside
	rmdir /.outside
	cd /root
	rc=0
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		TERM="${TERM-dumb}" CI="${CI-}" LC_ALL=C.UTF-8 CCACHE_DIR=/var/cache/exomem/ccache \
		"$@" || rc=$?
	exit "$rc"
' enter.sh "$root" "$packages" "$results" "$@"
