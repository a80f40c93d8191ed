#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# save_kill.bats - save and clone, killed at each step.
#
# What may be left of a save is a guest that runs on, or a whole template and no guest; of a clone,
# children that run and are listed.

# Words are split on purpose ($tiny); bats and helper.bash set the other variables.
# shellcheck disable=SC2030,SC2031,SC2034,SC2046,SC2086,SC2091,SC2154

load helper

tiny="-accel tcg -nodefaults -display none -M q35 -m 64 -kernel $GUEST -serial stdio"
block='qemu_back_mem.0+4000000.pc.ram'

# System calls of save that change something outside of it: each step is written to a record by pwrite(),
# and QEMU is sent commands by sendmsg().
save_calls='clone linkat mkdir pidfd_open pwrite64 rename sendmsg write'

# Living processes of this test. A tracer is none.
ours() {
	for pid in $(pgrep -f -- "$T/"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in '' | strace) ;; *) echo "$pid" ;; esac
	done
}

# Those of them that are still at a save or a clone.
workers() {
	for pid in $(ours); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != exomem ] || echo "$pid"
	done
}

qemus() {
	for pid in $(ours); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in qemu-*) echo "$pid" ;; esac
	done
}

teardown() {
	for pid in $(ours) $pids; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	# Those that were killed are a while in letting go of their files.
	wait_no_process
	if mountpoint -q "$memory"; then umount "$memory"; fi
	rm -rf "$T"
}

# A verb on this test's guests. Descriptor 3 is bats' own, which would wait for a guest to close it.
vm() { # VERB ARGUMENT...
	verb=$1
	shift
	"$EXOMEM" "$verb" --state-dir "$state" "$@" 3>&-
}

status_of() { # NAME
	vm qmp "$1" query-status 2>/dev/null | jq -r .status
}

pid_of() { # NAME
	jq .pid "$state/$1/vm.json"
}

# Says a line to a detached guest, and waits until its log has the answer. Who hangs up earlier takes
# back what the guest has not read yet; who does not read stops the guest's output.
tell() { # NAME LINE ANSWER
	{
		echo "$2"
		wait_for "$state/$1/log" "$3"
	} > >(socat - "UNIX-CONNECT:$state/$1/console.sock" >/dev/null)
}

# Starts the guest that is to be saved, with something in its memory.
boot() { # MEMORY-OPTION
	vm run --detach --name web $tiny -mem-path "$memory,anyfs$1" >/dev/null
	wait_for "$state/web/log" 'tiny: up'
	tell web 'fill 16M 7' 'filled 16 MiB key 7'
}

# Until the processes of a save or clone have ended, those that were left to clear up included.
wait_workers() {
	deadline=$((SECONDS + 10))
	while [ -n "$(workers)" ]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo 'still at work:'
			ps -o pid,ppid,stat,etime,args -p "$(workers | paste -sd,)"
			return 1
		fi
		sleep 0.02
	done
}

wait_no_process() {
	deadline=$((SECONDS + 5))
	while [ -n "$(ours)" ]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo 'still running:'
			ps -o pid,ppid,stat,args -p "$(ours | paste -sd,)"
			return 1
		fi
		sleep 0.02
	done
}

# No template, no half of one, and no mark beside a memory file that it would have had.
assert_no_template() { # NAME
	left=$(find "$T/templates" -mindepth 1 -maxdepth 1 -name "*$1*" 2>/dev/null)
	left+=$(find "$memory" -name '*.template')
	[ -z "$left" ] || {
		echo 'a template, or half of one:'
		ls -lAR "$T/templates" "$memory"
		return 1
	}
}

# A guest as it was before somebody tried to save it.
assert_unharmed() { # NAME
	[ "$(status_of "$1")" = running ] || {
		echo "guest $1 is '$(status_of "$1")', and does not run"
		return 1
	}
}

