#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh DIR - make DIR/vmlinuz and DIR/initrd.gz, the Linux guest of the tests
#
# The kernel is Debian's generic one, fetched by apt and never installed: the cloud flavour has no
# vmgenid driver. Where there is xz, DIR/vmlinux is the same kernel unpacked, which saves an
# emulated guest half of its boot (4 of 8 seconds) and costs QEMU 60 MB.
#
# Start it with
#	-append 'console=ttyS0 quiet panic=-1 mitigations=off'
# and one of the words that init knows: exomem.exit to power off at once, exomem.tick to print
# a line each second, exomem.script to run the fw_cfg file opt/test/script; without one there is a
# shell on the serial port.

set -eu

# In the order of loading; vmgenid is built in.
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

extract_package() {
	modules=./lib/modules/$release/kernel
	{
		echo "./boot/vmlinuz-$release"
		for module in $MODULES $NVDIMM; do
			echo "$modules/$module.ko"
		done
	} >"$work/wanted"
	dpkg --fsys-tarfile "$work"/linux-image-*.deb >"$work/package.tar"
	tar -C "$work" -xf "$work/package.tar" -T "$work/wanted"
}

# One number of the boot header (Linux's Documentation/x86/boot.rst): its offset and its size.
header_number() {
	od -An -t "u$2" -j "$1" -N "$2" "$work/boot/vmlinuz-$release" | tr -d ' '
}

unpack_kernel() {
	setup_sectors=$(header_number 497 1)
	start=$(((setup_sectors + 1) * 512 + $(header_number 584 4)))
	length=$(($(header_number 588 4) - 4)) # the last 4 bytes are the unpacked size
	tail -c "+$((start + 1))" "$work/boot/vmlinuz-$release" | head -c "$length" |
		xz -dc >"$work/vmlinux"
	mv "$work/vmlinux" "$out/vmlinux"
}

install_modules() { # LIST MODULE...
	list=$root/modules/$1
	shift
	for module; do
		install -m 644 "$work/$modules/$module.ko" "$root/modules/"
		basename "$module" >>"$list"
	done
}

make_initrd() {
	root=$work/root
	mkdir -p "$root/bin" "$root/dev" "$root/modules" "$root/proc" "$root/sys"
	install -m 755 "$here/init" "$root/init"
	"${CC:-cc}" -D_GNU_SOURCE -Os -Wall -static -s -o "$root/bin/beat" "$here/beat.c"
	install -m 755 /bin/busybox "$root/bin/busybox"
	for applet in $(/bin/busybox --list); do
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
[ -x /bin/busybox ] || fail 'no /bin/busybox; install busybox-static'
for tool in apt-get "${CC:-cc}" cpio dpkg gzip; do
	command -v "$tool" >/dev/null || fail "no $tool; install it"
done

work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
release=$("$here/kernel.sh" amd64 "$work")
extract_package
make_initrd
if command -v xz >/dev/null; then
	unpack_kernel
fi
mv "$work/initrd.gz" "$out/initrd.gz"
mv "$work/boot/vmlinuz-$release" "$out/vmlinuz"
touch "$out/vmlinuz" # it is as old as its package
