#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# untrusted.bats - what another user has put where root finds it: nothing of it is run, no file that it
# names is removed, and nothing waits for it.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2086,SC2154

load helper
load template

setup_file() {
	need_qemu
	need_root 'gives files away'
}

# A template of another user in a directory of theirs, with a QEMU that says that it was run.
plant() {
	boot_and_save web
	theirs=$T/theirs
	mkdir "$theirs"
	mv "$T/templates/web" "$theirs/web"
	printf '#!/bin/sh\ntouch "%s"\nexec "%s" "$@"\n' "$T/ran" "${EXOMEM_QEMU:-qemu-system-x86_64}" >"$theirs/evil"
	chmod 755 "$theirs/evil"
	rewrite "$theirs/web" "s|\"qemu\": \"[^\"]*\"|\"qemu\": \"$theirs/evil\"|"
	chown -R 65534 "$theirs"
}

# Not by jq, which rounds large numbers.
rewrite() { # TEMPLATE SED-EXPRESSION...
	sed "${@:2}" "$1/manifest.json" >"$T/manifest"
	cat "$T/manifest" >"$1/manifest.json"
}

assert_not_run() { # COMMAND...
	run timeout 20 "$@"
	assert_refused 5 'belongs to another user'
	[ ! -e "$T/ran" ]
}

@test "the QEMU that their template names is not run" {
	plant
	for words in 'clone --dry-run' 'clone --detach' 'clone --detach -n 3' 'prefetch replay'; do
		assert_not_run "$EXOMEM" $words --state-dir "$state" "$theirs/web"
	done
	assert_not_run "$EXOMEM" template verify "$theirs/web"
	rewrite "$theirs/web" '1s/{/{ "uuid": "2b1f1f1e-0000-4000-8000-000000000001",/'
	assert_not_run "$EXOMEM" receive --state-dir "$state" "$theirs/web"
	run -0 "$EXOMEM" template show "$theirs/web"
	[ ! -e "$T/ran" ]
	[ -z "$(vm list -q)" ]
}

@test "nor that of one of ours in a directory of theirs, which they can exchange" {
	plant
	chown -R 0 "$theirs"
	chown 65534 "$theirs"
	assert_not_run "$EXOMEM" clone --dry-run --state-dir "$state" "$theirs/web"
	[[ "$output" == *"'$theirs' belongs to another user"* ]]
	chown 0 "$theirs"
	chmod 777 "$theirs"
	run "$EXOMEM" clone --dry-run --state-dir "$state" "$theirs/web"
	assert_refused 5 "others can write to '$theirs'"
	[ ! -e "$T/ran" ]
	# Of a sticky one nobody takes away what is another's.
	chmod 1777 "$theirs"
	run -0 "$EXOMEM" clone --dry-run --state-dir "$state" "$theirs/web"
	[ -e "$T/ran" ]
}

@test "--trust takes one manifest, and no QEMU that its writer could replace" {
	plant
	[ "$(vm template show --json "$theirs/web" | jq -r .sha256)" = "$(manifest_sum "$theirs/web")" ]
	run -0 vm template show "$theirs/web"
	[[ "$output" == *"sha256      $(manifest_sum "$theirs/web")"* ]]
	trust=$(manifest_sum "$theirs/web")
	for verb in 'clone --dry-run' 'clone --detach'; do
		assert_not_run "$EXOMEM" $verb --state-dir "$state" --trust "$trust" "$theirs/web"
		[[ "$output" == *"runs '$theirs/evil': name another QEMU with '--qemu'" ]]
	done
	qemu=$(command -v "${EXOMEM_QEMU:-qemu-system-x86_64}")
	vm clone --detach --qemu "$qemu" --trust "$trust" "$theirs/web"
	assert_filled web-1 8M 7
	vm stop --kill web-1
	# Another text, though it says the same.
	rewrite "$theirs/web" 's/$/ /'
	run vm clone --detach --qemu "$qemu" --trust "$trust" "$theirs/web"
	assert_refused 5 "--trust: '$trust' is not the SHA-256 of the manifest of '$theirs/web'"
	run vm clone --detach --trust yes "$theirs/web"
	assert_refused 2 "--trust: 'yes' is not a SHA-256 of 64 hexadecimal digits"
	run vm clone --trust "$theirs/web"
	assert_refused 2 "--trust: '$theirs/web' is not a SHA-256 of 64 hexadecimal digits"
	# Its device state is named by the manifest.
	trust=$(manifest_sum "$theirs/web")
	printf x | dd of="$theirs/web/devices" bs=1 seek=64 conv=notrunc status=none
	run vm clone --detach --qemu "$qemu" --trust "$trust" "$theirs/web"
	assert_refused 5 "'$theirs/web/devices' is not what was saved: its checksum differs"
	[ ! -e "$T/ran" ]
}

@test "what their command line would do is said before it is refused" {
	plant
	rewrite "$theirs/web" "s|\"command\": \[|&\"-netdev\", \"tap,id=n,script=$T/up\", \"-D\", \"/root/x\",|"
	run vm clone --dry-run "$theirs/web"
	assert_refused 5 "(starts a program: -netdev tap,id=n,script=$T/up; writes to a file: -D /root/x)"
	run -0 vm template show "$theirs/web"
	[[ "$output" == *"host        starts a program: -netdev tap,id=n,script=$T/up"* ]]
}

