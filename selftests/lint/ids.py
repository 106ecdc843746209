#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""ids.py [--write | --missing]: the table of requirements.

selftests/conformance/requirements.tsv numbers what the RFCs ask. Comments of
the code and texts of the tests carry these numbers; from both comes
Documentation/networking/teredo-requirements.rst, which says of each row where
it is implemented and what shows it.

Without an option: the table is up to date and has no gaps. --write makes the
table anew, --missing lists what has no code or no test yet.
"""

import glob
import os
import re
import sys
import textwrap

# Whether gaps in the table are errors, or only counted
COMPLETE = True

LIST = "selftests/conformance/requirements.tsv"
TABLE = "Documentation/networking/teredo-requirements.rst"
CODE = ("*.[ch]", "compat/*.[ch]", "tools/*.[ch]")
# Tests by the name of their file: not what makes or judges them
TESTS = ("*.sh", "*.py", "*.c", "nat-matrix/*")
NO_TESTS = re.compile(r"selftests/(lint|mutate|vm|wire|genl|watch|control)"
                      r"\.(sh|py)$")

# Rows that stand for others: a test of one that cites them will do
CITED = ("C", "AMB", "ERR", "DEV", "D", "NM")
BINDING = re.compile(r"\b(MUST|must)\b")

HEAD = """\
.. SPDX-License-Identifier: GPL-2.0
.. made by selftests/lint/ids.py --write

===========================
What the RFCs ask of Teredo
===========================

Each rule of RFC 4380, 5991, 6081 and 9601, and of what they refer to, has a
number here. The columns: the number; where the rule comes from, as RFC and
section, and how binding it is; what it asks, in our own words; the function
or definition that does it; the tests in ``selftests/`` that fail without it;
whether it is there.

*proj* is a decision of this project. MUST, SHOULD and MAY are those of the
RFC; in small letters the RFC says it in small letters, or as a plain
statement of what a node does. With P- in front it is ours.

"""


class Row:
    """One line of the list."""

    def __init__(self, section, fields):
        (self.id, self.source, self.level, self.scope, see, self.text,
         self.note) = fields
        self.kind = self.id.rsplit("-", 1)[0]
        self.see = see.split()
        self.section = section
        self.code, self.tests = [], []

    def wants_code(self):
        return self.scope == "now"

    def wants_test(self):
        return self.scope in ("now", "test")

    def binding(self):
        return bool(BINDING.search(self.level)) or self.kind == "SEQ"

    def shown(self, rows):
        """By a test of its own or, where that will do, by another row's."""
        return bool(self.tests) or self.kind in CITED and any(
            rows[other].tests for other in self.see)

    def gaps(self, rows):
        """What it lacks. A note says why there is no test or, of a row that
        may be left out, why there is nothing."""
        if not self.binding() and self.note and self.scope == "now":
            return
        if self.wants_code() and not self.code and \
                not (self.kind in CITED and any(
                    rows[other].code for other in self.see)):
            yield "code"
        if self.wants_test() and not self.note and not self.shown(rows):
            yield "test"

    def status(self, rows):
        words = {"doc": "no code needed", "later": "later",
                 "legacy": "legacy option", "na": "not applicable",
                 "see": "see " + ", ".join(self.see)}
        gaps = list(self.gaps(rows))
        if self.scope in words:
            word = words[self.scope]
        elif self.scope == "now" and not gaps and self.note and \
                not self.code:
            word = "left out"
        elif "code" in gaps:
            word = "missing"
        elif "test" in gaps:
            word = "not shown"
        elif self.scope == "test":
            word = "no code of its own"
        else:
            word = "implemented"
        return word + (": " + self.note if self.note else "")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_list():
    rows, section = {}, ""
    for line in read(LIST).splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            row = Row(section, line.split("\t"))
            if row.id in rows:
                sys.exit(f"{LIST}: {row.id} twice")
            rows[row.id] = row
    for row in rows.values():
        for other in row.see:
            if other not in rows:
                sys.exit(f"{LIST}: {row.id} cites {other}")
    return rows


