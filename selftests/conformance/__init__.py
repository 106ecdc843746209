# SPDX-License-Identifier: GPL-2.0
"""Every rule of the RFCs, shown packet by packet

A row is a function that plays everybody around a device: it sends what the
rule is about and says what is to be seen. Rows of one subject share a module
of this package; every module is read, so that a new file needs no list:

    from .rows import client

    @client("CL-RX-02 SEC-09", "the destination is not ours: rx_not_mine")
    def _(lab):
        lab.refused(wire.bubble(CLIENT_ADDRESS, "2001::5"), "rx_not_mine")

The first word of a row's ids is the rule that it is about, the others it
shows too; requirements.tsv lists them all, and says why where a rule has no
row. Each row is one line of TAP and has a device of its own:

    client      on 1.2.3.4:40000, qualified: lab.own is its address
    relay       on 204.152.184.7:3545
    host_relay  the same, for packets of its own host
    server      on 65.54.227.142 and .143
    row         without a device, lab.device() makes one

clock=True: the row waits for timers. It runs where waiting is free and exact
(vm.sh -i) and nowhere else. words="...": more words of `ip link add`.
again=True: no other code than another row's, left out on a slow machine.
Many rows of one kind: call the decorator in a loop, on a lambda.

    selftests/vm.sh -i -- selftests/conformance.py [ID...]

runs those whose ids begin so, or those of a module; --list prints the rows
and needs no VM.
"""