# A template that children can be made of, with the memory of its parent. Then it goes.
use_up() { # TEMPLATE
	"$EXOMEM" template verify "$1" || return 1
	vm clone --detach --name heir "$1" || return 1
	[ "$(status_of heir)" = running ] || return 1
	tell heir 'verify 16M 7' 'verified 16 MiB key 7|mismatch' || return 1
	run ! grep -a mismatch "$state/heir/log"
	vm stop --kill heir
	vm template remove "$1" || return 1
}

# After a save of $1 into $2 was killed: guest or template, and nothing else.
check_saved() { # NAME TEMPLATE
	wait_workers || return 1
	vm list -q >"$T/listed"
	if [ -e "$2" ]; then
		saved=$((saved + 1))
		run ! grep -x "$1" "$T/listed"
		use_up "$2" || return 1
	else
		lived=$((lived + 1))
		assert_no_template "$(basename "$2")" || return 1
		assert_unharmed "$1" || return 1
	fi
	[ "$(qemus | wc -l)" = "$(vm list -q | wc -l)" ]
}

# The calls of a program that was traced, from the first that matches: "CALL N" for the Nth CALL.
number_calls() { # FIRST CALL...
	first=$1
	shift
	sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$T/trace" | awk '{ print $1, ++n[$1] }' |
		sed -n "/^$first /,\$p" | grep -wE "$(echo "$@" | tr -s ' ' '|')"
}

trace() { # COMMAND...
	strace -qq -e signal=none -o "$T/trace" "$@" >/dev/null 3>&-
}

# Kills a program as it enters a call for the Nth time.
kill_at() { # CALL N COMMAND...
	call=$1 n=$2
	shift 2
	timeout -s KILL 30 strace -qq -o /dev/null -e "trace=$call" -e signal=none -e "inject=$call:signal=KILL:when=$n" \
		"$@" >/dev/null 2>&1 3>&- </dev/null || true
}

# Every Nth line, and the last.
stride() { # N
	awk -v n="$1" 'NR % n == 1 { print; last = ""; next } { last = $0 } END { if (last) print last }'
}

# Kills saves of a guest at the calls in $T/calls. Where it has become a template, another is made.
sweep_save() { # NAME MAKE-GUEST...
	name=$1
	shift
	kills=0 lived=0 saved=0
	while read -r call n; do
		[ -e "$state/$name" ] || "$@"
		kill_at "$call" "$n" "$EXOMEM" save --state-dir "$state" "$name" "$T/templates/new"
		kills=$((kills + 1))
		check_saved "$name" "$T/templates/new" || {
			echo "after SIGKILL at $call number $n"
			return 1
		}
	done <"$T/calls"
}

# On a busy machine a save may have more calls: goes on from the last one until the template was whole.
sweep_on_until_saved() { # NAME MAKE-GUEST...
	local last
	last=$(tail -n 1 "$T/calls")
	until [ "$saved" -gt 0 ]; do
		[ "$kills" -lt 200 ]
		last="${last% *} $((${last#* } + 1))"
		echo "$last" >"$T/calls"
		all_lived=$lived all_kills=$kills
		sweep_save "$@"
		lived=$((all_lived + lived)) kills=$((all_kills + kills))
	done
}

# --- save ---

@test "SIGKILL at each call of a save: the guest goes on, or the template is whole" {
	need_strace
	boot ,mode=create,mmap=shared,discard=on
	trace "$EXOMEM" save --state-dir "$state" web "$T/templates/new"
	assert_holds "$memory" "$block" "$block.template"
	use_up "$T/templates/new"
	assert_empty "$memory"
	number_calls pipe2 $save_calls >"$T/calls"
	sweep_save web boot ,mode=create,mmap=shared,discard=on
	[ "$kills" -gt 25 ]
	[ "$lived" -gt 15 ]
	[ "$saved" -gt 3 ]
	# Nor has one that lived through all that lost anything.
	[ -e "$state/web" ] || boot ,mode=create,mmap=shared,discard=on
	tell web 'verify 16M 7' 'verified 16 MiB key 7'
	vm qmp web query-migrate-capabilities |
		jq -e 'all(.[]; .capability != "x-ignore-shared" or .state == false)'
	[ "$(stat -c %a "$memory/$block")" = 600 ]
}

