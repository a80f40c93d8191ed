#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# template.bats - templates: list, show, verify and remove.

# Words are split on purpose; bats, helper.bash and template.bash set the other variables.
# shellcheck disable=SC2012,SC2013,SC2016,SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load template

assert_wrong() { # STATUS TEXT TEMPLATE-ARGUMENT...
	local wanted=$1 text=$2
	shift 2
	run vm template "$@"
	assert_refused "$wanted" "$text"
}

@test "no templates yet" {
	need_qemu
	run vm template list
	[ "$status" = 0 ]
	[ "$(wc -l <<<"$output")" = 1 ]
	[ "$(vm template list --json | jq -c .)" = '[]' ]
	[ -z "$(vm template list -q)" ]
	assert_empty "$T/templates"
}

@test "words that cannot be" {
	assert_wrong 2 "say 'list', 'show', 'verify' or 'remove'"
	assert_wrong 2 "(did you mean 'list'?)" lst
	assert_wrong 2 "'nothing'" nothing
	assert_wrong 2 "'more' is one word too many" list more
	assert_wrong 2 'exclude each other' list --json --quiet
	for action in show verify remove; do
		assert_wrong 2 'name a template' "$action"
		assert_wrong 2 "'more' is one word too many" "$action" web more
		assert_wrong 5 "no template '$T/templates/web'" "$action" web
		assert_wrong 2 "is not allowed as a name" "$action" 'a b'
		assert_wrong 2 "is not allowed as a name" "$action" ''
		assert_wrong 2 "is not allowed as a name" "$action" ..
	done
}

@test "list and show: for people and for programs" {
	need_qemu
	boot_and_save web
	boot db -cpu max
	vm qmp db stop
	vm save -q db >/dev/null
	# Neither of these is a template.
	mkdir "$T/templates/empty" "$T/templates/.hidden" "$T/templates/broken"
	: >"$T/templates/file"
	echo '{' >"$T/templates/broken/manifest.json"
	[ "$(vm template list -q | xargs)" = 'db web' ]
	run vm template list
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 3 ]
	[[ "${lines[0]}" =~ ^NAME\ +MEMORY\ +DISKS\ +QEMU\ +SAVED$ ]]
	[[ "${lines[1]}" =~ ^db\ +64\ MiB\ +0\ +[0-9.]+\ +20 ]]
	vm template list --json >"$T/json"
	[ "$(jq -c 'map([.name, .directory, .paused])' "$T/json")" = \
		"$(jq -nc --arg root "$T/templates" '[["db", "\($root)/db", true], ["web", "\($root)/web", '"$(jq .paused "$T/templates/web/manifest.json")"']]')" ]
	run vm template show db
	[ "$status" = 0 ]
	[[ "$output" == *"$T/templates/db"* ]]
	[[ "$output" == *tiny.elf* ]]
	[[ "$output" == *'64 MiB'* ]]
	[ "$(vm template show --json db | jq -c '[.name, .cpu, .parent]')" = '["db","max","db"]' ]
	# What is shown is what is written there.
	diff <(vm template show --json db | jq -S 'del(.directory, .sha256)') <(jq -S . "$T/templates/db/manifest.json")
}

@test "verify: a good one says nothing; all that is wrong is told" {
	need_qemu
	boot_and_save web
	run vm template verify web
	[ "$status" = 0 ]
	[ -z "$output" ]
	devices=$T/templates/web/devices
	cp -p "$devices" "$T/original"
	printf '\377' | dd of="$devices" bs=1 seek=50000 conv=notrunc status=none
	assert_wrong 5 "'$devices' is not what was saved: its checksum differs" verify web
	touch "$memory/$file"
	run vm template verify web
	[ "$status" = 5 ]
	[ "${#lines[@]}" = 2 ]
	[[ "$output" == *"'$devices' is not what was saved"* ]]
	[[ "$output" == *"'$memory/$file' was changed after it was saved"* ]]
	rm "$devices" "$memory/$file"
	run vm template verify web
	[ "$status" = 5 ]
	[[ "$output" == *"'$devices' is missing"* ]]
	[[ "$output" == *"'$memory/$file' is missing"* ]]
}

