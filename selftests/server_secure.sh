#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A server that asks for authentication answers who has a key, and nobody else.
# shellcheck source-path=SCRIPTDIR source=server_net.sh
. "$(dirname "$0")/server_net.sh"

server_setup
PYTHONDONTWRITEBYTECODE=1 python3 "$SERVER_DIR/server_secure.py" \
	"$client" "$server" "$native"
