# shellcheck shell=bash
# What the scripts of the demo have in common: where it runs, and how its servers are called.

demo_target="${CARGO_TARGET_DIR:-target}"
demo_state="$demo_target/demo/state"
demo_tools="$(scripts/install-tools --where)"
demo_postgres=/usr/lib/postgresql/15/bin

# Invented for the demo: they open nothing else.
demo_access_key=demo-access-key
demo_secret_key=demo-secret-key
demo_bucket=backups
demo_destination="s3://$demo_bucket/cluster"
demo_server=postgres

say() { printf '%s\n' "$*"; }

fail() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# The demo that runs: the process of scripts/demo, everything it stores, and where it answers.
# shellcheck disable=SC2034  # Each script uses some of them.
demo_pid='' demo_directory='' postgres_port='' s3_port='' daemon_port='' prometheus_port=''

# Loads these variables from what `scripts/demo` wrote.
load_state() {
    [ -e "$demo_state" ] || fail "no demo runs: start one with \`make demo\` in another terminal"
    # shellcheck source=/dev/null
    . "$demo_state"
    kill -0 "$demo_pid" 2>/dev/null || fail "the demo has ended: start one with \`make demo\`"
}

# PostgreSQL refuses to run as root; barman-cloud runs as the same user.
if [ "$(id -u)" -eq 0 ]; then
    as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
else
    as_postgres=(setpriv)
fi

# A clean environment for PostgreSQL and barman-cloud: credentials, no checksums that a store may
# not know, and backup ids in UTC.
server_environment=(
    env -i PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 TZ=UTC HOME=/nonexistent
    AWS_ACCESS_KEY_ID="$demo_access_key" AWS_SECRET_ACCESS_KEY="$demo_secret_key"
    AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
    AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
    AWS_REQUEST_CHECKSUM_CALCULATION=when_required AWS_RESPONSE_CHECKSUM_VALIDATION=when_required
)

sql() {
    "${as_postgres[@]}" "${server_environment[@]}" "$demo_postgres/psql" -X -A -t -q \
        -v ON_ERROR_STOP=1 -h "$demo_directory/postgres" -p "$postgres_port" -U postgres \
        -d postgres -c "$1"
}

base_backup() {
    "${as_postgres[@]}" "${server_environment[@]}" \
        "$demo_tools/venv/bin/barman-cloud-backup" --cloud-provider aws-s3 \
        --endpoint-url "http://127.0.0.1:$s3_port" --bzip2 --immediate-checkpoint \
        -h "$demo_directory/postgres" -p "$postgres_port" -U postgres \
        "$demo_destination" "$demo_server"
}

# The directory of the archive, behind the S3 server.
archive() { printf '%s' "$demo_directory/s3/$demo_bucket/cluster/$demo_server"; }

# The id of the newest base backup that has ended.
newest_backup() {
    local info newest=
    for info in "$(archive)"/base/*/backup.info; do
        if grep -q '^status=DONE$' "$info" 2>/dev/null; then newest="$(dirname "$info")"; fi
    done
    basename "$newest"
}

# Fetches a path from a port; status line, headers and body. There may be no curl.
fetch_from() {
    local connection
    exec {connection}<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&"$connection"
    timeout 10 cat <&"$connection"
    exec {connection}>&-
} 2>/dev/null

# The same of the daemon.
fetch() { fetch_from "$daemon_port" "$1"; }

# Whether Prometheus says that an alert of this name fires.
fires() {
    fetch_from "$prometheus_port" "/api/v1/query?query=ALERTS%7Balertname%3D%22$1%22%7D" |
        grep -q '"alertstate":"firing"'
}

# The verdict over all archives, which comes before those of each, or nothing when the daemon does
# not answer.
verdict() {
    fetch /api/v1/status | tr ',' '\n' | sed -n 's/.*"verdict": *"\([a-z_]*\)".*/\1/p' |
        sed -n 1p || true
}
