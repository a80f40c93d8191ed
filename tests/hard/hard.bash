# SPDX-License-Identifier: GPL-2.0-or-later
# hard.bash - a verb of exomem whose every system call fails in turn, or is followed by a SIGKILL.
#
# A file of tests defines, and then calls `fault_sweep NAME`:
#   prepare         makes what the verb works on, where it is not there as it should be
#   set_command     sets the array $command
#   check_done      after exit status 0: all is as the verb promises
#   check_failed    after another: nothing has changed, and nothing is lost
#   check_killed    after SIGKILL, of the process, its group or all that it has forked: either of both
#   check_guest_killed  after SIGKILL of the guest web's QEMU; where there is no such function, it is not killed
# A check calls `complain KIND TEXT` for what is not right.  Whatever it leaves is prepared anew.
#
# The order of the cases is drawn from $SEED, one of each kind of call and failure before the next, and
# kept in $STORE; $SEED goes on there where it stopped, with what failed first.

# Words are split on purpose; bats and helper.bash set the other variables.
# shellcheck disable=SC2011,SC2034,SC2086,SC2154,SC2206

load ../integration/helper
load ../integration/template
load ../integration/migrate
load ../integration/pmem

# Seconds that a verb may take.
limit=${PATIENCE:-10}
# What runs before the verb and is not traced: words.
outside=()

# Which failures a kind of call is given.
failures() { # KIND
	case $1 in
	openat) echo EMFILE EIO ENOMEM ENOSPC EINTR ;;
	write | pwrite) echo ENOSPC EIO EINTR short ;;
	fsync | fdatasync) echo EIO ENOSPC EINTR ;;
	unlink) echo EIO ENOMEM ;;
	rename | link) echo ENOSPC EIO ENOMEM ;;
	ftruncate | fallocate | ficlone) echo ENOSPC EIO EINTR ;;
	flock) echo EINTR ENOMEM EIO ;;
	mmap) echo ENOMEM ;;
	fork) echo EAGAIN ENOMEM ;;
	execve) echo ENOMEM EIO ;;
	socket) echo EMFILE ENOMEM ;;
	connect) echo EINTR EAGAIN ENOMEM ;;
	sendmsg | recvmsg) echo ENOMEM EIO EINTR short ;;
	esac
}

# Whom SIGKILL is sent after a call.
killed='kill group all others'

# What is done to each call of a kind.
actions() { # KIND
	failures "$1"
	echo "$killed"
	! declare -F check_guest_killed >/dev/null || echo guest
}

# The cases of $T/counts, in the order that the seed gives: lines KIND K ACTION.
list_cases() {
	while read -r kind count; do
		for action in $(actions "$kind"); do
			echo "$kind $count $action"
		done
	done <"$T/counts" | awk -v seed="$SEED" '
		BEGIN { srand(seed) }
		{
			for (i = 1; i <= $2; i++)
				k[i] = i
			for (i = $2; i >= 1; i--) {
				j = 1 + int(rand() * i)
				print $2 - i, rand(), $1, k[j], $3
				k[j] = k[i]
			}
		}' | sort -k1,1n -k2,2 | cut -d' ' -f3-
}

# Names and sizes of what the verb may not change. A log grows by itself, a lock that is never removed is no
# remains, and what is known of guests that have ended goes with the next clean.
snapshot() {
	find "$memory" "$T/templates" "$T/there" "$state" -mindepth 1 '(' -name .exomem -o -name .ended ')' -prune -o \
		-type f -not -name log -not -name .balance.lock -printf '%p %s\n' -o -type d -printf '%p\n' 2>/dev/null | sort
}

complain() { # lost|hung|wrong TEXT
	printf '%s: %s: %s\n' "$1" "$case" "$2" >>"$found"
	complaints=$((complaints + 1))
	{
		printf '# %s: %s %s\n' "$1" "$verb" "$case"
		printf '%s\n' "$2" | sed 's/^/#   /'
		sed 's/^/#   met: /' "$T/met"
		sed "s/^/#   exit $rc: /" "$T/err" | head -n 4
	} >&3
}

# Processes of a verb; those that keep the logs of guests have other names.
wait_verb_gone() {
	local deadline=$((SECONDS + limit)) pid working
	while :; do
		working=''
		for pid in $(ours); do
			case $(cat "/proc/$pid/comm" 2>/dev/null) in exomem) working+=" $pid" ;; esac
		done
		[ -n "$working" ] || return 0
		[ "$SECONDS" -lt "$deadline" ] || break
		sleep 0.02
	done
	complain hung "still at work: $(ps -o pid=,ppid=,stat=,args= -p ${working// /,} | cut -c 1-150)"
	kill -KILL $working 2>/dev/null || true
}

# Fails unless the living guests' processes are those that are listed.
check_processes() {
	local deadline=$((SECONDS + 5)) listed running pid
	while :; do
		listed=$({ vm list --json; [ ! -e "$T/there" ] || there vm list --json; } 2>/dev/null |
			jq -r '.[].pid' | sort -n | xargs)
		running=''
		for pid in $(ours); do
			case $(cat "/proc/$pid/comm" 2>/dev/null) in qemu-*) running+="$pid " ;; esac
		done
		running=$(echo $running | tr ' ' '\n' | sort -n | xargs)
		[ "$listed" != "$running" ] || return 0
		[ "$SECONDS" -lt "$deadline" ] || break
		sleep 0.05
	done
	complain lost "guests listed: ${listed:-none}; QEMUs: ${running:-none}"
}

