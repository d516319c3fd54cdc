#!/usr/bin/env bash
# Size of the stripped release binary, and how long builds and tests take on this machine. Builds into a directory of its
# own, so that "clean" is clean; takes about ten minutes on two cores.
#
#   benches/size.sh
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR
CARGO_TARGET_DIR=$(mktemp -d)
source=src/facts/mod.rs
saved=$(mktemp)
cp -p "$source" "$saved"
trap 'cp -p "$saved" "$source"; rm -rf "$CARGO_TARGET_DIR" "$saved"' EXIT

# clock COMMAND…: whole seconds that it took.
clock() {
    local start=$SECONDS
    "$@" >&2
    echo $((SECONDS - start))
}

release=$(clock cargo build --locked --release --quiet --bin acr-doctor)
size=$(stat -c %s "$CARGO_TARGET_DIR/release/acr-doctor")
debug=$(clock cargo test --locked --quiet --no-run)
printf '\n/// Changed by the measurement.\npub const MEASURED: u8 = 1;\n' >>"$source"
incremental=$(clock cargo test --locked --quiet --no-run)
cp -p "$saved" "$source"
tests=$(clock cargo test --locked --quiet)

echo '| what | figure |'
echo '|---|--:|'
awk -v bytes="$size" 'BEGIN { printf "| stripped binary | %.1f MB |\n", bytes / 1e6 }'
echo "| \`cargo build --release\`, clean | $release s |"
echo "| \`cargo test --no-run\`, clean | $debug s |"
echo "| \`cargo test --no-run\` after a change in the lowest module | $incremental s |"
echo "| \`cargo test\`, built, the laboratory among it | $tests s |"
