#!/usr/bin/env bash
# A full `check` over a link of 50 ms there and back, against the round trips that wait for each other: the registry is found
# by name alone, behind a private endpoint, in the laboratory (Linux, namespaces). The program itself counts the round trips
# of its critical path.
#
#   benches/critical-path.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --quiet --bin acr-doctor --example lab
worlds=$(mktemp -d)
trap 'rm -rf "$worlds"' EXIT
rtt=50
cat >"$worlds/far.toml" <<WORLD
about = "A registry behind a private endpoint, far away."
world = "private-link"
[link]
rtt_ms = $rtt
WORLD

echo "| time | round trips of the path | times $rtt ms | ratio |"
echo '|--:|--:|--:|--:|'
for _ in $(seq "${1:-5}"); do
    target/release/examples/lab "$worlds/far" -- check -n myreg --timings -o json |
        awk -v rtt="$rtt" -F '[:,]' '
            /^  "timings": / { timings = 1 }
            timings && /^    "ms": / { ms = $2 + 0 }
            timings && /^    "roundTrips": / { trips = $2 + 0 }
            END {
                if (!trips) { print "no timings in the report" > "/dev/stderr"; exit 1 }
                printf "| %.0f ms | %d | %d ms | %.2f |\n", ms, trips, trips * rtt, ms / (trips * rtt)
            }'
done
