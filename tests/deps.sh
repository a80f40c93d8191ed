#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# deps.sh GROUP... - install with apt what the targets of these groups need and this machine lacks.
# Prints nothing when nothing is missing.  Without apt it says what is missing and goes on.
set -eu
PATH=$PATH:/usr/sbin:/sbin

# groups (comma-separated), Debian package, what shows that it is there, why it is wanted.
# A probe is a command, a /file, or a pkg-config module (pc:NAME).
table() {
	cat <<'TABLE'
build           gcc              cc                   compiles everything
build           libc6-dev        /usr/include/stdio.h the C library's headers
build           make             make                 runs the Makefile
build           pkg-config       pkg-config           finds the libraries below
build           libglib2.0-dev   pc:glib-2.0          containers, options, cleanup
build           libjson-c-dev    pc:json-c            every JSON read and written
build           libndctl-dev     pc:libndctl          namespaces of persistent memory
build           libdaxctl-dev    pc:libdaxctl         their devices
unit            check            pc:check             the unit test framework
demo,test,bench,lab qemu-system-x86 qemu-system-x86_64   the program all this is for
test            bats             bats                 runs the integration tests
test,bench,dev  jq               jq                   reads the program's JSON, writes make's
test,bench      busybox-static   /bin/busybox         the Linux guest's user space
test,bench,lab  cpio             cpio                 packs the Linux guest's initramfs
test,bench,lab  gzip             gzip                 compresses it
test,demo,bench procps           ps                   looks at the guests that run
test,bench      strace           strace               watches what happens before exec
unit,test,bench util-linux       flock                takes locks from outside
test,demo       qemu-utils       qemu-img             makes overlays of disks
test            ndctl            ndctl                reads namespaces of persistent memory too
test            socat            socat                speaks QMP by hand
test            xfsprogs         mkfs.xfs             makes a file system with reflinks
test            btrfs-progs      mkfs.btrfs           makes another one
test            tmux             tmux                 is a person's terminal
test            zsh              zsh                  completes our words, as bash does
test            fish             fish                 completes them too
test            iproute2         ip                   makes hosts of network namespaces
test,bench      sshfs            sshfs                mounts a directory for another host
test,bench      openssh-sftp-server /usr/lib/openssh/sftp-server  serves it
lab             e2fsprogs        mke2fs               makes the lab's root file system
lint            clang-format     clang-format         lint-format, format
lint            clang-tidy       clang-tidy           lint-tidy
lint            cppcheck         cppcheck             lint-cppcheck
lint            mandoc           mandoc               lint-man
lint            shellcheck       shellcheck           lint-shell
lint            codespell        codespell            lint-words
coverage        gcovr            gcovr                counts the lines that tests reach
valgrind        valgrind         valgrind             check-valgrind
clang,fuzz      clang            clang                the second compiler of .ci/run
fuzz            libclang-rt-14-dev /usr/lib/clang/14/lib/linux/libclang_rt.fuzzer-x86_64.a libFuzzer
clean           debootstrap      debootstrap          makes a bare Debian
clean           git              git                  clones into it
dev             gdb              gdb                  make gdb
TABLE
}

present() {
	case $1 in
	/*) [ -e "$1" ] ;;
	pc:*) command -v pkg-config >/dev/null && pkg-config --exists "${1#pc:}" ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# Sets $missing to the packages of these groups that are not there, $reasons to a line for each.
look() {
	missing='' reasons=''
	while read -r groups package probe why; do
		for group in "$@"; do
			case ,$groups, in *,"$group",*) ;; *) continue ;; esac
			present "$probe" && break
			missing="$missing $package"
			reasons="$reasons$(printf '  %-18s %s' "$package" "$why")
"
			break
		done
	done <<TABLE
$(table)
TABLE
	missing=${missing# }
}

[ $# -gt 0 ] || set -- build unit test demo lab lint coverage valgrind clang fuzz bench dev
look "$@"
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "deps: no apt here, so if something fails install it your way: $missing" >&2
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	printf 'deps: missing here:\n%s' "$reasons" >&2
	echo "deps: run this as root, then make again:" >&2
	echo "apt-get update && apt-get install -y --no-install-recommends $missing" >&2
	exit 1
fi

# Two targets of one `make -j` may both come here: the second finds nothing left to do.
exec 9<"$0"
flock 9
look "$@"
[ -n "$missing" ] || exit 0
log=build/deps.log
mkdir -p build
printf 'deps: installing with apt (log: %s):\n%s' "$log" "$reasons"
export DEBIAN_FRONTEND=noninteractive
apt-get update >"$log" 2>&1 9<&- || echo "deps: apt-get update failed, trying without" >&2
# shellcheck disable=SC2086 # one word for each package
if ! apt-get install -y --no-install-recommends $missing </dev/null >>"$log" 2>&1 9<&-; then
	tail -n 20 "$log" >&2
	echo "deps: apt-get install failed, see $log" >&2
	exit 1
fi
look "$@"
if [ -n "$missing" ]; then
	echo "deps: apt has installed them, yet these are not found: $missing" >&2
	exit 1
fi