# A terminal on which somebody types.
on_terminal() { # ANSWER COMMAND
	echo "$1" | timeout 60 script -qec "$2" "$T/typescript" >"$T/shown" 2>&1 3>&-
}

@test "on a terminal it is asked, and no is no" {
	plant
	qemu=$(command -v "${EXOMEM_QEMU:-qemu-system-x86_64}")
	export EXOMEM state theirs qemu
	for answer in n '' no; do
		# shellcheck disable=SC2016 # it is for the shell on the terminal
		run -5 on_terminal "$answer" '"$EXOMEM" clone --detach --state-dir "$state" --qemu "$qemu" "$theirs/web"'
		grep -F "'$theirs' belongs to another user" "$T/shown"
		grep -F 'Run it? [y/N]' "$T/shown"
		[ -z "$(vm list -q)" ]
	done
	# shellcheck disable=SC2016
	on_terminal y '"$EXOMEM" clone --detach --state-dir "$state" --qemu "$qemu" "$theirs/web"'
	assert_filled web-1 8M 7
	[ ! -e "$T/ran" ]
}

@test "a link to a template is followed if it is ours" {
	plant
	chown -R 0 "$theirs"
	chmod 1777 "$theirs"
	ln -s web "$theirs/link"
	run -0 "$EXOMEM" clone --dry-run --state-dir "$state" "$theirs/link"
	rm "$T/ran"
	chown -h 65534 "$theirs/link"
	assert_not_run "$EXOMEM" clone --dry-run --state-dir "$state" "$theirs/link"
	[[ "$output" == *"'$theirs/link' belongs to another user"* ]]
	# Which links lead there does not count, but there is an end.
	rm "$theirs/link"
	ln -s link "$theirs/link"
	run timeout 20 "$EXOMEM" clone --dry-run --state-dir "$state" "$theirs/link"
	assert_refused 1 'Too many levels of symbolic links'
}

@test "no file that their template names is removed" {
	plant
	echo secret >"$T/secret"
	chmod 600 "$T/secret"
	read -r inode size mtime <<<"$(stat -c '%i %s %.9Y' "$T/secret" | tr -d .)"
	jq ".memory[0] |= (.path = \"$T/secret\" | .inode = $inode | .size = $size | .mtime = \"MTIME\")
		| .disks = [{word: 1, path: \"$T/secret\", format: \"raw\", size: 1, overlay: \"disk\",
			length: $size, inode: $inode, mtime: \"MTIME\", own: true}]" "$theirs/web/manifest.json" |
		sed "s/\"MTIME\"/$mtime/g" >"$T/manifest"
	cat "$T/manifest" >"$theirs/web/manifest.json"
	run vm template remove "$theirs/web"
	assert_refused 5 "remove it as its owner"
	[ "$(cat "$T/secret")" = secret ]
	[ -e "$theirs/web/manifest.json" ]
	# Nor what a manifest of our own names, and no save has marked.
	chown -R 0 "$theirs"
	jq '.disks = [] | .memory[0].mtime = "MTIME"' "$T/manifest" |
		sed "s/\"MTIME\"/$mtime/" >"$theirs/web/manifest.json"
	vm template remove "$theirs/web"
	[ "$(cat "$T/secret")" = secret ]
	[ ! -e "$theirs/web" ]
}

@test "a manifest that is none: a FIFO, a link, a directory, an endless one" {
	boot_and_save web
	mkdir "$T/templates"/{fifo,link,directory,large}
	mkfifo "$T/templates/fifo/manifest.json"
	ln -s /dev/zero "$T/templates/link/manifest.json"
	mkdir "$T/templates/directory/manifest.json"
	truncate -s 2M "$T/templates/large/manifest.json"
	[ "$(timeout 20 "$EXOMEM" template list -q --templates "$T/templates")" = web ]
	while read -r name text; do
		for verb in 'template show' 'template verify' 'template remove' 'clone --detach' 'prefetch replay'; do
			run timeout 20 "$EXOMEM" $verb --state-dir "$state" "$T/templates/$name"
			assert_refused 5 "'$T/templates/$name/manifest.json' $text"
		done
	done <<-'CASES'
		fifo is not a regular file
		link is a symbolic link
		directory is not a regular file
		large is larger than 1 MiB
	CASES
}

@test "what a manifest says does nothing to a terminal" {
	boot_and_save web
	rewrite "$T/templates/web" 's/"machine": "[^"]*"/"machine": "a\\u001b]0;title\\u0007b\\nc", "cpu": "\\u009bq"/'
	run -0 vm template show web
	echo "$output"
	[[ "$output" == *'a\x1b]0;title\x07b\x0ac'* ]]
	[[ "$output" == *'\xc2\x9bq'* ]]
	run ! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$output"
	run vm clone --dry-run web
	echo "$output"
	[ "$(wc -l <<<"$output")" = 1 ]
	run ! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$output"
}