# Nothing may differ from before. `clean` is how a user gets rid of the remains of dead guests.
check_unchanged() {
	local edit=''
	# A write-back that failed is recorded in the guest's record and its copy.
	case $case in fsync\ * | fdatasync\ *) edit='s,/\(vm\.json\|lock\) [0-9]*$,/\1,' ;; esac
	vm clean >/dev/null 2>&1 || complain wrong 'exomem clean fails'
	snapshot | sed "$edit" | diff <(sed "$edit" "$T/before") - >"$T/changed" ||
		complain lost "left or gone: $(grep '^[<>]' "$T/changed" | sed "s|$T/||" | head -n 8)"
}

check_filled() { # NAME
	assert_filled "$1" 8M 7 >"$T/answer" 2>&1 || complain lost "memory: $(head -n 3 "$T/answer")"
}

# One of the statuses that exomem(1) has, and one line that says why; the other host may say why, too.
check_message() {
	local lines
	lines=$(grep -vcE '^exomem (receive|clean): ' "$T/err")
	[ "${command[1]-}" != receive ] || lines=$(wc -l <"$T/err")
	case $rc in
	1 | 3 | 4 | 5) ;;
	# The user's path cannot be opened.
	2) grep -q "cannot open '.*': .*, and so '.*' is not safe" "$T/err" || complain wrong 'exit status 2' ;;
	*) complain wrong "exit status $rc" ;;
	esac
	[ "$lines" = 1 ] || complain wrong "$lines lines on stderr"
	grep -qE '^exomem [a-z]+: .*[a-z]' "$T/err" || complain wrong 'no message'
}

# Runs the verb under fault.c; what these are, see there.
run_fault() { # REPORT SECONDS ACTION...
	set_command
	"${outside[@]}" "$FAULT" "$@" "${command[@]}" >"$T/out" 2>"$T/err" </dev/null 3>&- 4>&- 8>&-
}

# What was killed with all that watched it is mended by the next command on that host, which says so.
mend() {
	vm clean >/dev/null 2>>"$T/err"
	[ ! -e "$T/there" ] || there vm clean >/dev/null 2>>"$T/err"
}

# Runs the verb with one fault, and looks at what it has left.
try() { # KIND K ACTION
	case="$1 $2 $3" action=$3
	complaints=0 rc=0
	prepare || return 1
	snapshot >"$T/before"
	FAULT_GUEST=$(pid_of web 2>/dev/null || true)
	export FAULT_GUEST
	run_fault "$T/met" "$limit" "$@" || rc=$?
	if [ ! -s "$T/met" ]; then
		unmet=$((unmet + 1))
	elif [[ " $killed guest " = *" $3 "* ]]; then
		kills=$((kills + 1))
	else
		faults=$((faults + 1))
	fi
	! grep -qx late "$T/met" || complain hung "not done in $limit s"
	wait_verb_gone
	# Of the others, one may be the verb itself, and another the process that watches it.
	case $3:$rc in all:* | others:137) mend ;; esac
	case $3:$rc in
	guest:0) check_guest_killed ;;
	*:0) check_done ;;
	*:124) ;;
	*:137) check_killed ;;
	guest:*)
		check_message
		check_guest_killed
		;;
	*)
		check_message
		check_failed
		;;
	esac
	[ "$complaints" = 0 ] || {
		wrong=$((wrong + 1))
		printf '%s\n' "$*" >>"$again"
		start_over
	}
}

# Whether it is the only guest, and no earlier fault was a sign of lost memory, for which it is refused.
is_fit() { # NAME
	[ "$(vm list -q 2>/dev/null)" = "$1" ] && ! grep -q '"memory-error"' "$state/$1/vm.json"
}

# Nothing of this test is left. A file of tests may do more.
start_over() {
	stop_all
}

stop_all() {
	local pid
	for pid in $(ours); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	sleep 0.2
	rm -rf "$state" "${memory:?}"/* "$T/templates" "$T/there" "$T/claims"
}

# The whole of it, for $SHARE seconds.
fault_sweep() { # NAME
	need_qemu
	verb=$1
	local cases=$STORE/$SEED-$verb.cases done_file=$STORE/$SEED-$verb.done
	again=$STORE/$SEED-$verb.again found=$STORE/$SEED-$verb.found
	local stop_at_second=$((SECONDS + SHARE)) line start=0 rc total
	faults=0 kills=0 unmet=0 wrong=0
	mkdir -p "$STORE"
	: >"$found"
	"$EXOMEM" probe >/dev/null
	prepare
	if [ ! -e "$cases" ]; then
		rc=0
		run_fault "$T/counts" 60 count || rc=$?
		[ "$rc" = 0 ] || {
			echo "without a fault: exit $rc: $(cat "$T/err")"
			return 1
		}
		list_cases >"$cases"
		start_over
	fi
	[ ! -e "$done_file" ] || start=$(cat "$done_file")
	total=$(wc -l <"$cases")
	{
		[ ! -e "$again" ] || cat "$again"
		tail -n +$((start + 1)) "$cases"
	} >"$T/cases"
	local first=0
	[ ! -e "$again" ] || first=$(wc -l <"$again")
	rm -f "$again"
	while read -r line <&8 && [ "$SECONDS" -lt "$stop_at_second" ]; do
		try $line || {
			echo "cannot prepare for $line"
			return 1
		}
		if [ "$first" -gt 0 ]; then first=$((first - 1)); else start=$((start + 1)); fi
		echo "$start" >"$done_file"
	done 8<"$T/cases"
	{
		printf '# %s: %s faults, %s kills, %s not met, ' "$verb" "$faults" "$kills" "$unmet"
		awk -F: '{ n[$1]++ } END {
			printf "%d lost, %d hung, %d wrongly reported; ", n["lost"], n["hung"], n["wrong"]
		}' "$found"
		echo "$start of $total cases (SEED=$SEED)"
	} | tee "$STORE/$SEED-$verb.sum" >&3
	[ "$wrong" = 0 ]
}
