#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksm.sh - ten children of a template that write the same 64 MiB, before and after KSM has looked.
#
# Prints what they hold: of those 64 MiB (one copy is 64 MiB, ten are 640), and of their QEMUs' own.
# It needs root and KSM.  $EXOMEM is the program, $GUEST the tiny guest.
set -eu
: "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
dir=$(mktemp -d)
state=$dir/state
export XDG_CACHE_HOME="$dir/cache"
ksm=/sys/kernel/mm/ksm
was="$(cat $ksm/run) $(cat $ksm/pages_to_scan) $(cat $ksm/sleep_millisecs)"

finish() {
	[ -z "${balancer-}" ] || kill -TERM "$balancer" 2>/dev/null || :
	[ -z "${balancer-}" ] || wait "$balancer" 2>/dev/null || :
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || :
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { # NAME TEXT ANSWER
	echo "$2" | socat -t 1 - "UNIX-CONNECT:$state/$1/console.sock" >/dev/null
	tries=0
	until grep -qa "$3" "$state/$1/log"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || { echo "$1: no '$3'" >&2; exit 1; }
		sleep 0.1
	done
}

# MiB of pages in the children's memory, and in all else of their QEMUs; a page that several have
# counts once.
held() {
	for pid in $(jq .pid "$state"/*/vm.json); do cat "/proc/$pid/smaps"; done | awk '
		/^[0-9a-f]+-/ { memory = index($0, "qemu_back_mem") > 0 }
		$1 == "Pss:" { if (memory) ours += $2; else theirs += $2 }
		END { printf "%.0f %.0f", ours / 1024, theirs / 1024 }'
}

cat >"$dir/policy" <<'POLICY'
[policy]
interval = 1
hysteresis = 1%
pages-min = 20000
pages-max = 20000
[state always]
free = 99%
levers = ksm
POLICY
mkdir "$dir/memory"
"$EXOMEM" run --state-dir "$state" --detach --name parent -accel tcg,tb-size=32 -nodefaults \
	-display none -M q35 -m 96 -serial stdio -kernel "$GUEST" \
	-mem-path "$dir/memory,anyfs" >/dev/null
say parent 'tick off' 'tick off'
"$EXOMEM" save --state-dir "$state" --templates "$dir/t" parent base >/dev/null
"$EXOMEM" clone --state-dir "$state" --templates "$dir/t" --merge --detach -n 10 --name child base >/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do say "child-$i" 'fill 64M 7' 'filled 64 MiB key 7'; done
before=$(held)
"$EXOMEM" balance --state-dir "$state" --policy "$dir/policy" >"$dir/out" &
balancer=$!
last=
for _ in $(seq 60); do
	sleep 2
	now=$(held)
	[ "$now" != "$last" ] || break
	last=$now
done
for i in 1 5 10; do say "child-$i" 'verify 64M 7' 'verified 64 MiB key 7'; done
kill -TERM "$balancer"
wait "$balancer"
balancer=
echo '| ten children that wrote the same 64 MiB | before | after KSM |'
echo '|---|---|---|'
echo "| their memory, MiB | ${before% *} | ${now% *} |"
echo "| their QEMUs' own, MiB | ${before#* } | ${now#* } |"
[ "$was" = "$(cat $ksm/run) $(cat $ksm/pages_to_scan) $(cat $ksm/sleep_millisecs)" ]
