# SPDX-License-Identifier: GPL-2.0-or-later
# moves.bash - what the lab's tests of migrations share: a guest on host $here, and its way to the other.
#
# Loaded behind lab.bash, on two hosts with a server's directory at /mnt and ssh between them.

# Tests use what is set here, and bats and helper.bash set the other variables.
# shellcheck disable=SC2034,SC2154

two_hosts() {
	lab_hosts 2
	lab_nfs /srv/nfs
	lab_mount_nfs 1 /mnt
	lab_mount_nfs 2 /mnt
	lab_ssh
}

# A directory of the server for this test: $memory on the hosts, $served on the server.
use_server() {
	served=$(mktemp -d /srv/nfs/XXXXXX)
	memory=/mnt/${served##*/}
	here=1
}

boot_movable() { # NAME EXOMEM-RUN-ARGUMENT...
	at_host "$here" boot "$1" -mem-path "$memory,mode=create,mmap=shared,anyfs" "${@:2}"
	at_host "$here" fill "$1" 8M 7
}

other() {
	echo $((3 - here))
}

# As migrate.bash has it, for hosts 1 and 2.
on_side() { # source|destination FUNCTION [ARGUMENT]...
	case $1 in
	source) at_host 1 "${@:2}" ;;
	destination) at_host 2 "${@:2}" ;;
	esac
}

move_until() { # STEP EXOMEM-MIGRATE-ARGUMENT...
	stop_at "$1" exomem1 migrate --state-dir "$T/state1" --remote-state-dir "$T/state2" -q \
		"${@:2}" web host2
}

# Moves a guest to the other host, which then is $here.
hand_over() { # EXOMEM-MIGRATE-ARGUMENT...
	"exomem$here" migrate --state-dir "$T/state$here" --remote-state-dir "$T/state$(other)" "$@" \
		"host$(other)" 3>&- 4>&- || return
	here=$(other)
}

move_again() { # source|destination
	case $1 in
	source) here=1 ;;
	destination) here=2 ;;
	esac
	hand_over -q web
}

# Fails unless the guest is on host $here with the 8 MiB that it had, on no other, and all of its files
# is its memory.
assert_here() { # NAME [KEY]
	at_host "$here" assert_filled "$1" 8M "${2-7}"
	[ "$("exomem$here" list -q --state-dir "$T/state$here")" = "$1" ]
	[ "$("exomem$(other)" list -q --state-dir "$T/state$(other)")" = '' ]
	[ "$(find "$served" -mindepth 1 -not -name 'qemu_back_mem.*')" = '' ]
}