class Ids:
    """Finds the ids in a text."""

    def __init__(self, rows):
        kinds = sorted({row.kind for row in rows.values()}, key=len,
                       reverse=True)
        self.rows = rows
        self.full = re.compile(r"(?<![\w-])(%s)-(\d{1,2})(?![\w-])"
                               % "|".join(kinds))
        # what may follow one: to CL-Q-09, to 09, , 09, , -09
        self.more = re.compile(r"(?: to |\.\.\.?)(?:[A-Z0-9]+-(?:[A-Z]+-)?)?"
                               r"(\d\d)(?![\w-])|"
                               r"(?:, | and |, and )-?(\d\d)"
                               r"(?=[,;:)]| and |\.?$)")

    def find(self, text):
        """Yields place and id, also of a kind and number that do not
        exist."""
        for match in self.full.finditer(text):
            kind, number = match.groups()
            yield match.start(), f"{kind}-{number}"
            place, last = match.end(), int(number)
            while more := self.more.match(text, place):
                first = last + 1 if more[1] else int(more[2])
                last, place = int(more[1] or more[2]), more.end()
                for n in range(first, last + 1):
                    name = f"{kind}-{n:0{len(number)}}"
                    if name in self.rows:
                        yield match.start(), name


TOKEN = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
                   re.S)


def comments(text):
    """Yields first and last line of each comment, and what it says."""
    for match in TOKEN.finditer(text):
        if match[0][0] == "/":
            first = text.count("\n", 0, match.start())
            said = re.sub(r"\s*\n[\s*]*", " ", match[0]).rstrip("*/ ")
            yield first, first + match[0].count("\n"), said


def definitions(lines):
    """Yields first and last line, and name, of what a C file defines."""
    first = 0
    for number, line in enumerate(lines):
        if number and number < first:
            continue
        end, name = number, ""
        if match := re.match(r"#\s*define\s+(\w+)", line):
            while lines[end].endswith("\\"):
                end += 1
            name = match[1]
        elif line == "{":
            start = number
            while start and re.match(r"[\sa-z_].*\S", lines[start - 1]) and \
                    not lines[start - 1].endswith((";", "*/")):
                start -= 1
            match = re.search(r"(\w+)\((?!\()", " ".join(lines[start:number]))
            while lines[end] != "}" and end < len(lines) - 1:
                end += 1
            if match:
                yield start, end, match[1] + "()"
            first = end + 1
            continue
        elif match := re.match(r"(?:typedef |static |const |__\w+ )*"
                               r"(struct|enum|union) (\w+)"
                               r"(?: __\w+)?(?: (\w+)(?:\[\w*\])*.*=)? \{$",
                               line):
            while not lines[end].startswith("}"):
                end += 1
            name = match[3] or f"{match[1]} {match[2]}"
        elif match := re.match(r"(?:static |const |extern )+[\w ]+\**(\w+)"
                               r"(?:\[\w*\])*(?:;| = )", line):
            while not lines[end].endswith(";"):
                end += 1
            name = match[1]
        elif line.startswith("static_assert"):
            name = "static_assert"
        else:
            continue
        yield number, end, name
        first = end + 1


def scan_code(rows, ids):
    errors = []
    for path in sorted(sum((glob.glob(p) for p in CODE), [])):
        text = read(path)
        lines = text.splitlines()
        defined = list(definitions(lines))
        for first, last, said in comments(text):
            found = dict.fromkeys(name for _, name in ids.find(said))
            if not found:
                continue
            # inside of it, or in front of the next one; the head of a
            # file speaks of the file
            name = next((name for start, end, name in defined
                         if end >= first and (start <= first or
                                              last <= start)), "")
            if first < 3:
                name = ""
            place = path + (" " + name if name else "")
            for one in found:
                if one not in rows:
                    errors.append(f"{path}:{first + 1}: no such row: {one}")
                elif place not in rows[one].code:
                    rows[one].code.append(place)
    return errors


