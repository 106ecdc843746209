#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A relay's behaviour, datagram by datagram
# shellcheck source-path=SCRIPTDIR source=peer_net.sh
. "$(dirname "$0")/peer_net.sh"
require_command python3 ethtool

peer_setup
peer_run relay
