# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash source-path=SCRIPTDIR source=../lib.sh
#
# A copy of the repository into which faults are planted, for tests of tests.
# Sourced after lib.sh.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
copy=$(mktemp -d)
# shellcheck disable=SC2034	# for the tests
out=$copy/out
defer rm -rf "$copy"
chmod 755 "$copy"
# the VM's build asks git for the sources
git init -q "$copy"

# planted PATCH...: the copy has these of debug/*.patch and no others
planted()
{
	local patch

	# what was built there before is built again only where it differs
	(cd "$top" && git ls-files -co --exclude-standard) |
		(cd "$top" && while read -r file; do
			[[ ! -f $file ]] || echo "$file"
		done | tar -cf - -T -) | tar -C "$copy" -xf -
	for patch; do
		git -C "$copy" apply -C1 "$top/selftests/debug/$patch.patch" ||
			return
	done
}
