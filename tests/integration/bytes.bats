#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bytes.bats - arguments and paths that are not UTF-8: guests and templates that have them, and what is
# written of them in JSON.

# Words are split on purpose; bats, helper.bash, template.bash and migrate.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2086,SC2154

load helper
load template
load migrate

latin=$'caf\351'
utf8='café 🐯'

# As template.bash has it, with a memory folder, an argument and a file for output that are not UTF-8, and an
# argument that is UTF-8 beyond ASCII.
boot_latin() { # NAME EXOMEM-RUN-ARGUMENT...
	mkdir -p "$memory/$latin"
	boot "$1" -append "$latin" -D "$T/log"$'\377-@{name}' -fw_cfg "name=opt/x,string=$utf8" \
		-mem-path "$memory/$latin,mode=create,mmap=shared,anyfs" "${@:2}"
	fill "$1" 8M 7
}

# What JSON's strings are, one a line, with those that stand for bytes.
strings() {
	jq -r '.. | if type == "string" then @base64 elif type == "object" then .bytes? // empty |
		strings else empty end' | while IFS= read -r line; do
		base64 -d <<<"$line"
		echo
	done
}

# Fails unless standard input is JSON in UTF-8, in which this is a string.
assert_json_has() { # STRING...
	local json=$T/checked
	cat >"$json"
	iconv -f UTF-8 -t UTF-8 "$json" >/dev/null
	jq . "$json" >/dev/null
	strings <"$json" >"$T/strings"
	for string in "$@"; do
		LC_ALL=C grep -qaxF -- "$string" "$T/strings" || {
			cat "$json"
			return 1
		}
	done
}

@test "a guest with arguments that are not UTF-8 is listed, shown, asked and stopped" {
	need_qemu
	boot_latin web
	[ "$(vm list -q)" = web ]
	vm list | grep -q '^web .*running'
	[ "$(vm list --json | jq -r '.[0].status')" = running ]
	vm show web | LC_ALL=C grep -qaF "$latin"
	vm show --json web >"$T/json"
	assert_json_has "$latin" "$T/log"$'\377-web' "name=opt/x,string=$utf8" \
		"$memory/$latin/$file" <"$T/json"
	assert_json_has "$latin" "$memory/$latin/$file" <"$state/web/vm.json"
	# As exomem-state(5) has it.
	jq -r '.argv[] | .bytes? // @base64' "$T/json" |
		while read -r argument; do
			echo "$argument" | base64 -d
			echo
		done >"$T/argv"
	tr '\0' '\n' <"/proc/$(pid_of web)/cmdline" >"$T/cmdline"
	# The QEMU of the backports is started by a script, which adds arguments at the beginning.
	[ -n "${EXOMEM_QEMU-}" ] || cmp "$T/cmdline" "$T/argv"
	tail -n +2 "$T/argv" >"$T/arguments"
	tail -n "$(wc -l <"$T/arguments")" "$T/cmdline" | cmp - "$T/arguments"
	[ "$(status_of web)" = running ]
	vm usage --json | assert_json_has web
	vm usage web | LC_ALL=C grep -qaF web
	assert_filled web 8M 7
	vm wait --for running web
	vm stop --timeout 1 web
	[ -z "$(vm list -q)" ]
	assert_no_process
	[ -e "$T/log"$'\377-web' ]
}

@test "a record that another program has written again is the same" {
	need_qemu
	boot_latin web
	vm show --json web >"$T/before"
	jq . "$state/web/vm.json" >"$T/record"
	cp "$T/record" "$state/web/vm.json"
	vm show --json web >"$T/after"
	cmp "$T/before" "$T/after"
	# Letters beyond ASCII as escapes, and all strings as bytes.
	jq -a . "$T/record" >"$state/web/vm.json"
	vm show --json web | cmp "$T/before"
	jq '.command |= map(if type == "string" then {bytes: @base64} else . end)' "$T/record" \
		>"$state/web/vm.json"
	vm show --json web | cmp "$T/before"
	vm stop --kill web
}

@test "a record with bytes that no argument can have is none" {
	need_qemu
	boot_latin web
	cp "$state/web/vm.json" "$T/record"
	for bad in '{"bytes": "AA=="}' '{"bytes": "Y2Fm6Q"}' '{"bytes": 1}' '"\u0000"' '"\ud800"' \
		$'"\351"'; do
		LC_ALL=C sed "s/{\"bytes\": \"Y2Fm6Q==\"}/${bad//\\/\\\\}/" "$T/record" \
			>"$state/web/vm.json"
		cat "$state/web/vm.json" >"$state/web/lock"
		run vm show web
		assert_refused 5 'is not whole'
	done
	cp "$T/record" "$state/web/vm.json"
	vm stop --kill web
}

