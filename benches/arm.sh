#!/usr/bin/env bash
# Measures how long the configuration of one registry takes to read, with a release build, in the laboratory: 21 private
# endpoints in 21 networks, the registry known by its name alone, each answer of Azure Resource Manager after 100 ms.
# Needs namespaces, as the scenarios do. A scenario of the test suite holds the number of round trips; this prints the time.
#
#   benches/arm.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --quiet --bin acr-doctor --example lab
echo '| requests of ARM | round trips | whole command |'
echo '|--:|--:|--:|'
for _ in $(seq "${1:-5}"); do
    target/release/examples/lab healthy/many-private-endpoints |
        sed -nE -e 's/^Azure Resource Manager: ([0-9]+) requests in ([0-9]+) round trips$/\1 | \2/;T exit;h' \
            -e ':exit' -e '/^exit /{s/^exit .* after ([0-9.]+) s\..*/\1 s/;H;g;s/\n/ | /;s/.*/| & |/p}'
done
