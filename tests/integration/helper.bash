# SPDX-License-Identifier: GPL-2.0-or-later
# helper.bash - what the integration tests share.
#
# $EXOMEM is the program, $GUEST the tiny guest, $LINUX the folder of the Linux guest. Each test has
# a folder of its own, $T, with guests' state in $T/state; guests it leaves running are killed.

# Tests use what is set here, and bats sets the other variables.
# shellcheck disable=SC2034,SC2154

bats_require_minimum_version 1.5.0

# A test that lacks something is skipped; where EXOMEM_MUST names the thing, it fails instead.
lacks() { # THING WHY
	case " ${EXOMEM_MUST-} " in
	*" $1 "*)
		echo "must have $1, but $2"
		return 1
		;;
	esac
	skip "$2"
}

lacks_qemu() {
	case ${EXOMEM_QEMU-} in
	*/qemu-backports/*) lacks qemu-backports 'build/qemu-backports could not be made' ;;
	*) lacks qemu 'no QEMU is installed' ;;
	esac
}

# Sets $older to the installed QEMU and $newer to the one of Debian's backports.
need_two_qemus() {
	need_qemu
	older=$(command -v qemu-system-x86_64) || lacks qemu 'no QEMU is installed'
	newer=${GUEST%/guest/*}/qemu-backports/qemu-system-x86_64
	[ -x "$newer" ] || lacks qemu-backports 'build/qemu-backports could not be made'
	[ "$("$older" --version)" != "$("$newer" --version)" ] || skip 'the backports have the same QEMU'
}

need_qemu() {
	command -v "${EXOMEM_QEMU:-qemu-system-x86_64}" >/dev/null || lacks_qemu
	[ -e "$GUEST" ] || lacks qemu 'the tiny guest is not built'
}

# QEMU has been asked what it can do by then: that is no part of what is traced.
need_strace() {
	need_qemu
	strace -o /dev/null true 2>/dev/null || lacks strace 'strace cannot trace here'
	"$EXOMEM" probe >/dev/null
}

need_linux() {
	need_qemu
	[ -e "$LINUX/vmlinuz" ] || lacks linux 'the Linux guest is not built'
}

# A script that starts QEMU, as that of the backports, is not let in: what it starts is.
unwrap_qemu() {
	local root
	[ "$(head -c 2 "$EXOMEM_QEMU")" = '#!' ] || return 0
	root=$(sed -n "s/^root='\(.*\)'\$/\1/p" "$EXOMEM_QEMU")
	export LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu
	export QEMU_MODULE_DIR=$LD_LIBRARY_PATH/qemu
	export EXOMEM_QEMU=$root/usr/bin/qemu-system-x86_64
	tiny="$tiny -L $root/usr/share/qemu -L $root/usr/share/seabios -L $root/usr/lib/ipxe/qemu"
}

# The major version of the QEMU that the tests run.
qemu_major() {
	"${EXOMEM_QEMU:-qemu-system-x86_64}" --version |
		sed -nE 's/^QEMU emulator version ([0-9]+)\..*/\1/p'
}

need_root() {
	[ "$(id -u)" = 0 ] || lacks root "$1"
}

# Mounts a new file system of this type and size at $reflink, until the test ends.
use_file_system() { # TYPE SIZE
	need_root "mounts $1"
	PATH=$PATH:/usr/sbin:/sbin command -v "mkfs.$1" >/dev/null || lacks "$1" "no mkfs.$1 here"
	truncate -s "$2" "$T/$1.image"
	PATH=$PATH:/usr/sbin:/sbin "mkfs.$1" -q "$T/$1.image" >/dev/null
	mkdir "$reflink"
	mount -t "$1" -o loop "$T/$1.image" "$reflink" || lacks "$1" "cannot mount $1 from a file here"
	chmod 0700 "$reflink"
}

# File systems whose files can share blocks. XFS wants 300 MB, btrfs 110.
use_xfs() { # SIZE
	use_file_system xfs "$1"
}

use_btrfs() { # SIZE
	use_file_system btrfs "$1"
}

setup() {
	T=$(mktemp -d)
	state=$T/state
	memory=$T/memory
	reflink=$T/reflink
	mkdir "$memory"
	export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache XDG_RUNTIME_DIR=$T
	pids='' saved_pages=''
}

# Living processes of this test: guests, what starts them and what keeps their logs.
ours() {
	for pid in $(pgrep -f -- "$T"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		exomem* | qemu* | socat | timeout) echo "$pid" ;;
		esac
	done
}

teardown() {
	for pid in $(ours) $pids; do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	for place in "$memory" "$reflink"; do
		deadline=$((SECONDS + 5))
		while mountpoint -q "$place" && ! umount "$place" 2>/dev/null; do
			[ "$SECONDS" -lt "$deadline" ] || break
			sleep 0.05
		done
	done
	[ -z "$saved_pages" ] || echo "$saved_pages" >/proc/sys/vm/nr_hugepages
	rm -rf "$T"
}

