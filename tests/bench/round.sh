#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# round.sh [GUESTS] - what a round of `exomem balance` costs with so many guests (50), at 10 s a round.
#
# $EXOMEM is the program, $GUEST the tiny guest.
set -eu
: "${EXOMEM:?is the program to measure}" "${GUEST:?is the guest to boot}"
guests=${1:-50}
rounds=10
dir=$(mktemp -d)
state=$dir/state
export XDG_CACHE_HOME="$dir/cache"
finish() {
	[ -z "${balancer-}" ] || kill -TERM "$balancer" 2>/dev/null || :
	[ -z "${balancer-}" ] || wait "$balancer" 2>/dev/null || :
	"$EXOMEM" stop --state-dir "$state" --kill --all >/dev/null 2>&1 || :
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ticks() {
	awk '{ print $14 + $15 }' "/proc/$balancer/stat"
}

recorded() {
	wc -l <"$dir/samples"
}

mkdir "$dir/memory"
"$EXOMEM" run --state-dir "$state" --detach --name parent -accel tcg,tb-size=32 -nodefaults \
	-display none -M q35 -m 64 -serial stdio -kernel "$GUEST" -device virtio-balloon-pci \
	-mem-path "$dir/memory,anyfs" >/dev/null
until grep -qa 'tiny: up' "$state/parent/log"; do sleep 0.1; done
"$EXOMEM" save --state-dir "$state" --templates "$dir/t" parent base >/dev/null 2>&1
"$EXOMEM" clone --state-dir "$state" --templates "$dir/t" --detach -n "$guests" --name child base \
	>/dev/null 2>&1
"$EXOMEM" balance --state-dir "$state" --dry-run --watch 1 --record "$dir/samples" >/dev/null &
balancer=$!
# The first rounds learn where balloons are.
until [ -e "$dir/samples" ] && [ "$(recorded)" -ge 2 ]; do sleep 0.1; done
first=$(recorded) before=$(ticks)
until [ "$(recorded)" -ge $((first + rounds)) ]; do sleep 0.1; done
after=$(ticks) last=$(recorded)
answered=$(tail -n 1 "$dir/samples" | jq '[.guests[] | select(.answers)] | length')
echo '| a round of balance | its processor time | of one processor, at 10 s | target |'
echo '|---|---|---|---|'
awk -v t=$((after - before)) -v n=$((last - first)) -v hz="$(getconf CLK_TCK)" -v g="$guests" -v a="$answered" \
	'BEGIN { ms = t * 1000 / hz / n
		printf "| %d guests, %d answered | %.1f ms | %.2f %% | <= 1 %% |\n", g, a, ms, ms / 100 }'
