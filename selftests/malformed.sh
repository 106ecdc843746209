#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What is not well-formed is dropped and counted, never answered, and teaches
# nothing
# shellcheck source-path=SCRIPTDIR source=peer_net.sh
. "$(dirname "$0")/peer_net.sh"
require_command python3 ethtool

peer_setup
peer_run malformed
