#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# two_users.bats - what a second user of the host tries against root's guests, with files, links, mounts and
# races of their own: not a byte of a guest's memory, no process as root, and no file of root's.
#
# The guest 'web' has its memory in a sticky directory, the template 'base' in another one. Each test ends
# with assert_safe, which looks through all that the other user got.

# Words are split on purpose, scripts of the other user expand their own; bats, helper.bash and template.bash
# set the other variables.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2046,SC2086,SC2154

load helper
load template

need_all() {
	need_qemu
	need_root 'becomes another user'
	command -v setpriv >/dev/null || lacks setpriv 'there is no setpriv'
	command -v cc >/dev/null || lacks cc 'no compiler is installed'
}

setup_file() {
	# Not one of the environment, which teardown_file would remove.
	export T=
	# bats 1.8 takes a skip in this function for a failure: setup skips.
	[ "$(id -u)" = 0 ] && [ -e "$GUEST" ] &&
		type setpriv cc "${EXOMEM_QEMU:-qemu-system-x86_64}" >/dev/null 2>&1 || return 0
	T=$(mktemp -d)
	set_places
	chmod 755 "$T"
	mkdir "$T/bin" "$T/root" "$T/root/folder" "$T/templates"
	mkdir -m 1777 "$sticky" "$shared"
	mkdir "$theirs" "$loot"
	install -m 755 "$EXOMEM" "$T/bin/exomem"
	cc -D_GNU_SOURCE -std=gnu11 -O2 -o "$T/bin/other_user" "$BATS_TEST_DIRNAME/other_user.c"
	chown -R "$uid:$uid" "$theirs" "$loot"
	printf '#!/bin/sh\nid -u >>"%s/ran"\nexec "%s" "$@"\n' "$theirs" "${EXOMEM_QEMU:-qemu-system-x86_64}" \
		>"$theirs/evil"
	chmod 755 "$theirs/evil"
	chown "$uid:$uid" "$theirs/evil"
	make_secrets
	# Whoever starts guests may have any umask.
	(umask 000 && boot web -mem-path "$sticky,mode=create,anyfs")
	fill web 8M 7
	boot base -mem-path "$shared,mode=create,anyfs"
	fill base 8M 7
	vm save -q base >/dev/null
	note_pattern
	list_root >"$T/root.list"
}

teardown_file() {
	if [ -z "$T" ]; then return 0; fi
	set_places
	for pid in $(ours); do kill -KILL "$pid" 2>/dev/null || true; done
	rm -rf "$T"
}

set_places() {
	state=$T/state memory=$T/memory reflink=$T/reflink
	sticky=$T/sticky shared=$T/shared theirs=$T/theirs loot=$T/theirs/loot
	uid=54321
	export XDG_CACHE_HOME=$T/cache XDG_RUNTIME_DIR=$T
	pids='' run_options=''
}

setup() {
	need_all
	set_places
	rm -rf "$theirs/try" "$T/try"
	mkdir "$T/try"
	mkdir -m 1777 "$T/try/open"
	try=$T/try open=$T/try/open
	other mkdir "$theirs/try"
	planted=$theirs/try
}

teardown() {
	if [ -z "$T" ]; then return 0; fi
	end_others
	for name in $(vm list -q); do
		[ "$name" = web ] || vm stop --kill "$name" || true
	done
	# One hole fails one test.
	list_root >"$T/root.list"
}

# Files that root has and that nobody may change: one of the size of a guest's memory, an empty one, and others.
make_secrets() {
	head -c 64M /dev/zero | tr '\0' r >"$T/root/large"
	: >"$T/root/empty"
	echo secret >"$T/root/secret"
	echo public >"$T/root/public"
	echo inner >"$T/root/folder/inner"
	chmod 600 "$T/root/large" "$T/root/empty" "$T/root/secret"
	chmod 644 "$T/root/public"
	chmod 755 "$T/root" "$T/root/folder"
}

# What changes when a file of root's is written, renamed, removed or given another mode.
list_root() {
	find "$T/root" -printf '%P %y %U %m %s %i %T@\n' | sort
	cat "$T/root/secret" "$T/root/public" "$T/root/folder/inner"
}

