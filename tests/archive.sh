#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# archive.sh - print the address of the Debian archive that this machine's apt uses
#
# The suites of other releases and the backports are in the same archive.

set -eu

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
# shellcheck disable=SC2016 # apt's variables, not the shell's
uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CODENAME)' 'Created-By: Packages' |
	awk -v codename="$codename" '$2 == codename || $3 == codename { print $1; exit }')
[ -n "$uri" ] || {
	echo "archive.sh: apt has no archive for the release '$codename'" >&2
	exit 1
}
echo "$uri"
