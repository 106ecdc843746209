#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# sources.sh SUITE: prints an apt sources.list for a Debian suite, on the
# mirror that the host itself uses. The host's own lists stay untouched, and
# no host name needs to stand in this repository. TEREDO_MIRROR and
# TEREDO_SECURITY_MIRROR name other mirrors, for hosts that are not Debian.
set -euo pipefail
. "$(dirname "$0")/common.sh"

suite=$1

# apt reads one-line and deb822 lists alike and tells both in one form, also
# where nothing has been fetched yet
host_lists()
{
	# what others than Debian have is not Debian
	grep -qx 'ID="\?debian"\?' /etc/os-release || return 0
	apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages'
}

# Only Debian's own has updates besides; other vendors also call theirs "main"
main=${TEREDO_MIRROR:-$(host_lists | awk '
	$3 == "main" && $2 ~ /^[a-z]+$/ { uris[n++] = $1 }
	$3 == "main" && $2 ~ /^[a-z]+-updates$/ { updates[$1] = 1 }
	END {
		for (i = 0; i < n; i++)
			if (uris[i] in updates)
				break
		if (n)
			print uris[i < n ? i : 0]
	}')}
security=${TEREDO_SECURITY_MIRROR:-$(host_lists | awk '
	$3 == "main" && $2 ~ /^[a-z]+-security$/ && !uri { uri = $1 }
	END { if (uri) print uri }')}
[[ $main ]] || die "no Debian mirror in the host's apt sources: set TEREDO_MIRROR, and TEREDO_SECURITY_MIRROR"

by="[signed-by=$keyring]"
echo "deb $by $main $suite main"
case $suite in
sid | unstable | experimental) exit ;;
esac
echo "deb $by $main $suite-updates main"
[[ $security ]] && echo "deb $by $security $suite-security main"
case $suite in
forky) ;;
*) echo "deb $by $main $suite-backports main" ;;
esac
