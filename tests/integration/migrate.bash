# SPDX-License-Identifier: GPL-2.0-or-later
# migrate.bash - what the tests of migrations share: a second state directory of this machine stands for
# another host.

# Tests use what is set here, and bats and helper.bash set the other variables.
# shellcheck disable=SC2034,SC2154

# "Another host": a command that leaves out the host's name and runs the rest here.
elsewhere() {
	printf '#!/bin/sh\nunset EXOMEM_DEBUG\nshift\nexec "$@"\n' >"$T/rsh"
	chmod +x "$T/rsh"
}

# Moves a guest to the second state directory.
move() { # EXOMEM-MIGRATE-ARGUMENT...
	vm migrate --rsh "$T/rsh" --remote "$EXOMEM" --remote-state-dir "$T/there" "$@"
}

# What follows is done on the other host.
there() { # FUNCTION [ARGUMENT]...
	local state=$T/there
	"$@"
}

kill_all() {
	vm stop --kill --all >/dev/null 2>&1 || true
	there vm stop --kill --all >/dev/null 2>&1 || true
}

# A guest with 8 MiB filled, whose memory another host could open.
boot_movable() { # NAME EXOMEM-RUN-ARGUMENT...
	elsewhere
	boot "$1" -mem-path "$memory,mode=create,mmap=shared,anyfs" "${@:2}"
	fill "$1" 8M 7
}

assert_memory_alone() {
	[ "$(find "$memory" -mindepth 1 -not -name 'qemu_back_mem.*')" = '' ]
}

# Fails unless the guest runs here with what it had, and nothing is left of the attempt.
assert_stayed() { # NAME
	assert_unharmed "$1"
	[ "$(there vm list -q)" = '' ]
	assert_memory_alone
}

# Fails unless the guest runs there with what it had, and only there.
assert_moved() { # NAME
	there assert_unharmed "$1"
	[ "$(vm list -q)" = '' ]
	assert_memory_alone
}