@test "state and templates may be in places that are not UTF-8" {
	need_qemu
	state=$T/$latin/state
	mkdir "$T/$latin"
	boot_latin web
	vm list --json | assert_json_has "$state/web"
	[ "$(status_of web)" = running ]
	[ "$("$EXOMEM" save --state-dir "$state" --templates "$T/$latin/templates" --json web 3>&- |
		jq -r '.template.bytes' | base64 -d)" = "$T/$latin/templates/web" ]
	"$EXOMEM" clone --state-dir "$state" --templates "$T/$latin/templates" -n 2 web 3>&- >"$T/names"
	vm list -q | cmp - <(sort "$T/names")
	assert_filled web-1 8M 7
	vm show --json web-1 | assert_json_has "$T/$latin/templates/web" "$latin"
	vm stop --kill --all
}

@test "such a guest is saved, its template shown, cloned and removed" {
	need_qemu
	boot_latin web
	vm save --dry-run --json web | assert_json_has "$T/templates/web"
	vm save -q web
	vm template list --json | assert_json_has web
	vm template show web | LC_ALL=C grep -qaF "$latin"
	vm template show --json web | assert_json_has "$latin" "name=opt/x,string=$utf8"
	assert_json_has "$latin" "$memory/$latin/$file" <"$T/templates/web/manifest.json"
	vm template verify web
	vm clone --dry-run --json web | assert_json_has "$latin"
	vm clone -n 2 web
	[ "$(vm list -q | wc -l)" = 2 ]
	assert_filled web-1 8M 7
	vm show --json web-2 | assert_json_has "$latin" "name=opt/x,string=$utf8"
	vm stop --kill --all
	vm template remove web
	[ "$(vm template list -q)" = '' ]
}

@test "such a guest is forked" {
	need_qemu
	boot web -append "$latin" -mem-path "$memory,mode=temp,mmap=shared,anyfs"
	fill web 8M 7
	vm fork --dry-run --json -n 1 web | assert_json_has web
	vm fork -q -n 1 web
	assert_filled web 8M 7
	vm show --json web | assert_json_has "$latin"
	vm stop --kill --all
}

@test "such a guest moves to another host" {
	need_qemu
	elsewhere
	boot_latin web
	move --json web other | assert_json_has web
	[ -z "$(vm list -q)" ]
	there assert_filled web 8M 7
	there vm show --json web | assert_json_has "$latin" "$memory/$latin/$file"
	kill_all
}

@test "a disk at a path that is not UTF-8: a guest runs, and a save or fork is refused before it begins" {
	need_qemu
	truncate -s 1M "$T/$latin.img" "$T/disk.img"
	boot_latin web -drive "file=$T/$latin.img,format=raw,if=virtio"
	for verb in 'save web' 'fork -n 1 web'; do
		run vm $verb
		assert_refused 3 "'$T/$latin.img' is not UTF-8, and QMP"
		assert_unharmed web
	done
	[ ! -e "$T/templates" ] || assert_empty "$T/templates"
	vm stop --kill web
	rm -rf "${memory:?}/$latin"
	boot_latin web -drive "file=$T/disk.img,format=raw,if=virtio"
	mkdir "$T/$latin"
	run "$EXOMEM" save --state-dir "$state" --templates "$T/$latin" web 3>&-
	assert_refused 3 "'$T/$latin/.web."
	assert_unharmed web
	assert_empty "$T/$latin"
	vm save -q web
	vm clone -n 2 web
	vm stop --kill --all
}

@test "QMP: what is not UTF-8 is refused before it is sent, and a NUL or half a pair too" {
	need_qemu
	boot_latin web
	run vm qmp web "$latin"
	assert_refused 3 "'$latin' is not UTF-8"
	run vm qmp web qom-get "{\"path\": \"/$latin\", \"property\": \"x\"}"
	assert_refused 2 'not UTF-8'
	for bad in '\u0000' '\ud800' '\udc00\ud800'; do
		run vm qmp web qom-get "{\"path\": \"/$bad\", \"property\": \"x\"}"
		assert_refused 2 'arguments: not JSON at byte 11: '
	done
	[ "$(status_of web)" = running ]
	# QEMU's own words for what is UTF-8 come back as they went.
	run vm qmp web qom-get "{\"path\": \"/$utf8\", \"property\": \"x\"}"
	assert_refused 1 "'/$utf8' not found"
	vm stop --kill web
}
