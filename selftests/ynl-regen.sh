#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ynl-regen.sh [--check]: makes what follows from the netlink spec with the
# kernel's own generator, or with --check tells whether the tree has it so.
#
#   include/uapi/linux/teredo.h      what user space includes
#   teredo_netlink_gen.[ch]          policies and operations, kernel 6.2 on
#   compat/teredo_netlink_gen_6_1.c  the same for 6.1, which knows one policy
#                                    a command and no split operations
#
# The generator wants a tree like the kernel's around the spec (a MAINTAINERS
# file above it, or it searches for one for ever), so it runs in a scratch one.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
repo=${here%/*}
spec=Documentation/netlink/specs/teredo.yaml
made=(
	include/uapi/linux/teredo.h
	teredo_netlink_gen.h
	teredo_netlink_gen.c
	compat/teredo_netlink_gen_6_1.c
)

for python in python3 /usr/bin/python3 ''; do
	if [[ ! $python ]]; then
		echo "ynl-regen.sh: needs python3-yaml and python3-jsonschema" >&2
		exit 4
	fi
	"$python" -c 'import jsonschema, yaml' 2>/dev/null && break
done
kernel=$("$here/lint/kernel-source.sh")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# generate TREE OUT --mode MODE --header|--source
generate()
{
	local tree=$1 out=$2

	shift 2
	mkdir -p "$(dirname "$out")"
	timeout 120 "$python" -B "$kernel/tools/net/ynl/pyynl/ynl_gen_c.py" \
		--spec "$tree/$spec" -o "$out" "$@" ||
		{ echo "ynl-regen.sh: the generator refuses $spec" >&2; exit 1; }
	sed -i 's,tools/net/ynl/ynl-regen.sh,selftests/ynl-regen.sh,' "$out"
}

# The generator reads the flags of a multicast group and does not write them.
guard_groups()
{
	sed -i 's/= { "monitor", },/= { "monitor", .flags = GENL_MCAST_CAP_NET_ADMIN, },/' \
		"$1"
	grep -q GENL_MCAST_CAP_NET_ADMIN "$1"
}

for tree in now 6_1; do
	mkdir -p "$scratch/$tree/${spec%/*}"
	touch "$scratch/$tree/MAINTAINERS"
	cp "$kernel"/Documentation/netlink/*.yaml "$scratch/$tree/Documentation/netlink"
done
cp "$repo/$spec" "$scratch/now/$spec"

generate "$scratch/now" "$scratch/out/${made[0]}" --mode uapi --header
generate "$scratch/now" "$scratch/out/${made[1]}" --mode kernel --header
generate "$scratch/now" "$scratch/out/${made[2]}" --mode kernel --source
guard_groups "$scratch/out/${made[2]}"

# For 6.1: one policy a command, that of its do. A command that has but a dump
# lends it a do, which is taken out of the table again. Only the legacy schema lets
# a spec ask for that, and only for the other schema's specs the generator
# writes the family itself, so this spec is checked by the first under the
# second's name.
cp "$kernel/Documentation/netlink/genetlink-legacy.yaml" \
	"$scratch/6_1/Documentation/netlink/genetlink.yaml"
"$python" - "$repo/$spec" >"$scratch/6_1/$spec" <<'PYTHON'
import sys
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    spdx = file.readline()
    spec = yaml.safe_load(file)
spec["kernel-policy"] = "per-op"
for op in spec["operations"]["list"]:
    if "request" in op.get("do", {}):
        op.get("dump", {}).pop("request", None)
    elif "request" in op.get("dump", {}):
        op["do"] = {"request": op["dump"].pop("request")}
print(spdx, yaml.safe_dump(spec, sort_keys=False), sep="", end="")
PYTHON
generate "$scratch/6_1" "$scratch/out/${made[3]}" --mode kernel --source
guard_groups "$scratch/out/${made[3]}"
sed -i -e 's/\.\(n_\|\)split_ops\t/.\1ops\t\t/' \
	-e 's,"teredo_netlink_gen_6_1.h","../teredo_netlink_gen.h",' \
	"$scratch/out/${made[3]}"
sed -n 's/.*= \(teredo_nl_.*_doit\),$/\1/p' "$scratch/out/${made[3]}" |
	while read -r doit; do
		grep -q "$doit(" "$scratch/out/${made[1]}" ||
			sed -i "/= $doit,/d" "$scratch/out/${made[3]}"
	done

status=0
for file in "${made[@]}"; do
	if cmp -s "$scratch/out/$file" "$repo/$file"; then
		continue
	elif [[ ${1:-} == --check ]]; then
		diff -u --label "$file (as checked in)" --label "$file (as generated)" \
			"$repo/$file" "$scratch/out/$file" || status=1
	else
		mkdir -p "$(dirname "$repo/$file")"
		cp "$scratch/out/$file" "$repo/$file"
		echo "$file"
	fi
done
exit "$status"