@test "verify --deep: with a checksum, and without" {
	need_qemu
	boot_and_save web
	assert_wrong 5 "saved without '--checksum'" verify --deep web
	for place in kept written; do
		if [ "$place" = kept ]; then
			boot "$place" -mem-path "$T,mode=create,anyfs"
			path=$T/$file
		else
			boot "$place"
			path=$T/templates/$place/$file
		fi
		fill "$place" 8M 7
		vm save -q --checksum "$place" >/dev/null
		[ "$(jq -r '.memory[0].sha256' "$T/templates/$place/manifest.json")" = \
			"$(sha256sum <"$path" | cut -d' ' -f1)" ]
		run vm template verify --deep "$place"
		[ "$status" = 0 ]
		[ -z "$output" ]
		# One byte of 64 MiB, and the time is as it was: nothing else can tell.
		touch -r "$path" "$T/stamp"
		printf '\1' | dd of="$path" bs=1 seek=50000000 conv=notrunc status=none
		touch -r "$T/stamp" "$path"
		vm template verify "$place"
		assert_wrong 5 "'$path' is not what was saved: its checksum differs" verify --deep "$place"
	done
}

@test "verify: QEMU and processor" {
	need_qemu
	boot_and_save web
	manifest=$T/templates/web/manifest.json
	cp "$manifest" "$T/original"
	sed 's/"machine": "[^"]*"/"machine": "pc-q35-99.0"/;
		s/"accelerator": "tcg"/"accelerator": "tcg", "host-cpu": ["nosuchflag"]/' "$T/original" >"$manifest"
	run vm template verify web
	[ "$status" = 3 ]
	[[ "$output" == *"saved on 'pc-q35-99.0', which is not a machine of "* ]]
	[[ "$output" == *'+nosuchflag: this host lacks it'* ]]
	sed 's/"qemu-version": "[^"]*"/"qemu-version": "6.1.0"/' "$T/original" >"$manifest"
	assert_wrong 3 'saved by QEMU 6.1.0, but ' verify web
	cp "$T/original" "$manifest"
	vm template verify web
}

@test "remove: refused while children hold it, who are named; then nothing is left" {
	need_qemu
	boot_and_save web
	vm clone -n 2 web >/dev/null
	vm clone --paused --detach --name third web >/dev/null
	run vm template remove web
	assert_refused 5 "template 'web' is in use by "
	for name in web-1 web-2 third; do [[ "$output" == *"'$name'"* ]]; done
	vm stop --kill web-1 third
	assert_wrong 5 "template 'web' is in use by 'web-2'" remove web
	# One who cannot see the child is told the process.
	run "$EXOMEM" template --templates "$T/templates" --state-dir "$T/elsewhere" remove web
	assert_refused 5 "template 'web' is in use by pid $(pid_of web-2)"
	assert_filled web-2 8M 7
	kill -KILL "$(pid_of web-2)"
	until has_ended "$(pid_of web-2)"; do sleep 0.02; done
	vm template remove web
	assert_empty "$T/templates"
	assert_empty "$memory"
	assert_wrong 5 "no template '$T/templates/web'" remove web
	[ -z "$(vm list -q)" ]
}

@test "remove: a foreground child holds it too" {
	need_qemu
	boot_and_save web
	"$EXOMEM" clone --state-dir "$state" --templates "$T/templates" web </dev/null >"$T/out" 2>&1 3>&- &
	pid=$!
	pids="$pids $pid"
	wait_for "$T/out" '^tick'
	assert_wrong 5 "in use by 'web-1'" remove web
	kill "$pid"
	wait "$pid" || true
	vm template remove web
	assert_empty "$T/templates"
}

