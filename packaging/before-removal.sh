#!/bin/sh
# Runs before the package is removed or upgraded: dpkg says `remove`, rpm how many are left. Only a
# removal ends the service.
case "${1:-}" in
    remove | 0)
        if [ -d /run/systemd/system ]; then
            systemctl disable --now cnpg-backup-verifier.service
        fi
        ;;
esac
