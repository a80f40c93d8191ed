#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# clean.bats - nothing is removed from a state directory but what exomem made there.

# Words are split on purpose ($tiny); bats and helper.bash set the other variables.
# shellcheck disable=SC2016,SC2034,SC2086,SC2154

load helper

tiny='-accel tcg -nodefaults -display none -M q35 -m 16 -S'

teardown() {
	# QEMU's parent too, which writes down in the guest's directory how it ended.
	while pkill -KILL -f -- "$state"; do sleep 0.02; done
	rm -rf "$T"
}

vm() { # VERB ARGUMENT...
	verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" "$@" 3>&-
}

# Starts a guest and kills it; what it left stays until the next start or clean.
leave_dead() { # NAME
	vm run --detach --name "$1" $tiny
	pid=$(jq .pid "$state/$1/vm.json")
	kill -KILL "$pid"
	wait_gone "$pid"
}

# All names below a directory, and what the files hold.
contents() { # DIRECTORY
	(cd "$1" && find . -printf '%p %y %l\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

# Every verb that takes --state-dir, each with words that come as far as the state directory.
verbs() {
	cat <<-VERBS
		list
		list -q
		show web
		wait web
		stop web
		stop --all
		stop --kill --all
		console web
		logs web
		qmp web query-status
		events web
		usage
		balloon web
		reclaim web 1M
		wake web
		clean
		clean --dry-run
		balance --watch 1
		save web $T/base
		fork web
		migrate web $T/there
		run --name web $tiny
		run --detach --name web $tiny
	VERBS
}

@test "a home directory is no state directory, for any verb" {
	need_qemu
	home=$T/home
	mkdir -m 700 "$home"
	mkdir "$home"/{.ssh,docs,web,empty}
	echo key >"$home/.ssh/id_rsa"
	echo thesis >"$home/docs/thesis.tex"
	echo '{}' >"$home/web/vm.json"
	touch "$home/web/lock" "$home/web/log" "$home/.profile"
	before=$(contents "$home")
	verbs >"$T/verbs"
	while read -r verb words; do
		run timeout 20 "$EXOMEM" "$verb" --state-dir "$home" $words 3>&- </dev/null
		echo "$verb $words: $status"
		assert_refused 5 "'$home' holds files and was not made by exomem"
		[ "$(contents "$home")" = "$before" ]
	done <"$T/verbs"
	run -0 "$EXOMEM" __complete -- exomem stop --state-dir "$home" ''
	[ "$(contents "$home")" = "$before" ]
}

@test "the root directory, /proc and a mount point are no state directories" {
	need_root 'only root can mount'
	mkdir "$T/mount"
	for directory in / /proc /usr "$T/mount"; do
		for verb in list clean 'stop --all'; do
			run unshare -m sh -c 'mount -t tmpfs -o mode=700 none "$0/mount" &&
				touch "$0/mount/file" && exec "$@"' \
				"$T" "$EXOMEM" $verb --state-dir "$directory"
			assert_refused 5 "'$directory' holds files and was not made by exomem"
		done
	done
}

@test "an empty directory becomes a state directory when a guest is started there" {
	need_qemu
	mkdir -m 700 "$state"
	[ -z "$(vm list -q)" ]
	vm clean
	assert_empty "$state"
	vm run --detach --name web $tiny
	assert_guests web
	grep -qxE 'exomem state [0-9a-f-]{36}' "$state/.exomem"
	grep -qxE "exomem guest [0-9a-f-]{36} of $(cut -d' ' -f3 "$state/.exomem")" "$state/web/.exomem"
	[ "$(stat -c %a "$state/.exomem" "$state/web/.exomem" | xargs)" = '600 600' ]
}

@test "beside guests: files, directories and links that exomem did not make stay" {
	need_qemu
	leave_dead web
	mkdir "$state"/{docs,other,outside}
	echo thesis >"$state/docs/thesis.tex"
	touch "$state/docs/lock" "$state/notes"
	# A guest of another state directory, as a copy or a rename would bring it here.
	cp "$state/web/vm.json" "$state/web/lock" "$state/other"
	echo 'exomem guest 11111111-1111-4111-8111-111111111111 of 22222222-2222-4222-8222-222222222222' \
		>"$state/other/.exomem"
	mv "$state/outside" "$T/outside"
	cp -a "$state/web/." "$T/outside"
	ln -s "$T/outside" "$state/outside"
	before=$(contents "$state" | grep -v web)
	outside=$(contents "$T/outside")
	[ "$(vm clean)" = web ]
	[ "$(contents "$state" | grep -v web)" = "$before" ]
	[ "$(contents "$T/outside")" = "$outside" ]
	run vm run --detach --name docs $tiny
	assert_refused 5 "name 'docs' is taken: '$state/docs' was not made by exomem; move it away"
}

@test "in a dead guest's directory: another file stays, is named, and keeps the name" {
	need_qemu
	leave_dead web
	echo mine >"$state/web/notes"
	run -0 vm clean --dry-run
	[ "$output" = "exomem clean: warning: '$state/web/notes' stays: it was not made by exomem" ]
	run -0 vm clean
	[ "$output" = "exomem clean: warning: '$state/web/notes' stays: it was not made by exomem" ]
	[ "$(cat "$state/web/notes")" = mine ]
	run vm run --detach --name web $tiny
	assert_refused 5 "name 'web' is taken: '$state/web/notes' was not made by exomem; move it away"
	rm "$state/web/notes"
	[ "$(vm clean)" = web ]
	assert_guests
}

@test "what cannot be removed from a dead guest's directory goes with the next clean" {
	need_strace
	for n in {1..12}; do
		leave_dead web
		strace -qq -o "$T/trace" -e trace=unlinkat -e "inject=unlinkat:error=EIO:when=$n" \
			"$EXOMEM" clean --state-dir "$state"
		vm clean
		[ "$(ls -A "$state")" = .exomem ]
	done
	# The last was met by none.
	! grep -q INJECTED "$T/trace" || false
}

@test "a socket that QEMU made at @{dir} goes with the guest" {
	need_qemu
	vm run --detach --name web $tiny -chardev 'socket,id=c,path=@{dir}/c,server=on,wait=off'
	[ -S "$state/web/c" ]
	kill -KILL "$(jq .pid "$state/web/vm.json")"
	until [ "$(vm clean)" = web ]; do sleep 0.05; done
	assert_guests
}

@test "a dead guest's directory that is a mount now is left alone" {
	need_qemu
	need_root 'only root can mount'
	leave_dead web
	mkdir "$T/copy"
	cp -a "$state/web/." "$T/copy"
	before=$(contents "$T/copy")
	unshare -m sh -c 'mount --bind "$0/copy" "$1/web" && exec "$2" clean --state-dir "$1"' \
		"$T" "$state" "$EXOMEM"
	[ "$(contents "$T/copy")" = "$before" ]
	[ "$(vm clean)" = web ]
}
