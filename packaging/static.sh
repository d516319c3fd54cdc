#!/usr/bin/env bash
# Builds the static binary that the image holds, and tries it as there: in a root directory with nothing but /dev, a
# resolv.conf and the certificate authorities, against a healthy registry of the laboratory (Linux, namespaces).
# Prints the binary's path.
#
#   packaging/static.sh
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=$PWD/target/static
RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --quiet --bin acr-doctor --target "$target"
program=$CARGO_TARGET_DIR/$target/release/acr-doctor
unset CARGO_TARGET_DIR
if readelf -d "$program" | grep -q NEEDED; then
    echo "$program needs shared libraries" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/empty.sh" <<'SH'
set -eu
root=$(mktemp -d)
mkdir -p "$root/dev" "$root/etc" "$root$(dirname "$SSL_CERT_FILE")"
mount --bind /dev "$root/dev"
cp "$1" "$root/acr-doctor"
cp /etc/resolv.conf "$root/etc"
cp "$SSL_CERT_FILE" "$root$SSL_CERT_FILE"
chroot "$root" /acr-doctor check -n myreg
SH
cat >"$work/empty.toml" <<WORLD
about = "a healthy registry, seen from an empty root"
world = "private-link"
[run]
command = ["sh", "$work/empty.sh", "$program"]
WORLD
cargo build --locked --quiet --bin acr-doctor --example lab
target/debug/examples/lab "$work/empty" >"$work/said"
grep -q '^exit Some(0)' "$work/said" || { cat "$work/said" >&2; exit 1; }
echo "$program"
