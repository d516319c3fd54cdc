#!/usr/bin/env bash
# Measures how long the configuration of one registry takes to read, with a release build, in the laboratory: 21 private
# endpoints in 21 networks, the registry known by its name alone, each answer of Azure Resource Manager after 100 ms.
# Needs namespaces, as the scenarios do. A scenario of the test suite holds the number of round trips; this prints the time.
#
#   benches/arm.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --quiet --bin acr-doctor --example lab
lab=target/release/examples/lab
scenario=tests/scenarios/healthy/many-private-endpoints.toml
worlds=$(mktemp -d)
trap 'rm -rf "$worlds"' EXIT
# The rounds are counted by an ARM that waits for them; the time is taken with one that answers each request by itself.
sed -e 's/^latency_ms = .*/latency_ms = 100/' -e '/^in_rounds/d' -e '/^arm_rounds/d' "$scenario" >"$worlds/timed.toml"
counted=$("$lab" healthy/many-private-endpoints |
    sed -nE 's/^Azure Resource Manager: ([0-9]+) requests in ([0-9]+) round trips$/\1 | \2/p')

echo '| requests of ARM | round trips | whole command |'
echo '|--:|--:|--:|'
for _ in $(seq "${1:-5}"); do
    "$lab" "$worlds/timed" | sed -nE "s/^exit .* after ([0-9.]+) s\\..*/| $counted | \\1 s |/p"
done
