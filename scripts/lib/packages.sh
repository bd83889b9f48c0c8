# shellcheck shell=bash
# The checks of scripts/check-packages. Each ends the script where something is not as it should be.
# shellcheck disable=SC2154  # binary, architecture, version and scratch are the script's.
# shellcheck disable=SC2016  # What dpkg and rpm expand themselves.

# Mode and path of every file, as both packages have them.
package_files() {
    cat <<LIST
-rw-r--r-- /etc/cnpg-backup-verifier/config.yaml
-rw-r--r-- /usr/lib/systemd/system/cnpg-backup-verifier.service
-rw-r--r-- $1
-rwxr-xr-x /usr/bin/cnpg-backup-verifier
LIST
}

# Fails if two texts differ, and shows how.
same() {
    local what="$1"
    diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") || fail "$what: expected the lines with <"
}

check_deb() {
    local deb="$1" root="$scratch/deb" control="$scratch/control"
    dpkg-deb --raw-extract "$deb" "$root"
    mv "$root/DEBIAN" "$control"
    same "files of $deb" "$(package_files /usr/share/doc/cnpg-backup-verifier/copyright)" \
        "$(cd "$root" && find . -type f -printf '%M /%P\n' | sort -k 1,1 -k 2,2)"
    cmp "$binary" "$root/usr/bin/cnpg-backup-verifier" || fail "$deb holds another program"
    same "conffiles of $deb" /etc/cnpg-backup-verifier/config.yaml "$(cat "$control/conffiles")"
    cmp packaging/after-install.sh "$control/postinst"
    cmp packaging/before-removal.sh "$control/prerm"
    same "scripts of $deb" 'postinst prerm' \
        "$(cd "$control" && find . -type f -perm /111 -printf '%P\n' | sort | xargs)"
    same "fields of $deb" "cnpg-backup-verifier $version $architecture libc6 (>= $GLIBC_FLOOR), ca-certificates" \
        "$(dpkg-deb --show --showformat='${Package} ${Version} ${Architecture} ${Depends}' "$deb")"
}

check_rpm() {
    local rpm="$1" checksum
    same "files of $rpm" "$(package_files /usr/share/licenses/cnpg-backup-verifier/LICENSE)" \
        "$(rpm -qp --queryformat '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" | grep -v '^d' | sort -k 1,1 -k 2,2)"
    checksum="$(rpm -qp --queryformat '[%{FILENAMES} %{FILEDIGESTS}\n]' "$rpm" |
        sed -n 's#^/usr/bin/cnpg-backup-verifier ##p')"
    same "program in $rpm" "$(sha256sum <"$binary" | cut -d ' ' -f 1)" "$checksum"
    same "configuration of $rpm" /etc/cnpg-backup-verifier/config.yaml "$(rpm -qp --configfiles "$rpm")"
    # The quotation marks and headings are rpm's.
    same "scripts of $rpm" "$(cat packaging/after-install.sh packaging/before-removal.sh | grep -v '^$')" \
        "$(rpm -qp --queryformat '%{POSTIN}\n%{PREUN}\n' "$rpm" | grep -v '^$')"
    rpm -qp --requires "$rpm" | grep -qFx "glibc >= $GLIBC_FLOOR" || fail "$rpm does not ask for its glibc"
    same "architecture of $rpm" "$version ${architecture/amd64/x86_64}" \
        "$(rpm -qp --queryformat '%{VERSION} %{ARCH}' "$rpm" | sed 's/aarch64/arm64/')"
}

check_archive() {
    mkdir "$scratch/archive"
    tar --extract --file "$1" --directory "$scratch/archive"
    same "files of $1" $'-rw-r--r-- LICENSE\n-rw-r--r-- README.md\n-rwxr-xr-x cnpg-backup-verifier' \
        "$(cd "$scratch/archive" && find . -type f -printf '%M %P\n' | sort -k 2,2)"
    cmp "$binary" "$scratch/archive/cnpg-backup-verifier" || fail "$1 holds another program"
}

