#!/bin/sh
# Runs after the package was unpacked. A new installation is not started: it has to be told first what
# to watch. After an upgrade a running service goes on with the new program.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart cnpg-backup-verifier.service
fi
