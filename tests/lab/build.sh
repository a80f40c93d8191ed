#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh DIR LINUX - make DIR/vmlinuz, DIR/initrd.gz and DIR/root.img, of which boot.sh makes a lab
#
# The root file system is what Debian would install on an empty disk for the packages below, fetched
# by apt and unpacked, with nothing configured: so it depends on nothing that is installed here, and
# nothing is installed or started here. The kernel is Debian's cloud flavour, the smaller one; it has
# NFS, NVDIMM and network emulation as modules. Into the root go also LINUX, the Linux guest of the
# tests, and exomem does not: that changes more often, and boot.sh brings it.

set -eu

PACKAGES='
base-files bash coreutils findutils gawk grep hostname mount sed util-linux util-linux-extra
bats busybox-static diffutils file gdb-minimal iproute2 iputils-ping jq kmod netbase procps psmisc socat
strace
btrfs-progs e2fsprogs xfsprogs
nfs-common nfs-kernel-server rpcbind
openssh-client openssh-server
daxctl dmsetup ndctl
dbus dbus-user-session libpam-systemd systemd
qemu-system-x86
'
# What they depend on and nobody here runs: a third of the size.
UNWANTED='perl|python|iso-codes|debconf|usrmerge|adduser|^dpkg$|^passwd$|^ucf$|^libpam-runtime$'

# What finds the root file system, in the order of loading.
MODULES='
drivers/virtio/virtio_ring
drivers/virtio/virtio
drivers/virtio/virtio_pci_legacy_dev
drivers/virtio/virtio_pci_modern_dev
drivers/virtio/virtio_pci
drivers/block/virtio_blk
'

fail() {
	echo "build.sh: $1" >&2
	exit 1
}

# As on an empty disk: with all that the packages depend on.
wanted_packages() {
	# shellcheck disable=SC2086 # one word for each package
	apt-get -qq -s -o Dir::State::status=/dev/null --no-install-recommends install $PACKAGES |
		awk -v unwanted="$UNWANTED" '$1 == "Inst" && $2 !~ unwanted { print $2 }'
}

fetch_packages() {
	mkdir "$work/packages"
	wanted_packages >"$work/wanted" || fail 'apt does not know all packages'
	[ -s "$work/wanted" ] || fail 'apt has no packages to fetch'
	(cd "$work/packages" &&
		xargs apt-get -qq -o APT::Sandbox::User=root download <"$work/wanted") ||
		fail 'apt could not fetch the packages'
}

unpack() { # DEB
	dpkg --fsys-tarfile "$1" | tar -C "$root" -x --no-same-owner --keep-directory-symlink \
		--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
		--exclude='./usr/share/locale/*' --exclude='./usr/share/info/*'
}

make_root() {
	mkdir -p "$root/usr" "$root/etc"
	for folder in bin sbin lib lib64; do
		mkdir "$root/usr/$folder"
		ln -s "usr/$folder" "$root/$folder"
	done
	for package in "$work"/packages/*.deb "$work"/linux-image-*.deb; do
		unpack "$package"
	done
	configure_root
}

# The little that the packages' own scripts would have done and that something asks for.
configure_root() {
	ln -s bash "$root/usr/bin/sh"
	[ -e "$root/usr/bin/awk" ] || ln -s gawk "$root/usr/bin/awk"
	cat >"$root/etc/passwd" <<-PASSWD
		root:x:0:0:root:/root:/bin/bash
		_rpc:x:101:65534::/run/rpcbind:/usr/sbin/nologin
		statd:x:102:65534::/var/lib/nfs:/usr/sbin/nologin
		sshd:x:103:65534::/run/sshd:/usr/sbin/nologin
		messagebus:x:104:104::/nonexistent:/usr/sbin/nologin
		user:x:1000:1000::/home/user:/bin/bash
		nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
	PASSWD
	printf '%s\n' root:x:0: tty:x:5: messagebus:x:104: user:x:1000: nogroup:x:65534: \
		>"$root/etc/group"
	# Who may log in, and that logind hears of it.
	printf '%s\n' 'account required pam_permit.so' 'session required pam_permit.so' \
		'session optional pam_systemd.so' >"$root/etc/pam.d/systemd-user"
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files' >"$root/etc/nsswitch.conf"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	ln -sf /proc/mounts "$root/etc/mtab"
	: >"$root/etc/exports"
	: >"$root/var/lib/nfs/etab" # Debian 13's exportfs does not make it
	mkdir -p "$root/lab" "$root/usr/local/bin" "$root/usr/share/exomem-linux"
	cp "$linux/vmlinuz" "$linux/initrd.gz" "$root/usr/share/exomem-linux/"
	[ ! -e "$linux/vmlinux" ] || cp "$linux/vmlinux" "$root/usr/share/exomem-linux/"
	ln -s "$root/bin/kmod" "$work/depmod"
	LD_LIBRARY_PATH=$root/lib/x86_64-linux-gnu "$work/depmod" -b "$root" "$release"
	mv "$root/boot/vmlinuz-$release" "$work/vmlinuz"
	rm "$root"/boot/*
}

make_initrd() {
	initrd=$work/initrd
	mkdir -p "$initrd/bin" "$initrd/dev" "$initrd/modules" "$initrd/root"
	install -m 755 "$here/mount-root" "$initrd/init"
	install -m 755 "$root/bin/busybox" "$initrd/bin/busybox"
	# shellcheck disable=SC2086 # one word for each module
	"$here/../linux/module.sh" "$root/lib/modules/$release" "$initrd/modules" $MODULES \
		>"$initrd/modules/order"
	(cd "$initrd" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1n >"$work/initrd.gz"
}

[ $# -eq 2 ] || fail 'usage: build.sh DIR LINUX'
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
linux=$2
[ -e "$linux/vmlinuz" ] || fail "no Linux guest at '$linux'"
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root

release=$("$here/../linux/kernel.sh" "$work" cloud-amd64)
fetch_packages
make_root
make_initrd
# Sparse, and with room for what a test writes.
truncate -s 4G "$work/root.img"
mke2fs -q -t ext4 -E root_owner=0:0,lazy_itable_init=0 -d "$root" "$work/root.img"
for file in vmlinuz initrd.gz root.img; do
	mv "$work/$file" "$out/$file"
done
touch "$out/root.img"
