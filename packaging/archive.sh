#!/usr/bin/env bash
# Packs a built binary with its manual pages, completions and licences.
#   packaging/archive.sh BINARY TARGET DIRECTORY
# Prints the archive's path. The pages and completions are written by a binary that runs here: RUNS, or BINARY.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -eq 3 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
binary=$1 target=$2 directory=$3 runs=${RUNS:-$1}

version=$("$runs" --version | awk '{ print $2 }')
name="acr-doctor-$version-$target"
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
mkdir -p "$staging/man" "$staging/completions" "$directory"

cp "$binary" "$staging/"
cp README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$staging/"
"$runs" man --dir "$staging/man"
"$runs" completions bash >"$staging/completions/acr-doctor.bash"
"$runs" completions zsh >"$staging/completions/_acr-doctor"
"$runs" completions fish >"$staging/completions/acr-doctor.fish"
"$runs" completions powershell >"$staging/completions/acr-doctor.ps1"

case $target in
  *windows*)
    archive="$directory/$name.zip"
    if command -v zip >/dev/null; then
      (cd "$staging" && zip -qr - .) >"$archive"
    else
      (cd "$staging" && 7z a -tzip -so "$name.zip" .) >"$archive"
    fi
    ;;
  *)
    archive="$directory/$name.tar.gz"
    # The same files give the same archive: owners, times and order are fixed where tar can.
    if tar --version 2>/dev/null | grep -q GNU; then
      tar -C "$staging" --sort=name --owner=0 --group=0 --numeric-owner --mtime='@0' -czf "$archive" .
    else
      tar -C "$staging" -czf "$archive" .
    fi
    ;;
esac
echo "$archive"
