#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# deps.bats - what fetches packages: tests/deps.sh and make linux, with a stand-in for apt.

# bats and helper.bash set the other variables; stand-ins expand theirs.
# shellcheck disable=SC2016,SC2154

load helper

root=$BATS_TEST_DIRNAME/../..

# Makes a script in $T/bin.
stand_in() { # COMMAND, and its lines on standard input
	mkdir -p "$T/bin"
	{
		printf '#!/bin/sh\nT=%s\n' "$T"
		cat
	} >"$T/bin/$1"
	chmod 755 "$T/bin/$1"
}

# An apt that knows no libclang-rt-dev, and whose clang finds its library. $T/installed has a line for
# each installation. The machine has hardly a command, and its user is root.
stand_in_machine() {
	stand_in apt-cache <<<'[ "$2" != libclang-rt-dev ]'
	stand_in apt-get <<-'APT'
		case "$*" in
		*--assume-no*)
			echo 'noise'
			echo '0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.'
			echo 'Need to get 9 MB of archives.'
			;;
		install*)
			sleep 0.2
			echo "$*" >>"$T/installed"
			printf '#!/bin/sh\necho /dev/null\n' >"$T/bin/clang"
			chmod 755 "$T/bin/clang"
			;;
		esac
	APT
	stand_in id <<<'echo 0'
	for name in cat chmod flock grep mkdir sed sh sleep sort tail tr; do
		ln -s "$(command -v "$name")" "$T/bin/$name"
	done
}

# Keeps its log in $T.
deps() { # GROUP...
	(cd "$T" && PATH=$T/bin "$root/tests/deps.sh" "$@")
}

@test "deps: says which packages are missing and how much that is, then installs them" {
	stand_in_machine
	run -0 deps fuzz
	[ "${lines[*]:2}" = "  clang              the second compiler of .ci/run\
   libclang-rt-14-dev libFuzzer\
   0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.\
   Need to get 9 MB of archives." ]
	[[ "$(<"$T/installed")" == *' clang libclang-rt-14-dev' ]]
	run -0 deps fuzz
	[ -z "$output" ]
}

@test "deps: of two at once the second waits and finds nothing to do" {
	stand_in_machine
	deps fuzz >"$T/first" 3>&- &
	deps fuzz >"$T/second"
	wait $!
	[ "$(wc -l <"$T/installed")" = 1 ]
	[ "$(cat "$T/first" "$T/second" | grep -c 'installing with apt')" = 1 ]
}

@test "deps: another user is told the command; without apt the build goes on" {
	stand_in_machine
	stand_in id <<<'echo 1000'
	run -1 deps fuzz
	[[ "$output" == *'Need to get 9 MB of archives.'* ]]
	[[ "$output" == *'apt-get install -y --no-install-recommends clang libclang-rt-14-dev' ]]
	[ ! -e "$T/installed" ]
	rm "$T/bin/apt-get"
	run -0 deps fuzz
	[[ "$output" == 'deps: no apt here'*clang* ]]
}

@test "deps: a group that there is not, an apt that fails, and one that installs something else" {
	stand_in_machine
	run -2 deps build tset
	[[ "$output" == "deps: there is no group 'tset'; the groups are: "*' test '* ]]
	stand_in apt-get <<<'[ "$1" != install ] || { echo "E: broken"; exit 100; }'
	run -1 deps fuzz
	[[ "$output" == *$'E: broken\ndeps: apt-get install failed'* ]]
	stand_in apt-get <<<':'
	run -1 deps fuzz
	[[ "$output" == *'yet these are not found: clang libclang-rt-'* ]]
}

@test "make linux fails where there is no kernel; tests carry on without it" {
	stand_in apt-get <<<':'
	stand_in apt-cache <<<'exit 100'
	unset MAKEFLAGS MFLAGS MAKELEVEL
	run -2 env PATH="$T/bin:$PATH" make -C "$root" linux LINUX="$T/linux"
	[[ "$output" == *"kernel.sh: apt knows no kernel 'linux-image-amd64'"* ]]
	run -0 env PATH="$T/bin:$PATH" make -C "$root" guests LINUX="$T/linux"
	[[ "$output" == *'no Linux guest: the tests that need it will be skipped'* ]]
	assert_empty "$T/linux"
}
