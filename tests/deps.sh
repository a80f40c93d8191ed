#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# deps.sh [GROUP]... - install with apt what these groups need and this machine lacks; says before it
# downloads what and how much.  Groups are named after the make targets that need them; without one
# it takes those of the examples, and `all` is every group.
# Prints nothing when nothing is missing.  Without apt it says what is missing and goes on.
set -eu
PATH=$PATH:/usr/sbin:/sbin

# groups (comma-separated), Debian package, what shows that it is there, why it is wanted.
# Of packages with | between them the first that apt knows will do.  A probe is a command, a /file, a
# pkg-config module (pc:NAME) or a library of clang's (clang:FILE).
table() {
	cat <<'TABLE'
build,linux     gcc              cc                   compiles everything
build,linux     libc6-dev        /usr/include/stdio.h the C library's headers
build           make             make                 runs the Makefile
build           pkgconf|pkg-config pkg-config         finds the libraries below
build           libglib2.0-dev   pc:glib-2.0          containers, options, cleanup
build           libjson-c-dev    pc:json-c            every JSON read and written
build           libndctl-dev     pc:libndctl          namespaces of persistent memory
build           libdaxctl-dev    pc:libdaxctl         their devices
unit            check            pc:check             the unit test framework
demo,transcript,linux,test,bench,lab qemu-system-x86 qemu-system-x86_64  the program all this is for
transcript,test,bench qemu-utils qemu-img             makes disk images
demo,test,bench procps           ps                   shows processes
linux,test,bench,lab cpio        cpio                 packs the Linux guest's initramfs
linux,test,bench,lab gzip        gzip                 compresses it
linux,test,bench,lab xz-utils    xz                   unpacks Debian's kernels and their modules
linux,test,bench,lab zstd        zstd                 unpacks those of Debian 13 and Ubuntu
test            bats             bats                 runs the integration tests
test,bench,dev  jq               jq                   reads the program's JSON, writes make's
test,bench      strace           strace               watches what happens before exec
unit,test,bench util-linux       flock                takes locks from outside
test            util-linux-extra|util-linux fincore   says what is in the page cache
test            ndctl            ndctl                reads namespaces of persistent memory too
test            socat            socat                speaks QMP by hand
test,lab        e2fsprogs        mkfs.ext4            makes file systems
test            xfsprogs         mkfs.xfs             makes one with reflinks
test            btrfs-progs      mkfs.btrfs           makes another one
test            tmux             tmux                 is a person's terminal
test            zsh              zsh                  completes our words, as bash does
test            fish             fish                 completes them too
test            iproute2         ip                   makes hosts of network namespaces
test,bench      sshfs            sshfs                mounts a directory for another host
test,bench      openssh-sftp-server /usr/lib/openssh/sftp-server  serves it
lint            clang-format     clang-format         lint-format, format
lint            clang-tidy       clang-tidy           lint-tidy
lint            cppcheck         cppcheck             lint-cppcheck
lint            mandoc           mandoc               lint-man
lint            shellcheck       shellcheck           lint-shell
lint            codespell        codespell            lint-words
coverage        gcovr            gcovr                counts the lines that tests reach
valgrind        valgrind         valgrind             check-valgrind
clang,fuzz      clang            clang                the second compiler of .ci/run
cache           ccache           ccache               compiles what has changed since the last .ci/run
fuzz            libclang-rt-dev|libclang-rt-14-dev clang:libclang_rt.fuzzer-x86_64.a  libFuzzer
clean           debootstrap      debootstrap          makes a bare Debian
clean           git              git                  clones into it
dev             gdb              gdb                  make gdb
TABLE
}

present() { # PROBE
	case $1 in
	/*) [ -e "$1" ] ;;
	pc:*) command -v pkg-config >/dev/null && pkg-config --exists "${1#pc:}" ;;
	clang:*) command -v clang >/dev/null && [ -e "$(clang -print-file-name="${1#clang:}")" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# Prints a line for each thing of these groups that is not here: its package, and why it is wanted.
missing() { # GROUP...
	table | while read -r groups package probe why; do
		for group; do
			case ,$groups,all, in *,"$group",*) ;; *) continue ;; esac
			present "$probe" || echo "$package $why"
			break
		done
	done
}

# The first of these packages that apt knows.
choose() { # PACKAGE|PACKAGE...
	for package in $(echo "$1" | tr '|' ' '); do
		if apt-cache show "$package" >/dev/null 2>&1; then
			echo "$package"
			return
		fi
	done
	echo "${1%%|*}"
}

# Sets $packages to what these lines name, and prints the lines and what apt says of the size of all.
announce() { # LINES
	packages=''
	while read -r names why; do
		package=$(choose "$names")
		packages="$packages $package"
		printf '  %-18s %s\n' "$package" "$why"
	done <<-LINES
		$1
	LINES
	packages=${packages# }
	# shellcheck disable=SC2086 # one word for each package
	LC_ALL=C apt-get install --assume-no --no-install-recommends -o Debug::NoLocking=1 $packages \
		2>/dev/null </dev/null |
		sed -n 's/^\([0-9]* upgraded,\|Need to get\|After this operation\)/  &/p'
}

[ $# -gt 0 ] || set -- build demo transcript linux
for group; do
	table | grep -qE "^([^ ]*,)?${group}[, ]" || [ "$group" = all ] || {
		echo "deps: there is no group '$group'; the groups are:" \
			"$(table | sed 's/ .*//' | tr ',' '\n' | sort -u | tr '\n' ' ')all" >&2
		exit 2
	}
done
lines=$(missing "$@")
[ -n "$lines" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "deps: no apt here, so if something fails install it your way:" >&2
	echo "$lines" >&2
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	{
		echo 'deps: missing here:'
		announce "$lines"
		echo 'deps: run this as root, then make again:'
		echo "apt-get update && apt-get install -y --no-install-recommends $packages"
	} >&2
	exit 1
fi

# Two targets of one `make -j` may both come here: the second finds nothing left to do.
exec 9<"$0"
flock 9
lines=$(missing "$@")
[ -n "$lines" ] || exit 0
log=build/deps.log
mkdir -p build
export DEBIAN_FRONTEND=noninteractive
echo "deps: some packages are missing, reading apt's lists (log: $log)"
apt-get update >"$log" 2>&1 9<&- || echo "deps: apt-get update failed, trying without" >&2
echo 'deps: installing with apt:'
announce "$lines"
# shellcheck disable=SC2086 # one word for each package
if ! apt-get install -y --no-install-recommends $packages </dev/null >>"$log" 2>&1 9<&-; then
	tail -n 20 "$log" >&2
	echo "deps: apt-get install failed, see $log" >&2
	exit 1
fi
lines=$(missing "$@")
if [ -n "$lines" ]; then
	echo "deps: apt has installed them, yet these are not found: $(echo "$lines" | sed 's/ .*//' |
		tr '\n' ' ')" >&2
	exit 1
fi
