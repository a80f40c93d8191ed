#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh [RELEASE] - `make check` as the first command in a bare Debian, then `make demo`
#
# RELEASE is a codename; without it, that of this machine's Debian. The root file system is made in
# build/clean/RELEASE and removed at the end; KEEP=1 keeps it. build/clean/RELEASE.log has all that the
# commands printed.

set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=/dev/null
release=${1:-$(. /etc/os-release && echo "${VERSION_CODENAME-}")}
root=build/clean/$release log=build/clean/$release.log
mkdir -p build/clean
tests/clean/root.sh "$release" "$root"
rc=0
tests/clean/enter.sh "$root" sh -c 'cd exomem && make check && make demo' 2>&1 | tee "$log" || rc=$?
[ -n "${KEEP-}" ] || tests/clean/root.sh --remove "$root"
echo "check.sh: the log is in $log"
exit "$rc"
