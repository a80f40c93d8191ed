#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh DIR - make DIR/vmlinuz and DIR/initrd.gz, the Linux guest of the tests
#
# The kernel is the distribution's generic one (Debian 12's cloud flavour has no vmgenid driver), and
# its user space is busybox-static: both are fetched by apt and never installed. DIR/vmlinux is the same
# kernel unpacked, which saves an emulated guest half of its boot (4 of 8 seconds) and costs QEMU 60 MB.
#
# Start it with
#	-append 'console=ttyS0 quiet no_timer_check panic=-1 mitigations=off'
# and one of the words that init knows: exomem.exit to power off at once, exomem.tick to print
# a line each second, exomem.script to run the fw_cfg file opt/test/script; without one there is a
# shell on the serial port.

set -eu

# In the order of loading. vmgenid is built in, and from Debian 13 on some of these are, too.
MODULES='
drivers/firmware/qemu_fw_cfg
drivers/virtio/virtio_ring
drivers/virtio/virtio
drivers/virtio/virtio_mmio
drivers/virtio/virtio_pci_legacy_dev
drivers/virtio/virtio_pci_modern_dev
drivers/virtio/virtio_pci
drivers/virtio/virtio_balloon
drivers/block/virtio_blk
net/core/failover
drivers/net/net_failover
drivers/net/virtio_net
'
# For NVDIMMs, which few tests have: a test that does has them loaded, in the order of /modules/nvdimm.
NVDIMM='
drivers/nvdimm/libnvdimm
drivers/acpi/nfit/nfit
drivers/nvdimm/nd_btt
drivers/nvdimm/nd_pmem
drivers/dax/device_dax
drivers/dax/dax_pmem
drivers/nvdimm/nd_virtio
drivers/nvdimm/virtio_pmem
'

fail() {
	echo "build.sh: $1" >&2
	exit 1
}

is_current() {
	[ -e "$out/vmlinuz" ] && [ -e "$out/initrd.gz" ] &&
		[ -z "$(find "$here" -type f -newer "$out/vmlinuz")" ]
}

fetch_busybox() {
	(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download busybox-static >&2) ||
		fail 'apt could not fetch busybox-static'
}

# Of all packages what goes into the guest, into $work/tree.
unpack_packages() {
	mkdir "$work/tree"
	# shellcheck disable=SC2086 # one word for each module
	wanted=$(printf '|%s\.ko[.a-z]*' $MODULES $NVDIMM)
	for package in "$work"/*.deb; do
		dpkg --fsys-tarfile "$package" >"$work/package.tar"
		tar -tf "$work/package.tar" >"$work/names"
		grep -E "/(vmlinuz-.*|modules\.builtin|bin/busybox$wanted)\$" "$work/names" >"$work/wanted" ||
			continue
		tar -C "$work/tree" -xf "$work/package.tar" -T "$work/wanted"
	done
}

# One number of the boot header (Linux's Documentation/x86/boot.rst): its offset and its size.
header_number() {
	od -An -t "u$2" -j "$1" -N "$2" "$kernel" | tr -d ' '
}

# The compressed kernel, without its last 4 bytes, which are the unpacked size.
payload() {
	start=$((($(header_number 497 1) + 1) * 512 + $(header_number 584 4)))
	tail -c "+$((start + 1))" "$kernel" | head -c $(($(header_number 588 4) - 4))
}

unpack_kernel() {
	case $(payload | od -An -t x1 -N 4) in
	' fd 37 7a 58') payload | xz -dc ;;
	' 28 b5 2f fd') payload | zstd -dcq ;;
	*) fail "'${kernel##*/}' is compressed neither by xz nor by zstd" ;;
	esac >"$work/vmlinux"
}

install_modules() { # LIST MODULE...
	list=$root/modules/$1
	shift
	"$here/module.sh" "$modules" "$root/modules" "$@" >"$list"
}

make_initrd() {
	root=$work/root
	busybox=$(find "$work/tree" -name busybox)
	mkdir -p "$root/bin" "$root/dev" "$root/modules" "$root/proc" "$root/sys"
	install -m 755 "$here/init" "$root/init"
	"${CC:-cc}" -D_GNU_SOURCE -Os -Wall -static -s -o "$root/bin/beat" "$here/beat.c"
	install -m 755 "$busybox" "$root/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
	done
	# shellcheck disable=SC2086 # one word for each module
	install_modules order $MODULES
	# shellcheck disable=SC2086 # one word for each module
	install_modules nvdimm $NVDIMM
	find "$root" -exec touch -h -d @0 {} +
	(cd "$root" && find . | LC_ALL=C sort |
		cpio --quiet --reproducible -o -H newc -R 0:0) | gzip -9n >"$work/initrd.gz"
}

[ $# -eq 1 ] || fail 'usage: build.sh DIR'
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
if is_current; then
	exit 0
fi
# Nobody takes an old guest for the one that these sources describe.
rm -f "$out/vmlinuz" "$out/vmlinux" "$out/initrd.gz"
for tool in apt-get "${CC:-cc}" cpio dpkg gzip xz zstd; do
	command -v "$tool" >/dev/null || fail "no $tool; install it"
done

work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
release=$("$here/kernel.sh" "$work" amd64 generic)
fetch_busybox
unpack_packages
kernel=$work/tree/boot/vmlinuz-$release
modules=$(find "$work/tree" -path "*/modules/$release")
make_initrd
unpack_kernel
mv "$work/vmlinux" "$work/initrd.gz" "$out"
mv "$kernel" "$out/vmlinuz"
touch "$out/vmlinuz" # it is as old as its package
