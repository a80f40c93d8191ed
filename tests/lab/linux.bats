#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# linux.bats - a Linux that is a guest of the lab, which is a guest itself: slow, and only once.

# lab: timeout=900

# bats and lab.bash set the other variables.
# shellcheck disable=SC2154

load lab

setup_file() {
	export BATS_TEST_TIMEOUT=800
}

@test "a Linux guest boots on a named file" {
	start linux -accel tcg -nodefaults -display none -no-reboot -M q35 -m 256 \
		-mem-path "$memory,mode=create,mmap=shared,anyfs" \
		-kernel "$LINUX/vmlinux" -initrd "$LINUX/initrd.gz" -serial stdio \
		-append 'console=ttyS0 quiet no_timer_check panic=-1 mitigations=off exomem.exit'
	wait_for "$T/linux.out" '^linux: up' 700
	wait_gone "$pid" 60
	assert_holds "$memory" qemu_back_mem.0+10000000.pc.ram
}
