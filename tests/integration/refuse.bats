#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# refuse.bats - bad input on a real host: one line, the right status, and nothing made or changed.

# Words are split on purpose ($tcg); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper

file='qemu_back_mem.0+4000000.pc.ram'

# Runs a guest that must not come to be.
refuse() { # STATUS TEXT EXOMEM-RUN-ARGUMENT...
	wanted=$1 text=$2
	shift 2
	before=$(ls -lAR "$T")
	run timeout 20 "$EXOMEM" run --state-dir "$state" "$@"
	assert_refused "$wanted" "$text"
	if [ "$(ls -lAR "$T")" != "$before" ]; then
		echo 'something was made or changed:'
		ls -lAR "$T"
		return 1
	fi
}

on() { # MEMORY-OPTION
	echo "-m 64 -mem-path $1,anyfs"
}

@test "what is wrong with the request" {
	need_qemu
	"$EXOMEM" probe >/dev/null
	refuse 2 "did you mean 'mode'?" -m 64 -mem-path "$memory,mdoe=temp"
	refuse 2 "'mode' is given twice" -m 64 -mem-path "$memory,mode=temp,mode=temp"
	refuse 2 'the path is empty' -m 64 -mem-path ''
	refuse 2 "did you mean 'open'?" -m 64 -mem-path "$memory,mode=opne"
	refuse 2 "'mode=open' needs" -m 64 -mem-path "$memory,mode=open"
	refuse 2 "'8x' is not a size" -m 8x -mem-path "$memory"
	refuse 2 'too large' -m 17179869185T -mem-path "$memory"
	refuse 2 'more than zero' -m 0 -mem-path "$memory"
	refuse 2 "'-1' is not a size" -m -1 -mem-path "$memory"
	refuse 2 "'-m' needs an argument" -m
	refuse 2 "did you mean '--dry-run'" --dry-rnu -m 64
	refuse 2 "'../x' is not allowed" --name ../x -m 64
}

@test "what is wrong with the path" {
	need_qemu
	"$EXOMEM" probe >/dev/null
	touch "$T/plain"
	ln -s "$T/gone" "$T/dangling"
	mkdir -m 0777 "$T/everybody"
	refuse 2 'is a plain file' -m 64 -mem-path "$T/plain"
	refuse 2 'is a link to nothing' -m 64 -mem-path "$T/dangling"
	refuse 2 'does not exist' -m 64 -mem-path "$T/gone"
	refuse 2 'others can write' -m 64 -mem-path "$T/everybody"
	refuse 2 'name too long' -m 64 -mem-path "$T/$(printf 'n%.0s' {1..256})"
	refuse 2 'is neither a directory' -m 64 -mem-path /dev/null
	chmod 1777 "$T/everybody"
	run exomem_run --dry-run -m 64 -mem-path "$T/everybody,anyfs"
	[ "$status" = 0 ]
}

@test "a directory that is not writable, for a user who is not root" {
	need_qemu
	need_root 'becoming another user takes root'
	command -v setpriv >/dev/null || lacks setpriv 'there is no setpriv'
	chmod 755 "$T" "$memory"
	install -D -m 755 "$EXOMEM" "$T/bin/exomem"
	mkdir -m 700 "$T/run" "$T/cache"
	chown 12345 "$T/run" "$T/cache"
	# The installed QEMU: $EXOMEM_QEMU may be in a home directory that this user cannot enter.
	user() {
		env -u EXOMEM_QEMU XDG_CACHE_HOME="$T/cache" XDG_RUNTIME_DIR="$1" \
			setpriv --reuid 12345 --clear-groups "$T/bin/exomem" run -m 64 -mem-path "$2,anyfs"
	}
	run user "$T/run" "$memory"
	assert_refused 2 "'$memory' is not writable"
	run user '' "$memory"
	assert_refused 2 'name a directory by --state-dir'
	# A link that another user has planted is not followed.
	ln -s "$T/run" "$T/planted"
	chown -h 54321 "$T/planted"
	run user "$T/run" "$T/planted"
	assert_refused 2 'a link that belongs to another user'
}

@test "a comma in the path is doubled, and QEMU gets it right" {
	need_qemu
	mkdir "$memory/a,b"
	start comma $tcg -M q35 -m 64 -mem-path "$memory/a,,b,mode=create,anyfs" -kernel "$GUEST"
	wait_for "$T/comma.out" 'tiny: up'
	assert_holds "$memory/a,b" "$file"
}

@test "what is wrong with the file" {
	need_qemu
	"$EXOMEM" probe >/dev/null
	# shellcheck disable=SC2046
	refuse 5 "'$file' is not there" $(on "$memory,mode=open,mmap=private")
	truncate -s 1M "$memory/$file"
	for option in mode=create mode=open,mmap=private mode=open,mmap=shared; do
		# shellcheck disable=SC2046
		refuse 5 'has 1048576 bytes, not 67108864' $(on "$memory,$option")
	done
	truncate -s 64M "$memory/$file"
	echo web >"$memory/$file.template"
	# shellcheck disable=SC2046
	refuse 5 "belongs to template 'web'" $(on "$memory,mode=open,mmap=shared")
	rm "$memory/$file.template"
	mv "$memory/$file" "$T/elsewhere"
	ln -s "$T/elsewhere" "$memory/$file"
	# shellcheck disable=SC2046
	refuse 5 'is not a plain file' $(on "$memory,mode=open,mmap=shared")
	# Made by a first start that died before it had a size: used, and given its size.
	rm "$memory/$file"
	: >"$memory/$file"
	start empty $tcg -M q35 -m 64 -mem-path "$memory,mode=create,anyfs" -kernel "$GUEST"
	wait_for "$T/empty.out" 'tiny: up'
}

@test "a full file system" {
	need_qemu
	need_root 'mounting a small tmpfs takes root'
	"$EXOMEM" probe >/dev/null
	mount -t tmpfs -o size=16m,mode=0700 none "$memory"
	# shellcheck disable=SC2046
	refuse 4 'does not fit: needs 64 MiB' $(on "$memory,nofallback")
	# shellcheck disable=SC2046
	refuse 4 'does not fit: needs 64 MiB' $(on "$memory,mode=create")
	run exomem_run --dry-run -m 64 -mem-path "$memory,mode=create,prealloc=off,anyfs"
	[ "$status" = 0 ]
}

@test "what is wrong with QEMU" {
	need_qemu
	printf '#!/bin/sh\necho hello\n' >"$T/hello"
	printf '#!/bin/sh\necho no luck >&2; exit 1\n' >"$T/dies"
	chmod +x "$T/hello" "$T/dies"
	export XDG_CACHE_HOME=$T/cache
	mkdir "$T/cache"
	for qemu in /nonexistent /bin/cat "$T/hello" "$T/dies" "$T"; do
		run timeout 30 "$EXOMEM" run --state-dir "$state" --qemu "$qemu" -m 64
		assert_refused 3 "'"
		assert_guests
	done
	EXOMEM_QEMU=/nonexistent run exomem_run -m 64
	assert_refused 3 "'/nonexistent'"
}

@test "closed standard output and a full disk under a dry run are no success" {
	need_qemu
	run bash -c '"$EXOMEM" run --dry-run --state-dir "$1" -m 64 >/dev/full' - "$state"
	assert_refused 4 'standard output'
	run bash -c '"$EXOMEM" run --dry-run --state-dir "$1" -m 64 >&-' - "$state"
	assert_refused 1 'standard output'
}
