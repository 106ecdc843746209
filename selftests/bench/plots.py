# SPDX-License-Identifier: GPL-2.0
"""The tables as pictures"""

import os

import pygal
from pygal.style import CleanStyle

NAMES = {"plain IPv6 forwarding": "no tunnel"}


def without_script(root):
    """What is drawn needs none"""
    for element in list(root.iter()):
        for child in list(element):
            if str(child.tag).endswith("script"):
                element.remove(child)
    return root


def save(chart, folder, name):
    """As a file that needs nothing else"""
    chart.config.js = []
    chart.add_xml_filter(without_script)
    with open(os.path.join(folder, f"teredo-bench-{name}.svg"), "wb") as file:
        file.write(chart.render() + b"\n")


def bars(title, labels, series):
    """A bar for each label, of each series"""
    chart = pygal.Bar(title=title, style=CleanStyle, y_title="instructions",
                      print_values=True, width=900, height=450,
                      value_formatter=lambda value: f"{value:,.0f}")
    chart.x_labels = labels
    for name, values in series:
        chart.add(name, values)
    return chart


def packets(rows):
    """Of 64 octets"""
    small = [row for row in rows if row[0] == 64]
    ways = list(dict.fromkeys(row[1] for row in small))
    series = [(NAMES.get(name, name),
               [row[3] for way in ways for row in small
                if row[1:3] == (way, name)])
              for name in dict.fromkeys(row[2] for row in small)]
    return bars("Forwarding a packet of 64 octets",
                [{"out": "out: native to tunnel",
                  "in": "in: tunnel to native"}[way] for way in ways], series)


def peers(rows):
    """By their number"""
    return bars("A packet of 64 octets, by the number of clients",
                [f"{row[0]:,}" for row in rows],
                [("out", [row[1] for row in rows]),
                 ("in", [row[2] for row in rows])])


def miredo(rows):
    """Ours and theirs"""
    return bars("Beside Miredo's relay", [row[0] for row in rows],
                [("teredo", [row[1] for row in rows]),
                 ("miredo", [row[2] for row in rows])])


PLOTS = {plot.__name__: plot for plot in (packets, peers, miredo)}


def plot(name, rows, folder):
    """Those of a table, if it has one"""
    if name in PLOTS:
        save(PLOTS[name](rows), folder, name)
