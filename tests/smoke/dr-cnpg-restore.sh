#!/usr/bin/env bash
# Rehearses the restore of one cluster, and ends with the exit code of the drill: 0 restored as
# promised, 2 failed, 3 nothing is known.
#
#   tests/smoke/dr-cnpg-restore.sh NAMESPACE CLUSTER [FLAG...]
#
# CloudNativePG restores it where there is a way to Kubernetes, and nothing is left there afterwards.
# Without a kubeconfig the archive of the running demo is restored on this machine instead.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 NAMESPACE CLUSTER [FLAG...]" >&2
    exit 64
fi
namespace=$1
cluster=$2
shift 2

if [ -n "${KUBECONFIG:-}" ] || [ -n "${KUBERNETES_SERVICE_HOST:-}" ] || [ -e ~/.kube/config ]; then
    exec cnpg-backup-verifier drill --namespace "$namespace" --cluster "$cluster" "$@"
fi
echo "no kubeconfig: restoring the archive of the demo in place of $namespace/$cluster" >&2
cd "$(dirname "$0")/../.."
exec scripts/demo-drill
