#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernel.sh FLAVOUR DIR - fetch the package of Debian's newest kernel of this flavour (amd64,
# cloud-amd64) into DIR with apt, which does not install it; prints its release

set -eu

# The newest one that apt knows, or nothing.
kernel_package() {
	apt-cache depends "linux-image-$flavour" 2>/dev/null |
		sed -n "s/^ *Depends: \(linux-image-[0-9].*-$flavour\)\$/\1/p" | head -n 1
}

[ $# -eq 2 ] || {
	echo 'usage: kernel.sh FLAVOUR DIR' >&2
	exit 1
}
flavour=$1
package=$(kernel_package)
if [ -z "$package" ]; then
	apt-get -qq update >&2
	package=$(kernel_package)
fi
[ -n "$package" ] || {
	echo "kernel.sh: apt knows no linux-image-$flavour" >&2
	exit 1
}
(cd "$2" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2)
echo "${package#linux-image-}"
