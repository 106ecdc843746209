#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""links.py FILE...: what the documents refer to must exist: links, files of
this repository, targets of make, manual pages of ours, attributes."""

import os
import re
import sys

TOPS = ("Documentation", "compat", "debian", "include/uapi", "selftests",
        "tools")
PATH = re.compile(r"(?<![\w/.$~-])((?:%s)/[\w./-]*\w|teredo\w*\.[ch])(?!\w)"
                  % "|".join(TOPS))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MAKE = re.compile(r"(?:``?|^[ \t$#]*|sudo )make ([a-z][a-z-]*)", re.M)
PAGE = re.compile(r"\b(teredo\w*|ip-link-teredo)\(([1-8])\)")
XREF = re.compile(r"\.Xr (teredo\w*|ip-link-teredo) ([1-8])\b")
NAME = re.compile(r"\b(?:IFLA_TEREDO|TEREDO_A|TEREDO_CMD)_[A-Z0-9_]+[A-Z0-9]\b")


def read(path):
    """The text of a file, or none of one that does not exist."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def missing(path, text, targets, pages, names):
    """Yields what a document refers to in vain."""
    folder = os.path.dirname(path)
    for link in LINK.findall(text):
        if ":" not in link and not os.path.exists(os.path.join(folder, link)):
            yield "link " + link
    for name in PATH.findall(text):
        if not (os.path.exists(name) or
                os.path.exists(os.path.join(folder, name))):
            yield "file " + name
    for target in MAKE.findall(text):
        if target not in targets:
            yield "target of make " + target
    for page in PAGE.findall(text) + XREF.findall(text):
        if ".".join(page) not in pages:
            yield "manual page %s(%s)" % page
    for name in NAME.findall(text):
        if name not in names:
            yield "attribute or command " + name


def main():
    """Checks the documents named as arguments."""
    targets = re.findall(r"^([a-z][a-z-]*)[a-z -]*:(?!=)", read("Makefile"),
                         re.M)
    for line in re.findall(r"^([a-z][a-z -]*):(?!=)", read("Makefile"), re.M):
        targets += line.split()
    pages = os.listdir("tools/man") if os.path.isdir("tools/man") else []
    names = NAME.findall(read("include/uapi/linux/teredo.h") +
                         read("include/uapi/linux/if_teredo.h"))
    status = 0
    for path in sys.argv[1:]:
        for what in missing(path, read(path), targets, pages, names):
            print("%s: no %s" % (path, what))
            status = 1
    return status


sys.exit(main())