# The kernel gives a file no name again that had one and lost it.
forget_guest() {
	[ ! -e "$state/web" ] || vm stop --kill web
}

@test "SIGKILL at a call of a save of memory in a file without name" {
	need_strace
	boot ''
	trace "$EXOMEM" save --state-dir "$state" web "$T/templates/new"
	use_up "$T/templates/new"
	number_calls pipe2 $save_calls | stride 6 >"$T/all"
	total=0
	while read -r line; do
		forget_guest
		boot ''
		echo "$line" >"$T/calls"
		sweep_save web false
		total=$((total + saved))
		assert_empty "$memory"
	done <"$T/all"
	[ "$total" -gt 0 ]
}

@test "a guest that was saved in vain can be saved" {
	need_strace
	boot ''
	# The manifest is renamed first, then the template.
	kill_at rename 2 "$EXOMEM" save --state-dir "$state" web "$T/templates/new"
	check_saved web "$T/templates/new"
	[ "$lived" = 1 ]
	vm save web "$T/templates/new"
	use_up "$T/templates/new"
}

@test "a save that fails takes away nothing of a template that was there" {
	need_qemu
	need_root 'mounts tmpfs'
	mount -t tmpfs -o size=256m,mode=0700 none "$memory"
	# The memory stays where it is, beside that of another template of the same name.
	boot ''
	vm save -q web "$T/one/same"
	"$EXOMEM" template verify "$T/one/same"
	boot ''
	vm save -q web "$T/two/same" || [ "$(status_of web)" = running ]
	"$EXOMEM" template verify "$T/one/same"
}

# A template, and a guest of it whose memory is its own.
make_base() {
	boot ''
	vm save -q web "$T/templates/base"
}

make_child() {
	vm clone --detach --name web "$T/templates/base"
}

@test "SIGKILL at a call of a save of a child, whose memory is written out" {
	need_strace
	make_base
	make_child
	trace "$EXOMEM" save --state-dir "$state" web "$T/templates/new"
	use_up "$T/templates/new"
	number_calls pipe2 $save_calls | stride 6 >"$T/calls"
	sweep_save web make_child
	sweep_on_until_saved web make_child
	[ "$lived" -gt 5 ]
	[ "$saved" -gt 0 ]
	[ ! -e "$state/web" ] || vm stop --kill web
	vm template remove "$T/templates/base"
	assert_empty "$T/templates"
}

# Begins a save that stops before its Nth step: $saver is its process. Fails where it ends before.
begin_save() { # N
	rm -f "$T/trace"
	strace -qq -o "$T/trace" -e trace=pwrite64 -e signal=STOP -e "inject=pwrite64:signal=STOP:when=$1" \
		"$EXOMEM" save --state-dir "$state" web "$T/templates/new" >"$T/out" 2>"$T/err" 3>&- </dev/null &
	tracer=$!
	pids="$pids $tracer"
	deadline=$((SECONDS + 10))
	until grep -q 'stopped by SIGSTOP' "$T/trace" 2>/dev/null; do
		kill -0 "$tracer" 2>/dev/null || return 1
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.02
	done
	saver=$(pgrep -P "$tracer")
}

# Lets it go on: $rc is its exit status.
end_save() {
	kill -CONT "$saver"
	rc=0
	wait "$tracer" || rc=$?
	echo "exit $rc: $(cat "$T/err")"
}

@test "SIGKILL of the process that guards a save: the guest goes on, or the template is whole" {
	need_strace
	lived=0 saved=0
	for ((n = 1; ; n++)); do
		[ -e "$state/web" ] || boot ,mode=create,mmap=shared,discard=on
		begin_save "$n" || break
		# At the last writes it has gone already.
		guard=$(pgrep -P "$saver") && kill -KILL "$guard"
		end_save
		[ "$rc" = 0 ] || [ "$(wc -l <"$T/err")" = 1 ]
		check_saved web "$T/templates/new" || {
			echo "after SIGKILL of the guard at step $n"
			return 1
		}
	done
	[ "$lived" -gt 3 ]
}