# exomem run with this test's state directory, in the foreground.
exomem_run() {
	"$EXOMEM" run --state-dir "$state" "$@"
}

# Arguments of a quiet TCG machine whose console is standard input and output.
tcg='-accel tcg -nodefaults -display none -serial stdio'

# Starts a guest in the background: $pid is its process, $T/$1.in its serial line's input, a pipe,
# and $T/$1.out its output.
start() { # LABEL EXOMEM-RUN-ARGUMENT...
	label=$1
	shift
	mkfifo "$T/$label.in"
	# Opened for reading and writing, so that neither side waits for the other.
	exec 9<>"$T/$label.in"
	# The program itself, not a function around it: its pid will be QEMU's.
	"$EXOMEM" run --state-dir "$state" "$@" <&9 >"$T/$label.out" 2>"$T/$label.err" 3>&- 9>&- &
	pid=$!
	pids="$pids $pid"
	exec 9>&-
}

# Waits until a file holds a line that matches.
wait_for() { # FILE PATTERN [SECONDS]
	deadline=$((SECONDS + ${3:-30}))
	until grep -qaE "$2" "$1" 2>/dev/null; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "no '$2' in $1:"
			tail -n 20 "$1"
			return 1
		fi
		sleep 0.05
	done
}

# Says a line to a guest.
say() { # LABEL TEXT
	echo "$2" >"$T/$1.in"
}

# Waits for a process's end, which must come.
wait_gone() { # PID [SECONDS]
	deadline=$((SECONDS + ${2:-10}))
	while kill -0 "$1" 2>/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# Fails unless the last `run` ended with this status and one line on stderr that holds the text.
assert_refused() { # STATUS TEXT
	if [ "$status" != "$1" ] || [ "$(printf '%s\n' "$output" | wc -l)" != 1 ] ||
		[[ "$output" != *"$2"* ]]; then
		echo "wanted exit $1 and one line with: $2"
		echo "got exit $status and: $output"
		return 1
	fi
}

# Fails unless a folder holds exactly these names.
assert_holds() { # FOLDER NAME...
	folder=$1
	shift
	wanted=$(printf '%s\n' "$@" | sort)
	if [ "$(find "$folder" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort)" != "$wanted" ]; then
		echo "$folder holds:"
		ls -lA "$folder"
		echo "wanted: $wanted"
		return 1
	fi
}

assert_empty() { # FOLDER
	[ ! -e "$1" ] || [ -z "$(ls -A "$1")" ] || {
		echo "$1 is not empty:"
		ls -lAR "$1"
		return 1
	}
}

# The state directory has the directories of these guests, and nothing else but its marker and the
# records of guests that have ended.
assert_guests() { # [NAME...]
	if [ $# = 0 ] && { [ ! -e "$state" ] || [ -z "$(ls -A "$state")" ]; }; then
		return 0
	fi
	[ ! -e "$state/.ended" ] || set -- .ended "$@"
	assert_holds "$state" .exomem "$@"
}

# Waits until a process, or one that it has started, watches the end of another one, by a pidfd.
wait_watching() { # PID
	deadline=$((SECONDS + 30))
	# shellcheck disable=SC2046 # one word for each
	until find "/proc/$1/fd" $(pgrep -P "$1" | sed 's|.*|/proc/&/fd|') -lname 'anon_inode:\[pidfd\]' \
		2>/dev/null | grep -q .; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# Sends lines to a UNIX socket, and prints what comes back once COUNT lines of it match PATTERN. Fails when
# the peer closes the connection before that, or after 30 s.
ask_socket() { # SOCKET COUNT PATTERN LINE...
	local socket=$1 count=$2 pattern=$3 questions peer deadline=$((SECONDS + 30)) rc=0
	shift 3
	mkfifo "$T/questions"
	# Opened for reading and writing, so that it does not end before the answers are here.
	exec {questions}<>"$T/questions"
	rm "$T/questions"
	socat - "UNIX-CONNECT:$socket" <&"$questions" >"$T/answers" 2>/dev/null 3>&- &
	peer=$!
	printf '%s\n' "$@" >&"$questions"
	exec {questions}>&-
	until [ "$(grep -acE "$pattern" "$T/answers")" -ge "$count" ]; do
		if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$peer" 2>/dev/null; then
			rc=1
			break
		fi
		sleep 0.02
	done
	kill "$peer" 2>/dev/null || true
	wait "$peer" || true
	[ "$(grep -acE "$pattern" "$T/answers")" -lt "$count" ] || rc=0
	cat "$T/answers"
	rm "$T/answers"
	return "$rc"
}

# Sends QMP commands to $T/qmp and prints the answers.
qmp_lines() { # COMMAND...
	ask_socket "$T/qmp" $(($# + 1)) '^[{]"(return|error)"' '{"execute":"qmp_capabilities"}' "$@" || true
}
