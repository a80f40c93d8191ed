#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# pmem_linux.bats - a Linux guest with an NVDIMM, as its own kernel and ndctl see it: of the planned
# size, with what the guest before it wrote, and zero after a release

# What a guest's shell expands is quoted; bats and helper.bash set the other variables.
# shellcheck disable=SC2016,SC2154

load helper
load pmem

# Prints an archive with ndctl and what it needs, to go before the initrd of a Linux guest.
pack_ndctl() {
	local root=$T/ndctl file
	mkdir -p "$root/bin" "$root/lib64"
	cp "$(command -v ndctl)" "$root/bin/"
	for file in $(ldd "$root/bin/ndctl" | grep -o '/[^ ]*'); do
		mkdir -p "$root${file%/*}"
		cp -L "$file" "$root$file"
	done
	(cd "$root" && find . | cpio --quiet -o -H newc)
}

use_pool() {
	need_linux
	need_namespaces
	command -v ndctl >/dev/null || lacks ndctl 'no ndctl is installed'
	make_world '0 ns0 1 66 2097152 0 devdax mem yes'
	printf '[pmem]\npmem_namespaces = 6GB:ns0\n' >"$T/conf"
	pack_ndctl >"$T/initrd"
	cat "$LINUX/initrd.gz" >>"$T/initrd"
	kernel=$LINUX/vmlinux
	[ -e "$kernel" ] || kernel=$LINUX/vmlinuz
}

# Lets a Linux guest with ns0 say these lines to its shell, and end; $T/NAME.out has its answers.
linux() { # NAME LINE...
	printf '%s\n' 'while read -r m; do insmod /modules/$m.ko; done </modules/nvdimm' "${@:2}" \
		'poweroff -f' >"$T/script"
	timeout 110 "$T/fake" "$EXOMEM" run --state-dir "$state" --claims "$T/claims" \
		--config "$T/conf" --name db --pmem 6GB -accel tcg -nodefaults -display none -no-reboot \
		-M q35 -m 256 -kernel "$kernel" -initrd "$T/initrd" -serial stdio \
		-fw_cfg "name=opt/test/script,file=$T/script" \
		-append 'console=ttyS0 quiet no_timer_check panic=-1 mitigations=off exomem.script' \
		</dev/null 2>"$T/$1.err" 3>&- | tr -d '\r' >"$T/$1.out"
}

@test "the guest's ndctl shows an NVDIMM of the planned size; data outlive a guest, and end with a release" {
	use_pool
	run -0 "$T/fake" "$EXOMEM" run --claims "$T/claims" --config "$T/conf" --dry-run --json \
		--name db --pmem 6GB -M q35 -m 256
	planned=$(jq '.pmem[0].visible' <<<"$output")
	[ "$planned" = $((64 << 20)) ]
	linux one 'ndctl list -D -R -N' 'ndctl disable-region all' 'ndctl init-labels nmem0' \
		'ndctl enable-region all' 'ndctl create-namespace -m raw -s 32M -n inner' \
		'printf lasting | dd of=/dev/pmem0 bs=7 conv=fsync'
	# The NVDIMM's region, and the namespace on all of it that the kernel makes without labels.
	[ "$(grep -c "\"size\":$planned," "$T/one.out")" = 2 ]
	grep -q '"name":"inner"' "$T/one.out"
	linux two 'ndctl list -N' 'echo "read $(head -c 7 /dev/pmem0)"'
	grep -q '"name":"inner"' "$T/two.out"
	grep -qx 'read lasting' "$T/two.out"
	grep -q lasting "$T/devices/1"
	run -0 pmem release db
	cmp -n $((66 << 20)) "$T/devices/1" /dev/zero
}