@test "SIGKILL of QEMU while it is saved: an error and nothing left, or a whole template" {
	need_strace
	failed=0
	# Later, the template has all that is QEMU's.
	for ((n = 1; n < 9; n++)); do
		boot ,mode=create,mmap=shared,discard=on
		begin_save "$n" || break
		[ -e "$state/web" ] || break
		kill -KILL "$(pid_of web)"
		# Another command sweeps what a dead guest left, and that may be in the middle of a save.
		vm clean
		end_save
		wait_workers
		[ -z "$(vm list -q)" ]
		wait_no_process
		if [ "$rc" = 0 ]; then
			use_up "$T/templates/new"
		else
			failed=$((failed + 1))
			[ "$(wc -l <"$T/err")" = 1 ]
			assert_no_template new
			assert_holds "$memory" "$block"
			rm "$memory/$block"
		fi
		vm clean
		assert_guests
	done
	[ "$failed" -gt 3 ]
}

# --- clone ---

# After a clone was killed: each child runs and is listed, and holds what nobody holds without it.
check_cloned() {
	wait_workers || return 1
	vm clean >/dev/null
	vm list --json >"$T/listed"
	ran=$((ran + $(jq length "$T/listed")))
	[ "$(jq -r '.[] | select(.status == "running").pid' "$T/listed" | sort)" = "$(qemus | sort)" ] || {
		echo 'children, and processes:'
		jq -c '.[] | [.name, .pid, .status]' "$T/listed"
		ps -o pid,ppid,stat,etime,args -p "$(ours | paste -sd,)"
		return 1
	}
	assert_guests $(jq -r '.[].name' "$T/listed") || return 1
	if [ "$(jq length "$T/listed")" != 0 ]; then
		run vm template remove "$T/templates/base"
		assert_refused 5 'is in use by' || return 1
	fi
	vm stop --kill --all
	wait_no_process || return 1
	assert_guests || return 1
	for file in devices "$block"; do
		flock -n "$T/templates/base/$file" true || return 1
	done
	"$EXOMEM" template verify "$T/templates/base"
}

clone() {
	echo "$EXOMEM clone --detach --state-dir $state --name child $* $T/templates/base"
}

clone_calls='clone close exit_group poll prctl wait4 write'

# Kills clones at the calls in $T/calls.
sweep_clone() { # CLONE-ARGUMENT...
	ran=0
	while read -r call n; do
		kill_at "$call" "$n" $(clone "$@")
		check_cloned || {
			echo "after SIGKILL at $call number $n"
			return 1
		}
	done <"$T/calls"
}

@test "SIGKILL at each call of a clone: a child that runs, or nothing" {
	need_strace
	make_base
	trace $(clone)
	ran=0
	check_cloned
	[ "$ran" = 1 ]
	number_calls clone $clone_calls >"$T/calls"
	sweep_clone
	[ "$ran" -gt 3 ]
	vm template remove "$T/templates/base"
	assert_empty "$T/templates"
}

@test "SIGKILL at a call of a clone of three: those that are left run" {
	need_strace
	make_base
	trace $(clone -n 3)
	ran=0
	check_cloned
	[ "$ran" = 3 ]
	number_calls signalfd4 $clone_calls | stride 5 >"$T/calls"
	sweep_clone -n 3
	[ "$ran" -gt 3 ]
	vm template remove "$T/templates/base"
}

@test "SIGKILL of a clone of three at any time" {
	need_qemu
	make_base
	ran=0
	for pause in 0.01 0.03 0.05 0.08 0.13 0.2; do
		timeout --foreground -s KILL "$pause" $(clone -n 3) >/dev/null 2>&1 3>&- </dev/null || true
		check_cloned || {
			echo "after SIGKILL after $pause s"
			return 1
		}
	done
	vm template remove "$T/templates/base"
}