@test "remove: memory wherever it is, and no file of somebody else" {
	need_qemu
	boot temp -mem-path "$memory,mode=temp,mmap=shared,anyfs"
	vm save -q temp >/dev/null
	boot written
	vm save -q written >/dev/null
	vm template remove temp
	vm template remove written
	assert_empty "$T/templates"
	assert_empty "$memory"
	boot_and_save web
	# Made before the other is gone: a number of an inode that is free is given again.
	echo mine >"$memory/mine"
	mv -f "$memory/mine" "$memory/$file"
	run -0 vm template remove web
	[[ "$output" == "exomem template: warning: '$memory/$file' stays: it is not the file that was saved" ]]
	[ "$(cat "$memory/$file")" = mine ]
	assert_empty "$T/templates"
}

@test "remove: what was interrupted is done again" {
	need_qemu
	boot_and_save web
	rm "$memory/$file" "$T/templates/web/devices"
	vm template remove web
	assert_empty "$T/templates"
	# Killed between the last file and the directory.
	mkdir "$T/templates/web"
	vm template remove web
	assert_empty "$T/templates"
	assert_wrong 5 "no template '$T/templates/web'" remove web
}

@test "remove: says what it leaves, and leaves a directory that it does not know" {
	need_qemu
	boot_and_save web
	echo mine >"$T/templates/web/notes"
	ln -s "$T/templates/web" "$T/link"
	run -0 vm template remove "$T/link"
	[[ "$output" == "exomem template: warning: '$T/link' stays: it has files that exomem did not make" ]]
	[ "$(ls -A "$T/templates/web")" = notes ]
	run vm template remove web
	assert_refused 5 "no template '$T/templates/web'"
	[ "$(cat "$T/templates/web/notes")" = mine ]
	boot_and_save other
	ln -sfn "$T/templates/other" "$T/link"
	vm template remove "$T/link"
	[ "$(ls "$T/templates")" = web ]
	# A template whose directory cannot go.
	boot_and_save third
	run strace -qq -o /dev/null -e trace=rmdir -e inject=rmdir:error=EBUSY:when=2 \
		"$EXOMEM" template --templates "$T/templates" --state-dir "$state" remove third
	assert_refused 1 "remove directory '$T/templates/third': Device or resource busy"
	vm template remove third
	[ "$(ls "$T/templates")" = web ]
}

@test "a template that was moved is still one, where its memory went along" {
	need_qemu
	boot web
	fill web 8M 7
	vm save -q web >/dev/null
	mv "$T/templates/web" "$T/moved"
	vm template verify "$T/moved"
	vm clone --detach "$T/moved" >/dev/null
	assert_filled moved-1 8M 7 || assert_filled web-1 8M 7
	vm stop --kill --all
	# A copy is none: its memory is another file.
	cp -a "$T/moved" "$T/copy"
	assert_wrong 5 'another file than was saved: it was copied or replaced' verify "$T/copy"
}

# exomem with the Nth opening of one file failing.
fail_open() { # PATH N EXOMEM-ARGUMENT...
	run strace -qq -o /dev/null -P "$1" -e trace=openat -e "inject=openat:error=EMFILE:when=$2" \
		"$EXOMEM" "${@:3}" --templates "$T/templates" --state-dir "$state"
	# It says how it understands a path that ends with a dot.
	output=$(grep -v '^strace: ' <<<"$output")
}

@test "remove: a template whose lock cannot be asked for, or that cannot be read, stays" {
	need_strace
	boot_and_save web
	vm clone --detach web
	for place in web/devices web/.; do
		fail_open "$T/templates/$place" 1 template remove web
		assert_refused 1 "cannot open '$T/templates/${place%/.}': Too many open files"
		vm template verify web
		assert_filled web-1 8M 7
	done
	vm stop --kill web-1
	# It is opened, its manifest is opened in it, and then it is opened to remove its files one by one.
	fail_open "$T/templates/web/." 3 template remove web
	assert_refused 1 "cannot open '$T/templates/web': Too many open files"
	vm template remove web
	assert_empty "$T/templates"
	assert_empty "$memory"
}
