# SPDX-License-Identifier: GPL-2.0-or-later
# template.bash - guests to save, templates, and their children, for save, clone and template.
#
# Templates are in $T/templates. Loaded behind helper.bash.

# bats and helper.bash set the other variables; words are split on purpose ($tiny).
# shellcheck disable=SC2034,SC2086,SC2154

file='qemu_back_mem.0+4000000.pc.ram'
tiny="-accel tcg -nodefaults -display none -M q35 -m 64 -kernel $GUEST -serial stdio"

# A verb on this test's guests and templates. Descriptor 3 is bats' own, which would wait for guests
# to close it.
vm() { # VERB ARGUMENT...
	local verb=$1
	shift
	case $verb in
	save | clone | fork | template) set -- --templates "$T/templates" "$@" ;;
	esac
	"$EXOMEM" "$verb" --state-dir "$state" "$@" 3>&-
}

pid_of() { # NAME
	jq .pid "$state/$1/vm.json"
}

# Starts a guest that can be saved, and waits until it is up; $run_options are for exomem.
boot() { # NAME EXOMEM-RUN-ARGUMENT...
	local name=$1
	shift
	"$EXOMEM" run --detach --state-dir "$state" --name "$name" ${run_options-} $tiny "$@" \
		3>&- >/dev/null
	wait_for "$state/$name/log" 'tiny: up'
}

# Says a line to a guest's console and prints the answer.  The console is not run by timeout(1): that
# one, killed before it knows its own child's pid, leaves the child.
ask() { # NAME TEXT PATTERN
	local rc=0
	coproc "$EXOMEM" console --state-dir "$state" "$1" 2>&1 3>&-
	local console=$COPROC_PID
	echo "$2" >&"${COPROC[1]}"
	timeout "${ask_seconds-30}" grep -m 1 -aE -- "$3" <&"${COPROC[0]}" || rc=$?
	kill "$console" 2>/dev/null || true
	wait "$console" 2>/dev/null || true
	return "$rc"
}

fill() { # NAME SIZE KEY
	ask "$1" "fill $2 $3" "^filled .* key $3" >/dev/null
}

# Fails unless the guest's memory holds what `fill` wrote.
assert_filled() { # NAME SIZE KEY
	local answer
	answer=$(ask "$1" "verify $2 $3" '^(verified|mismatch)')
	[[ "$answer" == verified*" key $3" ]] || {
		echo "$1: $answer"
		return 1
	}
}

sum() { # NAME SIZE
	ask "$1" "sum $2" '^sum '
}

dirty() { # NAME SIZE KEY
	ask "$1" "dirty $2 $3" "^dirtied .* key $3" >/dev/null
}

# Boots a guest on memory that children can share, fills 8 MiB with key 7, and saves it under its name.
boot_and_save() { # NAME EXOMEM-RUN-ARGUMENT...
	boot "$1" -mem-path "$memory,mode=create,anyfs" "${@:2}"
	fill "$1" 8M 7
	vm save -q "$1" >/dev/null
}

# What --trust takes.
manifest_sum() { # TEMPLATE-DIRECTORY
	sha256sum "$1/manifest.json" | cut -d' ' -f1
}

status_of() { # NAME
	vm qmp "$1" query-status | jq -r .status
}

# Fails unless the guest still runs, answers, and has the 8 MiB that it had.
assert_unharmed() { # NAME
	[ "$(status_of "$1")" = running ]
	assert_filled "$1" 8M 7
}

# Waits until a guest that was killed or told to end is gone, and takes its leftovers away.
forget() { # NAME...
	vm stop --kill "$@"
	vm list -q >/dev/null
}

# A zombie that nobody reaps has ended too.
has_ended() { # PID
	[ ! -e "/proc/$1" ] || [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat")" = Z ]
}

assert_no_process() {
	deadline=$((SECONDS + 5))
	while [ -n "$(ours)" ]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo 'still running:'
			ps -o pid,ppid,stat,args -p "$(ours | paste -sd,)"
			return 1
		fi
		sleep 0.05
	done
}

# --- a verb that is stopped on its way ---

# Starts an exomem, and stops it as soon as it says that it begins a step: $main is its process, and
# $T/err what it says from then on.
stop_at() { # STEP EXOMEM [ARGUMENT]...
	local line
	rm -f "$T/trace"
	mkfifo "$T/trace"
	EXOMEM_DEBUG=act "${@:2}" >"$T/out" 2>"$T/trace" 3>&- 4>&- </dev/null &
	main=$!
	exec 7<"$T/trace"
	while read -r line <&7; do
		case $line in *" $1 "*)
			kill -STOP "$main" 2>/dev/null || true
			break
			;;
		esac
	done
	cat <&7 >"$T/err" 3>&- 4>&- 7>&- &
	exec 7<&-
}

# Starts an exomem, and stops it in its Nth system call of a kind: $main is its process, and $tracer has its
# status. Fails where it ends before.
stop_in() { # CALL N EXOMEM [ARGUMENT]...
	local deadline=$((SECONDS + 30))
	need_strace
	rm -f "$T/strace"
	strace -qq -o "$T/strace" -e "trace=$1" -e signal=STOP -e "inject=$1:signal=STOP:when=$2" \
		"${@:3}" >"$T/out" 2>"$T/err" 3>&- 4>&- </dev/null &
	tracer=$!
	until grep -q 'stopped by SIGSTOP' "$T/strace" 2>/dev/null; do
		kill -0 "$tracer" 2>/dev/null || return 1
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.02
	done
	main=$(pgrep -P "$tracer")
}

# The same right before its Nth step, which it writes to the operation's record by pwrite(). Only for a verb that
# writes nothing else so until then.
stop_before() { # N EXOMEM [ARGUMENT]...
	stop_in pwrite64 "$@"
}

# Those exomems whose command line is like this; not those that keep the logs of guests.
exomems() { # PATTERN
	for pid in $(pgrep -f -- "$1"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in exomem) echo "$pid" ;; esac
	done
}

wait_for_exomems() { # PATTERN
	local deadline=$((SECONDS + 30))
	while [ -n "$(exomems "$1")" ]; do
		[ "$SECONDS" -lt "$deadline" ] || {
			ps -ef
			return 1
		}
		sleep 0.02
	done
}

# Lets $main go on, to its end and that of all who belong to it; $rc is its status.
go_on() { # PATTERN
	kill -CONT "$main" 2>/dev/null || true
	rc=0
	wait "$main" || rc=$?
	wait_for_exomems "$1"
}
