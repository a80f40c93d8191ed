#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# root.sh RELEASE DIR - make DIR a bare Debian with a clone of HEAD in /root/exomem
# root.sh --remove DIR - remove it
#
# RELEASE is a codename such as bookworm. The root file system has what debootstrap calls minbase, git
# and make, and nothing else; so whatever a target of the Makefile finds there beyond that, it has
# installed itself. The packages come from the archive that this machine's apt uses. An existing DIR is
# replaced, if it was made here.
#
# $EXOMEM_CACHE (~/.cache/exomem-clean) keeps the bare root as a tar file, and the packages that are
# installed later. Both are made anew when they are a week old or when deps.sh has changed.

set -eu

fail() {
	echo "root.sh: $1" >&2
	exit 1
}

# Removes a root made here earlier. What lacks the mark was made by somebody else.
remove_root() {
	[ -e "$root" ] || return 0
	[ -e "$root/etc/exomem-clean" ] || fail "'$root' exists and was not made by root.sh"
	! grep -qF " $root/" /proc/self/mounts || fail "something is still mounted below '$root'"
	rm -rf --one-file-system "$root"
}

bootstrap() {
	command -v debootstrap >/dev/null || fail 'no debootstrap; install it'
	uri=$("$here/../archive.sh")
	debootstrap --variant=minbase --include=git,make "$release" "$work/root" "$uri" \
		>"$work/log" 2>&1 || {
		tail -n 20 "$work/log" >&2
		fail "debootstrap could not make a '$release'"
	}
	rm -f "$work/root"/var/cache/apt/archives/*.deb
	# Nobody misses this root after a power cut.
	echo force-unsafe-io >"$work/root/etc/dpkg/dpkg.cfg.d/exomem-clean"
	tar -C "$work/root" -cf "$work/root.tar" .
}

# Sets $tar to a bare root that is neither old nor of another list of packages.
find_or_make_tar() {
	tar=$cache/$release-$(cat "$here/root.sh" "$here/../deps.sh" | sha256sum | cut -c 1-12).tar
	[ -z "$(find "$tar" -mtime -7 2>/dev/null)" ] || return 0
	start=$(date +%s)
	rm -rf "$cache/$release"-*.tar "$cache/$release-packages"
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	bootstrap
	mv "$work/root.tar" "$tar"
	echo "root.sh: made a bare $release in $(($(date +%s) - start)) s; it is kept in $cache for a week"
}

[ $# -eq 2 ] || {
	echo 'usage: root.sh RELEASE|--remove DIR' >&2
	exit 2
}
[ "$(id -u)" = 0 ] || fail 'only root can make a root file system'
release=$1 root=$(realpath -m "$2")
if [ "$release" = --remove ]; then
	remove_root
	exit 0
fi
here=$(cd "$(dirname "$0")" && pwd)
cache=${EXOMEM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/exomem-clean}
git -C "$here" rev-parse --quiet --verify HEAD >/dev/null || fail 'there is no commit to clone'

remove_root
find_or_make_tar
mkdir -p "$root/etc" "$cache/$release-packages/partial"
# Written first, so that a root whose making was interrupted can be removed and made again.
echo "$release" >"$root/etc/exomem-clean"
tar -C "$root" -xf "$tar"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
git clone -q --no-hardlinks "$(git -C "$here" rev-parse --show-toplevel)" "$root/root/exomem"