def scan_tests(rows, ids):
    errors = []
    sys.path.insert(0, "selftests")
    from conformance import rows as conformance
    conformance.load()
    for row in conformance.ROWS:
        place = "conformance/" + row.where.partition(":")[0]
        for one in row.ids:
            if one not in rows:
                errors.append(f"{row.where}: no such row: {one}")
            elif place not in rows[one].tests:
                rows[one].tests.append(place)
    for path in sorted(sum((glob.glob("selftests/" + p, recursive=True)
                            for p in TESTS), [])):
        if NO_TESTS.search(path) or not os.path.isfile(path):
            continue
        text = read(path)
        place = path.removeprefix("selftests/")
        for where, one in ids.find(re.sub(r"\n# ", "   ", text)):
            if one not in rows:
                line = text.count("\n", 0, where) + 1
                errors.append(f"{path}:{line}: no such row: {one}")
            elif place not in rows[one].tests:
                rows[one].tests.append(place)
    return errors


def quoted(text):
    """Plain text with `code` in it, for reStructuredText."""
    parts = text.split("`")
    for n in range(0, len(parts), 2):
        parts[n] = re.sub(r"([\\*|]|_(?!\w))", r"\\\1", parts[n])
    for n in range(1, len(parts), 2):
        parts[n] = f"``{parts[n]}``"
    return "".join(parts)


def places(names):
    """FILE A, FILE B -> FILE: A, B"""
    files = {}
    for name in names:
        file, _, what = name.partition(" ")
        files.setdefault(file, []).append(what)
    return "; ".join(file + (": " + ", ".join(filter(None, what))
                             if any(what) else "")
                     for file, what in files.items())


def cell(text, first):
    return textwrap.fill(text or "\\-", 79, initial_indent=first,
                         subsequent_indent="       ",
                         break_long_words=False, break_on_hyphens=False)


def table(rows):
    out, section = [HEAD], None
    for row in rows.values():
        if row.section != section:
            section = row.section
            out.append(f"{section}\n{'=' * len(section)}\n\n"
                       ".. list-table::\n"
                       "   :header-rows: 1\n"
                       "   :widths: 8 10 36 20 14 12\n\n"
                       "   * - Row\n     - Source, level\n     - Rule\n"
                       "     - Code\n     - Tests\n     - State\n")
        level = "" if row.level == "-" else row.level
        source = "" if row.source == "-" else row.source
        cells = (", ".join(filter(None, (source, level))), quoted(row.text),
                 quoted(places(row.code)), quoted(places(row.tests)),
                 quoted(row.status(rows)))
        out.append("   * - " + row.id + "\n")
        out += [cell(text, "     - ") + "\n" for text in cells]
        following = list(rows)[list(rows).index(row.id) + 1:]
        if following and rows[following[0]].section != section:
            out.append("\n")
    return "".join(out)


def main():
    os.chdir(os.path.join(os.path.dirname(__file__), "../.."))
    rows = read_list()
    ids = Ids(rows)
    errors = scan_code(rows, ids) + scan_tests(rows, ids)
    text = table(rows)
    gaps = [(row, list(row.gaps(rows))) for row in rows.values()]
    gaps = [(row, gap) for row, gap in gaps if gap]

    if sys.argv[1:] == ["--write"]:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(text)
    elif sys.argv[1:] == ["--missing"]:
        for row, gap in gaps:
            print(f"{row.id}\t{row.level}\tno {', no '.join(gap)}\t"
                  f"{row.text}")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        stale = not os.path.exists(TABLE) or read(TABLE) != text
        if stale and COMPLETE:
            errors.append(f"{TABLE} is out of date: selftests/lint/ids.py "
                          "--write")
        if COMPLETE:
            errors += [f"{LIST}: {row.id} ({row.level}) has no "
                       + " and no ".join(gap) for row, gap in gaps]
        else:
            print(f"{sum('code' in gap for _, gap in gaps)} rows without "
                  f"code, {sum('test' in gap for _, gap in gaps)} without a "
                  "test")
    for error in errors:
        print(error)
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
