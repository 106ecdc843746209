#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a device remembers of before the machine slept: see conformance/sleep.py.
# Not beside other tests: it is the machine that sleeps, with their VM's
# shared folders, too.
exec "$(dirname "$0")/conformance.py" sleep