# Words that `fill` has written, from all over the 8 MiB, as an expression for grep -P.
note_pattern() {
	for at in $(seq 512 48 2000); do
		printf '%s%s' "${separator-}" \
			"$(dd if="$sticky/$file" bs=4096 skip="$at" count=1 status=none | head -c 16 |
				od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g')"
		separator='|'
	done >"$T/pattern"
}

# What makes a command the other user's, who has no privilege and nothing of root's environment.
as_other() {
	echo "setpriv --reuid $uid --regid $uid --clear-groups --inh-caps=-all --bounding-set=-all
		env -i HOME=$theirs PATH=$PATH"
}

other() { # COMMAND...
	$(as_other) "$@" 3>&- 4>&-
}

# A shell of theirs; what it says goes to their files too.
other_sh() { # SCRIPT [WORD...]
	other sh -c "$@" >>"$loot/said" 2>&1 || true
}

# In the background, until the test ends.
other_starts() { # COMMAND...
	$(as_other) "$@" >>"$loot/said" 2>&1 3>&- 4>&- &
	pids="$pids $!"
}

end_others() {
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	pids=''
}

# exomem as root, which must not wait for anybody.
root() { # VERB ARGUMENT...
	timeout 20 "$EXOMEM" "$1" --state-dir "$state" "${@:2}" 3>&- 4>&-
}

# Words of a guest that does nothing, with memory in a directory.
on() { # MEM-PATH
	echo "--detach $tiny -S -mem-path $1,anyfs"
}

# Fails unless the last `run` was refused in one line that holds the text, without a control character.
assert_declined() { # TEXT
	echo "exit $status: $output"
	[[ "$status" =~ ^[1-5]$ ]]
	[ "$(printf '%s\n' "$output" | wc -l)" = 1 ]
	[[ "$output" == *"$1"* ]]
	assert_printable
}

assert_printable() {
	if grep -P '[\x00-\x08\x0b-\x1f\x7f]' <<<"$output"; then return 1; fi
}

# Not a byte of memory, no process, no file of root's.
assert_safe() {
	if other env LC_ALL=C grep -rlaP -D skip "$(cat "$T/pattern")" "$theirs" 2>/dev/null; then
		echo 'they have memory of a guest'
		return 1
	fi
	if grep -x 0 "$theirs/ran" 2>/dev/null; then return 1; fi
	list_root | diff "$T/root.list" -
	[ -z "$(find "$T/root" -newer "$T/root.list")" ]
	[ "$(vm list -q | grep -x web)" = web ]
}

# A template of theirs that names their program, at a path.
plant_template() { # DIRECTORY
	cp -a "$T/templates/base" "$1"
	# Which they have not got from root.
	truncate -s 0 "$1/devices"
	truncate -s "$(stat -c %s "$T/templates/base/devices")" "$1/devices"
	sed -i "s|\"qemu\": \"[^\"]*\"|\"qemu\": \"$theirs/evil\"|" "$1/manifest.json"
	chmod 755 "$1"
	chown -R $uid:$uid "$1"
}

# --- what they can open ---

