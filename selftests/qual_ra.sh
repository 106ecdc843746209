#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The helper's solicitations, and what it takes for an answer: see ra_test.c.
# Needs neither the module nor privileges.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
require_command gcc

top=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp -d)
defer rm -rf "$out"

gcc -std=gnu11 -g -Wall -Wextra -Werror -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -I"$top" -isystem "$top/include/uapi" \
	-o "$out/ra_test" "$top/selftests/ra_test.c" \
	"$top/tools/teredod_ra.c" "$top/tools/teredod_auth.c" -lnettle ||
	exit 1
"$out/ra_test"