# Children of a process that have not become QEMU.
workers_of() { # PID
	pgrep -x -P "$1" exomem || true
}

@test "SIGKILL of a clone's whole job at any time" {
	need_qemu
	make_base
	ran=0
	for pause in 0.01 0.03 0.05 0.08; do
		setsid $(clone -n 3) >/dev/null 2>&1 3>&- </dev/null &
		main=$!
		sleep "$pause"
		kill -KILL -- "-$main" 2>/dev/null || true
		wait "$main" 2>/dev/null || true
		check_cloned || {
			echo "after SIGKILL after $pause s"
			return 1
		}
	done
	vm template remove "$T/templates/base"
}

# Kills what starts children for a clone, at a moment after the first was there: $killed of them, and
# $rc is its status.
kill_workers() { # PAUSE CLONE-ARGUMENT...
	pause=$1
	shift
	$(clone "$@") >"$T/out" 2>"$T/err" 3>&- </dev/null &
	main=$!
	until [ -n "$(workers_of "$main")" ]; do kill -0 "$main" 2>/dev/null || break; done
	sleep "$pause"
	killed=0
	for worker in $(workers_of "$main"); do
		if kill -KILL "$worker" 2>/dev/null; then killed=$((killed + 1)); fi
	done
	rc=0
	wait "$main" || rc=$?
	echo "after $pause s: killed $killed, exit $rc: $(cat "$T/err")"
}

@test "SIGKILL of a process that starts a child: an error, and the others run" {
	need_qemu
	make_base
	ran=0 met=0 tries=0
	pauses=(0 0 0.02 0.05 0.1)
	# On a busy machine they may be gone before they are found.
	until [ "$tries" -ge 5 ] && [ "$met" -gt 0 ]; do
		[ "$tries" -lt 30 ]
		kill_workers "${pauses[tries % 5]}" -n 4 --jobs 2
		tries=$((tries + 1))
		if [ "$rc" != 0 ]; then
			met=$((met + 1))
			[ "$rc" = 1 ]
			[ "$(wc -l <"$T/err")" = 1 ]
			grep -q 'the process that started it was killed' "$T/err"
		fi
		[ "$(sort "$T/out")" = "$(vm list -q)" ]
		check_cloned
	done
	vm template remove "$T/templates/base"
}

# Kills it at every second call, from the first or the second on.
kill_in_foreground() { # 1|2
	need_strace
	make_base
	strace -qq -e signal=none -o "$T/trace" "$EXOMEM" clone --state-dir "$state" --name child \
		"$T/templates/base" >/dev/null 2>&1 3>&- </dev/null &
	tracer=$!
	deadline=$((SECONDS + 20))
	until [ "$(status_of child)" = running ]; do
		[ "$SECONDS" -lt "$deadline" ]
		sleep 0.05
	done
	vm stop --kill child
	wait "$tracer" || true
	# The second execve() is the start of QEMU.
	sed -i '1!{ /^execve/q }' "$T/trace"
	number_calls mkdirat bind chdir clone fcntl listen pidfd_open pipe2 prctl rename wait4 |
		stride 3 | sed -n "$1~2p" >"$T/calls"
	[ "$(wc -l <"$T/calls")" -gt 5 ]
	ran=0
	while read -r call n; do
		kill_at "$call" "$n" "$EXOMEM" clone --state-dir "$state" --name child "$T/templates/base" &
		# A call that it does not come to this time: the child runs, and is told to end.
		while kill -0 $! 2>/dev/null; do
			[ "$(status_of child)" != running ] || vm stop --kill child
			sleep 0.1
		done
		check_cloned || {
			echo "after SIGKILL at $call number $n"
			return 1
		}
	done <"$T/calls"
	[ "$ran" = 0 ]
	vm template remove "$T/templates/base"
}

@test "SIGKILL at each call of a clone in the foreground: nothing is left" {
	kill_in_foreground 1
}

@test "SIGKILL at each call of a clone in the foreground: nor at those in between" {
	kill_in_foreground 2
}
