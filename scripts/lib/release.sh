# shellcheck shell=bash
# What the scripts that build, package and release have in common.
# shellcheck disable=SC2034  # Each script uses some of it.

# The oldest glibc that the shipped binary runs with: that of Debian 10 and of RHEL 8. It is copied into
# images that are not ours, so it may ask for little.
GLIBC_FLOOR=2.28

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# The comment at the top of a script is its help.
usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set /d' >&2
    exit 64
}

# The version that the sources have.
source_version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml; }

# One moment for everything that writes a time into what is built: that of the commit.
changed_at() { printf '%s\n' "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}"; }

# What packages and images call an architecture.
debian_architecture() {
    case "$1" in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        *) fail "expected x86_64 or aarch64, not '$1'" ;;
    esac
}
