#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A server refuses the rest, and counts why.
# shellcheck source-path=SCRIPTDIR source=server_net.sh
. "$(dirname "$0")/server_net.sh"

server_setup
server_run refuse
