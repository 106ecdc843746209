#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# checkpatch.sh FILE OPTION...: checkpatch on one file, in the root of the
# checkers. A file that passed is remembered.
set -u

file=$1
shift
program=/srv/scripts/checkpatch.pl
dictionary=/usr/lib/python3/dist-packages/codespell_lib/data/dictionary.txt
seen=/media/checkpatch
key=$(echo "$file $*" | cat - "$program" "$file" | sha256sum | cut -c1-32)

mkdir -p "$seen"
[ -e "$seen/$key" ] && exit
# With all of codespell's dictionary one file takes ten seconds, so it gets
# the entries that are words of the file, in checkpatch's sense of a word.
words=$(mktemp)
tr -cs "[:alnum:]_'\`-" '\n' <"$file" |
	awk -F'->' 'NR == FNR { word[tolower($0)]; next }
		tolower($1) in word' - "$dictionary" >"$words"
# in the repository's folder it would look for git
cd /tmp || exit
output=$("$program" --no-tree --strict --max-line-length=80 \
	--codespellfile "$words" --terse --show-types -q "$@" \
	-f "/mnt/$file" 2>&1)
status=$?
[ $status -eq 0 ] && touch "$seen/$key"
# it also looks for an include folder
echo "$output" | sed -e 's,^/mnt/,,' -e '/^total:/d' -e '/^find: .*include/d' \
	-e '/uninitialized value $root /d' -e '/^$/d'
exit $status
