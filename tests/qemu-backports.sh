#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu-backports.sh DIR - make DIR/qemu-system-x86_64, a newer QEMU next to the installed one
#
# It comes from the backports of this Debian (10.0 for Debian 12, 11.1 for Debian 13), out of the archive
# that this machine's apt uses, and is unpacked, never installed. apt's own lists and settings stay as
# they are: what is fetched here has lists of its own below DIR. DIR/qemu-system-x86_64 is a script that
# becomes the real binary.

set -eu

# With the modules of every package that the installed QEMU has them from: one that is not found here
# would be taken from there, and QEMU aborts when it is another QEMU's.
PACKAGES='qemu-system-x86 qemu-system-common qemu-system-data seabios
	qemu-system-modules-opengl qemu-system-modules-spice'
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
	echo "qemu-backports.sh: $1" >&2
	exit 1
}

# A script of another place, or of a QEMU that lacks a library, is made again.
is_current() {
	[ -n "$(find "$out/qemu-system-x86_64" -newer "$here/qemu-backports.sh" 2>/dev/null)" ] &&
		works "$out/qemu-system-x86_64"
}

works() { # PROGRAM
	"$1" --version 2>/dev/null | grep -q '^QEMU emulator version'
}

# Options that keep apt to a folder of its own, with both suites.
set_up_apt() {
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	options=''
	[ ! -e "$KEYRING" ] || options="[signed-by=$KEYRING]"
	for suite in "$codename-backports" "$codename"; do
		echo "deb $options $uri $suite main"
	done >"$work/sources.list"
	cat >"$work/apt.conf" <<-CONF
		Dir::Etc::SourceList "$work/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$work/lists";
		Dir::Cache "$work/cache";
		APT::Sandbox::User "";
		Acquire::Languages "none";
	CONF
	export APT_CONFIG="$work/apt.conf"
}

# With all that they need and this machine lacks.
fetch() { # PACKAGE...
	apt-get -qq -s -t "$codename-backports" --no-install-recommends install "$@" |
		awk '$1 == "Inst" { print $2 }' >"$work/wanted"
	[ -s "$work/wanted" ] || fail "apt would install nothing from $codename-backports: $*"
	(cd "$work/cache" && xargs apt-get -qq -t "$codename-backports" download <"$work/wanted") ||
		fail "apt could not fetch: $*"
}

unpack() {
	for package in "$work"/cache/*.deb; do
		dpkg -x "$package" "$work/root"
		rm "$package"
	done
}

quoted() { # TEXT
	printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

write_script() {
	cat <<-SCRIPT
		#!/bin/sh
		root=$(quoted "$out/root")
		lib=\$root/usr/lib/x86_64-linux-gnu
		export QEMU_MODULE_DIR="\$lib/qemu"
		export LD_LIBRARY_PATH="\$lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
		exec "\$root/usr/bin/qemu-system-x86_64" -L "\$root/usr/share/qemu" \\
		    -L "\$root/usr/share/seabios" -L "\$root/usr/lib/ipxe/qemu" "\$@"
	SCRIPT
}

[ $# -eq 1 ] || fail 'usage: qemu-backports.sh DIR'
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
if is_current; then
	exit 0
fi
for tool in apt-get dpkg dpkg-deb; do
	command -v "$tool" >/dev/null || fail "no $tool: QEMU is fetched as a Debian package"
done
[ "$(dpkg --print-architecture)" = amd64 ] || fail 'only made for amd64'
# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
uri=$("$here/archive.sh")

work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
set_up_apt
# Says why on stderr; apt alone would take a half update for a success.
apt-get -qq update --error-on=any || fail "apt could not read $codename-backports"
# shellcheck disable=SC2086 # one word for each package
fetch $PACKAGES
unpack
write_script >"$work/qemu-system-x86_64"
chmod 755 "$work/qemu-system-x86_64"
rm -rf "$out/root"
mv "$work/root" "$out/root"
mv "$work/qemu-system-x86_64" "$out/qemu-system-x86_64"
works "$out/qemu-system-x86_64" || {
	answer=$("$out/qemu-system-x86_64" --version 2>&1 | head -n 1)
	rm "$out/qemu-system-x86_64"
	fail "the fetched QEMU does not start: $answer"
}
