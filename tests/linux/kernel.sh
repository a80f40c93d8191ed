#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernel.sh DIR FLAVOUR... - fetch the newest kernel's packages into DIR with apt, which does not install
# them, and print its release
#
# Of the first flavour that apt knows: Debian has amd64 and cloud-amd64, Ubuntu has generic.

set -eu

fail() {
	echo "kernel.sh: $1" >&2
	exit 1
}

newest_release() { # FLAVOUR
	apt-cache depends "linux-image-$1" 2>/dev/null |
		sed -n "s/^ *Depends: linux-image-\([0-9].*-$1\)\$/\1/p" | head -n 1
}

# Ubuntu has the modules in packages of their own.
packages() {
	for kind in image modules modules-extra; do
		! apt-cache show "linux-$kind-$release" >/dev/null 2>&1 || echo "linux-$kind-$release"
	done
}

[ $# -ge 2 ] || fail 'usage: kernel.sh DIR FLAVOUR...'
dir=$1
shift
# An old list may name a package that the archive no longer has.
if [ "$(id -u)" = 0 ]; then
	apt-get -qq update >&2 || echo 'kernel.sh: apt-get update failed, trying without' >&2
fi
release=''
for flavour; do
	[ -n "$release" ] || release=$(newest_release "$flavour")
done
[ -n "$release" ] ||
	fail "apt knows no kernel 'linux-image-$1'; if its lists are old, run 'apt-get update' as root"
# shellcheck disable=SC2046 # one word for each package
set -- $(packages)
apt-cache show --no-all-versions "$@" | awk -v release="$release" '
	/^Size:/ { size += $2 }
	END { printf "kernel.sh: fetching Linux %s, %d MB\n", release, size / 1000000 }' >&2
(cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2) ||
	fail "apt could not fetch: $*"
echo "$release"