check_again() {
    local file
    scripts/package "$1" "$2" "$scratch/again" >/dev/null
    for file in "$scratch"/again/*; do
        cmp "$file" "$name${file##*"linux_$architecture"}" || fail "packed again, $file has other bytes"
    done
}

# Of an architecture that was not built here the archive of the other one stands in.
check_krew() {
    local folder="$scratch/krew" one archive
    mkdir "$folder"
    for one in amd64 arm64; do
        archive="cnpg-backup-verifier_${version}_linux_$one.tar.gz"
        cp "$1/$archive" "$folder" 2>/dev/null || cp "$name.tar.gz" "$folder/$archive"
    done
    scripts/krew-manifest "$folder" >"$scratch/backup-verifier.yaml"
    ! grep -nE 'VERSION|SHA256_|^#' "$scratch/backup-verifier.yaml" || fail 'the krew manifest has holes'
    same 'checksums of the krew manifest' "$(cd "$folder" && sha256sum ./*.tar.gz | cut -d ' ' -f 1)" \
        "$(sed -n 's/^ *sha256: //p' "$scratch/backup-verifier.yaml")"
    grep -qFx "  version: v$version" "$scratch/backup-verifier.yaml" || fail 'the krew manifest has no version'
}

# The status of this machine's dpkg stands in for that of the image's.
check_sbom() {
    local folder="$scratch/status.d" bom="$scratch/bom.json"
    mkdir "$folder"
    dpkg-query --status libc6 libgcc-s1 | csplit --quiet --prefix="$folder/" - '/^Package: /' '{1}'
    scripts/sbom "$1-unknown-linux-gnu" "$folder" >"$bom"
    "$(scripts/install-tools --where)/packages/bin/python" - "$bom" <<'PYTHON'
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = open(sys.argv[1], encoding="utf-8").read()
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
assert wrong is None, wrong
names = {it["name"] for it in json.loads(text)["components"]}
assert {"aws-sdk-s3", "rustls", "libsqlite3-sys", "libc6"} <= names, names
# For tests, for building, and for another system.
assert not {"proptest", "cc", "serde_derive", "windows-sys"} & names, names
PYTHON
}

check_unit() {
    local unit=usr/lib/systemd/system/cnpg-backup-verifier.service said
    said="$(systemd-analyze verify --man=no "$scratch/deb/$unit" 2>&1 |
        grep -v 'Command /usr/bin/cnpg-backup-verifier is not executable' || true)"
    [ -z "$said" ] || fail "the unit is not valid: $said"
}

# What the service is told, with a directory as its store, and where it may write replaced.
check_service() {
    local root="$scratch/deb" unit config="$scratch/config.yaml" name value i
    unit="$root/usr/lib/systemd/system/cnpg-backup-verifier.service"
    mkdir -p "$scratch/state/cnpg-backup-verifier" "$scratch/keys" "$scratch/store/postgres-main"
    printf 'invented' | tee "$scratch/keys/ACCESS_KEY_ID" >"$scratch/keys/ACCESS_SECRET_KEY"
    sed "s#s3://cnpg/#file://$scratch/store/#; /endpoint_url/d; s/127.0.0.1:8080/127.0.0.1:0/" \
        "$root/etc/cnpg-backup-verifier/config.yaml" >"$config"
    local settings=()
    while IFS='=' read -r name value; do
        value="${value//%S/$scratch/state}"
        settings+=("$name=${value//%d/$scratch/keys}")
    done < <(sed -n 's/^Environment=//p' "$unit")
    grep -qFx 'ExecStart=/usr/bin/cnpg-backup-verifier run --config /etc/cnpg-backup-verifier/config.yaml' "$unit" ||
        fail 'the unit starts something else'
    env --ignore-environment "${settings[@]}" "$root/usr/bin/cnpg-backup-verifier" run --config "$config" \
        --log-format json 2>"$scratch/log" &
    daemon=$!
    for ((i = 0; i < 100; i++)); do
        ! grep -q 'archive_empty' "$scratch/log" || break
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.1
    done
    grep -q 'archive_empty' "$scratch/log" || fail "the service says nothing of its archive: $(cat "$scratch/log")"
    [ -s "$scratch/state/cnpg-backup-verifier/ledger.sqlite" ] || fail 'the service has no ledger'
    kill "$daemon"
    wait "$daemon" || fail "the service ended with $?"
    daemon=''
}

check_verdict() {
    local code=0
    "$scratch/archive/cnpg-backup-verifier" check --archive "file://$scratch/store/postgres-main" -o json \
        >"$scratch/verdict.json" 2>"$scratch/verdict.log" || code=$?
    [ "$code" -eq 2 ] || fail "an empty archive is $code: $(cat "$scratch/verdict.json")"
}
