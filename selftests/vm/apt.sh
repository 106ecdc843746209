#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# apt.sh SUITE COMMAND...: apt-get or apt-cache for a suite that is not the
# host's, with lists and settings of its own in the cache folder.
set -euo pipefail
. "$(dirname "$0")/common.sh"

suite=$1 command=$2
shift 2

dir=$cache/apt/$suite
mkdir -p "$dir"/{state/lists/partial,cache/archives/partial,etc/apt.conf.d}
"$vm_dir/sources.sh" "$suite" >"$dir/etc/sources.list"
: >"$dir/status"
cat >"$dir/apt.conf" <<END
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::sourcelist "$dir/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
END
APT_CONFIG=$dir/apt.conf exec "$command" "$@"