@test "1: names of memory, state and templates" {
	other_sh 'for file in "$0"/*; do cat "$file"; done; cat "$1"/.exomem "$1"/web/*; ls -lR "$1" "$2"
		cat "$2"/base/*; head -c 64M "$3"/* ' "$sticky" "$state" "$T/templates" "$shared"
	[ "$(stat -c %a "$state")" = 700 ]
	[ "$(stat -c %a "$sticky/$file")" = 600 ]
	assert_safe
}

@test "2: a file in the moment in which it is made, with umask 000" {
	other_starts "$T/bin/other_user" grab "$open" "$loot" 20
	sleep 0.2
	umask 000
	for mode in mode=create mode=temp mode=temp,prealloc=off; do
		run -0 root run --name made $(on "$open,$mode")
		vm stop --kill made
	done
	boot made -mem-path "$open,mode=create,anyfs"
	fill made 8M 7
	run -0 root save -q made "$open/template"
	run -0 root prefetch -q record web
	run -0 root clone --detach --name child "$open/template"
	vm stop --kill child
	find "$open" "$T/templates" "$state" -perm /077 ! -type l ! -type s ! -path "$open" ! -path "$T/templates" |
		tee "$T/found"
	[ ! -s "$T/found" ]
	assert_safe
}

@test "3: /proc of QEMU and of those that watch it" {
	for pid in $(ours); do
		other_sh 'cd "/proc/$0" || exit
			cat mem environ maps smaps pagemap; ls -l fd map_files cwd root exe
			for link in fd/* map_files/*; do head -c 64M "$link"; done
			cat "root$1"/* "cwd"/*' "$pid" "$sticky"
	done
	assert_safe
}

@test "4: ptrace and process_vm_readv" {
	for pid in $(ours); do
		run -1 other "$T/bin/other_user" attach "$pid"
	done
	assert_safe
}

@test "5: the sockets of a guest" {
	for socket in "$state"/web/*.sock; do
		other_sh 'echo "{\"execute\": \"qmp_capabilities\"}" | timeout 5 socat - "UNIX-CONNECT:$0"' "$socket"
		other_sh 'echo x | timeout 5 socat - "UNIX-CONNECT:/proc/$1/root$0"' "$socket" "$(pid_of web)"
	done
	if grep -q '"return"' "$loot/said"; then return 1; fi
	for words in 'list' 'show web' 'console web' 'qmp web quit' 'stop --kill web' 'clean' 'logs web' 'usage'; do
		run other timeout 20 "$T/bin/exomem" ${words%% *} --state-dir "$state" ${words#"${words%% *}"}
		[ "$status" != 0 ]
	done
	assert_safe
}

@test "6: signals, limits, and the core of a guest that was started in a directory of theirs" {
	for pid in $(ours); do
		other_sh 'kill -SEGV "$0"; kill -QUIT "-$0"; prlimit --core=unlimited --pid "$0"' "$pid"
	done
	case $(cat /proc/sys/kernel/core_pattern) in
	'|'* | /*) ;;
	*)
		other ln -s "$T/root/public" "$planted/core"
		(cd "$planted" && ulimit -c unlimited &&
			root run --name dumps --detach $tiny -mem-path "$open,mode=create,anyfs")
		fill dumps 8M 7
		kill -SEGV "$(pid_of dumps)"
		wait_gone "$(pid_of dumps)"
		other_sh 'cat "$0"/core*' "$planted"
		;;
	esac
	assert_safe
}

# --- memory files and their directories ---

@test "7: a memory file of theirs, empty or of the right size, under the guest's name" {
	for size in 0 64M; do
		other truncate -s $size "$open/$file"
		other chmod 666 "$open/$file"
		for option in mode=create mode=open,mmap=shared mode=create,mmap=private; do
			run root run --name refused $(on "$open,$option")
			assert_declined "$file"
		done
		other rm "$open/$file"
	done
	assert_safe
}

@test "8: a link, a FIFO, a socket, a directory or a device in its place" {
	for plant in "ln -s $T/root/large" "ln -s $T/root/empty" 'ln -s /dev/zero' 'ln -s /dev/mem' mkfifo mkdir; do
		other $plant "$open/$file"
		for option in mode=create mode=open,mmap=shared mode=open,mmap=private; do
			run root run --name refused $(on "$open,$option")
			assert_declined "$file"
		done
		other rm -r "$open/$file"
	done
	assert_safe
}

@test "9: a hard link to a file of root's" {
	# Where fs.protected_hardlinks is 0, they can make it themselves.
	for name in large empty; do
		ln "$T/root/$name" "$open/$file"
		run root run --name refused $(on "$open,mode=create")
		assert_declined 'hard link'
		rm "$open/$file"
	done
	assert_safe
}

@test "10: a memory file of root's that all may read or write" {
	truncate -s 64M "$open/$file"
	for mode in 666 622 644; do
		chmod $mode "$open/$file"
		for option in mode=create mode=open,mmap=shared; do
			run root run --name refused $(on "$open,$option")
			assert_declined "chmod"
			[[ "$output" == *"$file"* ]]
		done
	done
	assert_safe
}

@test "11: a memory directory of theirs, or below one of theirs" {
	other mkdir -m 755 "$planted/memory"
	mkdir "$planted/ours"
	mkdir -m 777 "$try/everybody"
	mkdir -m 700 "$try/everybody/ours"
	for directory in "$planted/memory" "$planted/ours" "$try/everybody/ours"; do
		for option in mode=temp mode=create; do
			run root run --name refused $(on "$directory,$option")
			assert_declined "'$directory'"
		done
	done
	rm -r "$planted/ours"
	assert_safe
}

@test "12: a memory directory that is exchanged for a link while a guest starts" {
	other mkdir -p "$planted/evil" "$planted/deep"
	mkdir -m 700 "$planted/ours"
	other truncate -s 64M "$planted/evil/$file"
	other chmod 666 "$planted/evil/$file"
	other ln -s evil "$planted/link"
	other_starts "$T/bin/other_user" exchange "$planted/ours" "$planted/link" 20
	other_starts "$T/bin/other_user" watch "$planted/ours" "$planted/evil" "$planted/deep" 20
	end=$((SECONDS + 3))
	while [ $SECONDS -lt $end ]; do
		run root run --name refused $(on "$planted/ours,mode=create")
		assert_declined "'$planted"
	done
	end_others
	assert_safe
}

@test "13: names in a sticky directory that are exchanged while a guest starts" {
	other truncate -s 64M "$open/evil"
	other chmod 666 "$open/evil"
	other_starts "$T/bin/other_user" exchange "$open/evil" "$open/$file" 20
	other_starts "$T/bin/other_user" watch "$open" "$open/evil" "$open/$file" 20
	other_starts sh -c 'while :; do ln -s evil "$0" || ln evil "$0" || mkfifo "$0"; rm -f "$0"; done' "$open/$file"
	end=$((SECONDS + 3))
	while [ $SECONDS -lt $end ]; do
		if root run --name made $(on "$open,mode=create") >/dev/null 2>&1; then
			[ "$(stat -c %u:%a "$open/$file")" = 0:600 ]
			vm stop --kill made
			rm "$open/$file"
		fi
	done
	assert_safe
}

@test "14: a template's marker of theirs beside a memory file of root's" {
	truncate -s 64M "$open/$file"
	chmod 600 "$open/$file"
	for plant in 'ln -s /dev/zero' "ln -s $T/root/secret" mkfifo mkdir; do
		other $plant "$open/$file.template"
		run timeout 20 "$EXOMEM" run --dry-run $(on "$open,mode=create")
		[ "$status" != 124 ]
		if grep secret <<<"$output"; then return 1; fi
		other rm -r "$open/$file.template"
	done
	printf 'a\033]0;title\007b\n' | other tee "$open/$file.template" >/dev/null
	run -0 root run --name made $(on "$open,mode=create")
	assert_printable
	assert_safe
}

# --- state directories ---

@test "15: a state directory of theirs, a link to one, and one below a directory of theirs" {
	other mkdir -m 700 "$planted/state"
	other ln -s "$planted" "$open/link"
	other sh -c 'echo "exomem state 2b1f1f1e-0000-4000-8000-000000000001" >"$0/.exomem"' "$planted/state"
	other ln -s "$state" "$planted/to-ours"
	mkdir -m 700 "$planted/ours"
	for directory in "$planted/state" "$planted/to-ours" "$planted/new" "$planted/ours" "$open/link/new" "$open/link/ours"; do
		for words in list 'show web' clean 'stop --kill web' 'prefetch replay web' usage \
			"run --name refused $(on "$open,mode=temp")" "clone --detach --templates $T/templates base"; do
			run timeout 20 "$EXOMEM" ${words%% *} --state-dir "$directory" ${words#"${words%% *}"}
			assert_declined "'"
		done
	done
	[ ! -e "$planted/new" ]
	rmdir "$planted/ours"
	assert_safe
}

@test "16: a state directory that is exchanged on its way" {
	other mkdir -p "$planted/a" "$planted/b"
	mkdir -m 700 "$planted/a/state"
	cp -a "$T/root/folder" "$planted/a/state/old"
	other ln -s "$T/root" "$planted/link"
	other_starts "$T/bin/other_user" exchange "$planted/a" "$planted/b" 20
	other_starts "$T/bin/other_user" exchange "$planted/b" "$planted/link" 20
	end=$((SECONDS + 3))
	while [ $SECONDS -lt $end ]; do
		run timeout 20 "$EXOMEM" run --state-dir "$planted/a/state" --name refused $(on "$open,mode=temp")
		[ "$status" != 0 ]
		run timeout 20 "$EXOMEM" clean --state-dir "$planted/a/folder"
	done
	rm -rf "$planted"/[ab]/state
	assert_safe
}

@test "17: files and sockets where a state directory keeps its own" {
	other mkdir -m 700 "$open/state"
	other_sh 'cd "$0/state"; mkfifo .exomem .capacity .overcommit; mkdir web; cd web; mkfifo lock vm.json log
		echo x >control.sock' "$open"
	run timeout 20 "$EXOMEM" run --state-dir "$open/state" --name web $(on "$open,mode=temp")
	assert_declined "'$open/state'"
	run timeout 20 "$EXOMEM" list --state-dir "$open/state"
	assert_declined "'$open/state'"
	assert_safe
}

# --- templates ---

@test "18: a template of theirs that names their program" {
	plant_template "$planted/evil-template"
	for words in 'clone --dry-run' 'clone --detach' 'clone --detach -n 3' 'clone --detach --warm 2' 'template verify' \
		'template verify --deep' 'template remove' 'template remove --force' 'prefetch replay' receive; do
		run root $words "$planted/evil-template"
		assert_declined "'$planted"
	done
	run -0 root template show "$planted/evil-template"
	run -0 root template list --templates "$planted"
	[ -e "$planted/evil-template/manifest.json" ]
	[ ! -e "$theirs/ran" ]
	assert_safe
}

@test "19: a template of theirs in a sticky directory of templates, and a link to it" {
	plant_template "$open/base"
	other ln -s base "$open/link"
	other ln -s "$T/templates/base" "$open/ours"
	for name in base link ours; do
		for words in 'clone --detach' 'template verify' 'template remove' 'prefetch replay'; do
			run root $words --templates "$open" $name
			assert_declined "belongs to another user"
		done
	done
	[ ! -e "$theirs/ran" ]
	assert_safe
}

@test "20: a template that is exchanged for one of theirs while it is used" {
	plant_template "$planted/evil-template"
	cp -a "$T/templates/base" "$planted/web"
	chmod 755 "$planted/web"
	other ln -s evil-template "$planted/link"
	other_starts "$T/bin/other_user" exchange "$planted/web" "$planted/evil-template" 20
	other_starts "$T/bin/other_user" watch "$planted/web" "$planted/evil-template" "$planted/link" 20
	end=$((SECONDS + 3))
	while [ $SECONDS -lt $end ]; do
		for words in 'clone --detach' 'template verify' 'template remove' 'prefetch replay'; do
			run root $words "$planted/web"
			[ "$status" != 0 ]
		done
	done
	end_others
	rm -rf "$planted/web" "$planted/evil-template" "$planted/link"
	[ ! -e "$theirs/ran" ]
	run -0 vm template verify base
	assert_safe
}

@test "21: a manifest or a device state that is a FIFO, a link, a device or endless" {
	for plant in mkfifo mkdir 'ln -s /dev/zero' 'ln -s /dev/tty' "ln -s $T/root/secret" 'truncate -s 1T'; do
		other mkdir "$open/broken"
		other $plant "$open/broken/manifest.json"
		for words in 'clone --detach' 'template show' 'template verify' 'template remove' 'prefetch replay' receive; do
			run root $words "$open/broken"
			assert_declined "'$open/broken"
			if grep '^secret' <<<"$output"; then return 1; fi
		done
		run -0 root template list --templates "$open"
		other rm -r "$open/broken"
	done
	assert_safe
}

@test "22: memory of a template of root's that was removed, and is theirs now" {
	boot gone -mem-path "$open,mode=create,anyfs"
	run -0 root save -q gone "$try/gone"
	rm -f "$open/$file"
	other truncate -s 64M "$open/$file"
	for words in 'clone --detach' 'prefetch replay'; do
		run root $words "$try/gone"
		[ "$status" != 0 ] || [ "$words" = 'prefetch replay' ]
	done
	run root template remove "$try/gone"
	[ -e "$open/$file" ]
	assert_safe
}

@test "23: a template that is saved in a directory of theirs, where they exchange its directory" {
	mkdir "$try/bait"
	other ln -s "$T/root/folder" "$planted/link"
	for i in 1 2 3; do
		boot "saved$i" -mem-path "$try/bait,mode=create,anyfs"
		other_starts "$T/bin/other_user" watch "$planted" "$planted/link" "$planted/.saved" 20
		other_starts sh -c 'while :; do for dir in "$0"/*saved* "$0"/.*saved*; do
			[ -d "$dir" ] && mv -T "$dir" "$0/moved" && ln -s "$1" "$dir"; done; done' "$planted" "$T/root/folder"
		run root save -q "saved$i" "$planted/saved"
		assert_declined "'$planted'"
		vm stop --kill "saved$i"
		rm -rf "$try/bait"/*
	done
	run root fork -q --detach --keep web "$planted/forked"
	[ "$status" != 0 ]
	assert_safe
}

@test "24: overlays of disks in a directory of theirs" {
	truncate -s 1M "$try/disk"
	mkdir "$try/memory"
	boot disky -mem-path "$try/memory,mode=create,anyfs" -drive "file=$try/disk,format=raw,if=ide"
	run -0 root save -q disky "$try/disky"
	other ln -s "$T/root/public" "$planted/disky-1.qcow2"
	run root clone --detach --name child --disks "$planted" "$try/disky"
	assert_declined "'$planted'"
	assert_safe
}

# --- other files ---

@test "25: a recording of pages beside the memory of a guest" {
	for plant in 'ln -s /dev/zero' "ln -s $T/root/secret" mkfifo mkdir 'truncate -s 1T'; do
		other $plant "$open/made.prefetch"
		[ -e "$state/made" ] || run -0 root run --name made $(on "$open,mode=create")
		run root prefetch replay made
		assert_declined "made.prefetch"
		if grep '^secret' <<<"$output"; then return 1; fi
		run root prefetch -q record made
		rm -rf "$open/made.prefetch"
	done
	printf '{"page-size": 4096, "memory": [{"id": "\\u001b]0;x\\u0007"}]}' | other tee "$open/made.prefetch" >/dev/null
	run root prefetch replay made
	assert_declined 'made.prefetch'
	assert_safe
}

@test "26: files that look like memory nobody holds" {
	name=$(printf 'qemu_back_mem.0+4000000.\033]0;x\007')
	other truncate -s 64M "$open/$name"
	other mkfifo "$open/qemu_back_mem.fifo"
	other ln -s /dev/zero "$open/qemu_back_mem.link"
	printf '[memory]\nmemory_backing_dir = %s\nfile_backed_memory = 1024\n' "$open" >"$try/conf"
	chmod 644 "$try/conf"
	run root capacity --leaks --config "$try/conf"
	[ "$status" != 124 ]
	echo "$output"
	assert_printable
	for words in list usage clean; do run -0 root $words; done
	[ -e "$open/$name" ]
	# Nor is anything added to a file that a link of theirs leads to, or to one of theirs.
	other ln -s "$T/root/public" "$open/link"
	for name in link qemu_back_mem.fifo; do
		run root balance --once --record "$open/$name"
		assert_declined "'$open/$name' belongs to another user"
	done
	run -0 root balance --once --record "$open/ours"
	run -0 root balance --once --record "$open/ours"
	assert_safe
}

@test "27: a configuration of theirs, or one on a path that is theirs" {
	other sh -c 'echo "[memory]" >"$0/conf"; mkfifo "$0/fifo"; mkdir "$0/conf.d"' "$planted"
	echo '[memory]' >"$planted/ours"
	chmod 644 "$planted/ours"
	other ln -s "$planted/ours" "$open/link"
	for path in "$planted/conf" "$planted/fifo" "$planted/ours" "$open/link" /dev/zero; do
		run timeout 20 "$EXOMEM" config --config "$path" show
		assert_declined "'"
		run root run --name refused --config "$path" $(on "$open,mode=temp")
		assert_declined "'"
	done
	assert_safe
}

@test "28: mounts in a user namespace, and a process's own root" {
	other unshare -Urm true 2>/dev/null || skip 'no user can make a namespace here'
	other_starts unshare -Urm sh -c 'mount -t tmpfs none "$0" && mkdir -m 1777 "$0/memory" && mkdir -m 700 "$0/state" &&
		cp -r "$1" "$0/template" 2>/dev/null; echo "exomem state 2b1f1f1e-0000-4000-8000-000000000001" >"$0/state/.exomem"
		mkdir "$0/template"; touch "$0/ready"; exec sleep 60' "$planted" "$theirs"
	there=
	for i in {1..100}; do
		for pid in $(pgrep -u $uid sleep); do
			[ ! -e "/proc/$pid/root$planted/ready" ] || there=/proc/$pid/root$planted
		done
		[ -z "$there" ] || break
		sleep 0.1
	done
	[ -n "$there" ]
	for option in mode=temp mode=create; do
		run root run --name refused $(on "$there/memory,$option")
		assert_declined "'$there/memory'"
	done
	run timeout 20 "$EXOMEM" list --state-dir "$there/state"
	assert_declined "'"
	run timeout 20 "$EXOMEM" run --state-dir "$there/state" --name refused $(on "$open,mode=temp")
	assert_declined "'"
	for words in 'clone --detach' 'template remove' receive; do
		run root $words "$there/template"
		assert_declined "'"
	done
	# What they mount over root's directories is in their namespace alone.
	other_sh 'unshare -Urm sh -c "mount -t tmpfs none $0; cat $0/*; umount $0; cat $0/*"' "$sticky"
	assert_safe
}

@test "29: what root asks QEMU binaries is not answered by a cache of theirs" {
	other mkdir -p "$planted/cache"
	cp "$T"/cache/exomem/probe-*.json "$planted/cache" 2>/dev/null || cp /var/cache/exomem/probe-*.json "$planted/cache"
	sed -i 's/"version": "[^"]*"/"version": "1.2.3"/' "$planted"/cache/*
	chown -R $uid:$uid "$planted/cache"
	other cp -r "$planted/cache" "$planted/exomem"
	run env XDG_CACHE_HOME="$planted" timeout 60 "$EXOMEM" probe
	if grep 1.2.3 <<<"$output"; then return 1; fi
	other rm -r "$planted/exomem"
	other ln -s "$T/root/folder" "$planted/exomem"
	run -0 env XDG_CACHE_HOME="$planted" timeout 60 "$EXOMEM" probe
	other rm "$planted/exomem"
	other mkdir "$planted/exomem"
	other cp "$planted"/cache/* "$planted/exomem"
	for plant in mkfifo 'ln -s /dev/zero' mkdir; do
		other_sh 'cd "$0/exomem"; for file in *; do rm -r "$file"; $1 "$file"; done' "$planted" "$plant"
		run env XDG_CACHE_HOME="$planted" timeout 60 "$EXOMEM" probe
		[ "$status" = 0 ]
	done
	assert_safe
}

@test "30: a guest that another user hands over" {
	plant_template "$planted/guest"
	sed -i '1s/{/{ "uuid": "2b1f1f1e-0000-4000-8000-000000000001",/' "$planted/guest/manifest.json"
	for plant in mkfifo 'ln -s /dev/zero' "ln -s $T/root/secret"; do
		other rm -f "$planted/guest/token"
		other $plant "$planted/guest/token"
		run root receive "$planted/guest"
		assert_declined "'$planted"
	done
	[ ! -e "$theirs/ran" ]
	assert_safe
}

@test "the guest and the template are what they were" {
	assert_filled web 8M 7
	run -0 vm template verify base
	run -0 vm clone --detach --name child base
	assert_filled child 8M 7
	assert_safe
}

# There, all of root's is the overflow user's, as all of anybody else's is.
@test "a user whose namespace has no root can use directories of their own" {
	other unshare -Ur true 2>/dev/null || skip 'no user can make a namespace here'
	above=$(mktemp -d /run/two-users.XXXXXX)
	chmod 755 "$above"
	mkdir "$above/theirs"
	mkdir -m 1777 "$above/sticky"
	mkdir "$above/sticky/ours"
	chown $uid:$uid "$above/theirs"
	other mkdir "$above/sticky/theirs"
	for directory in theirs sticky/theirs sticky/ours; do
		other unshare -Ur "$T/bin/exomem" list --state-dir "$above/$directory/state" >"$T/found" 2>&1 ||
			sed 's/^/refused: /' "$T/found"
	done >"$T/said"
	rm -r "$above"
	cat "$T/said"
	# What is in a sticky directory may be anybody's.
	[ "$(grep -c ^refused "$T/said")" = 1 ]
	grep -F "'$above/sticky/ours' belongs to another user" "$T/said"
}
