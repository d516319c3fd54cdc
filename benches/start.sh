#!/usr/bin/env bash
# CPU time (user and system) of commands that need neither network nor files, the mean of 200 runs of a release build.
#
#   benches/start.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --quiet --bin acr-doctor
program=target/release/acr-doctor
runs=200
TIMEFORMAT='%U %S'

echo '| command | CPU time a run |'
echo '|---|--:|'
row() {
    local used
    used=$({ time for ((i = 0; i < runs; i++)); do "$program" "$@" >/dev/null || true; done; } 2>&1)
    awk -v command="acr-doctor $*" -v runs="$runs" \
        '{ printf "| `%s` | %.1f ms |\n", command, ($1 + $2) * 1000 / runs }' <<<"$used"
}
row --version
row --help
row check --help
row explain firewall/client-ip-not-allowed
row reconcile --config examples/subnet-rule-missing/config.json --probe examples/subnet-rule-missing/probe.json
