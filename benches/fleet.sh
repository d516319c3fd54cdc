#!/usr/bin/env bash
# Measures `acr-doctor audit` over fleets on this machine's loopback, each answer after 100 ms, with a release build.
# Prints a Markdown table. The output's sum is equal where the reports are equal to the byte.
#
#   benches/fleet.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --quiet --bin acr-doctor --example fleet
fleet=target/release/examples/fleet

echo '| fleet | requests | faults | greatest memory | time | exit | sum of the output |'
echo '|---|--:|--:|--:|--:|--:|---|'

# row LABEL REGISTRIES SUBSCRIPTIONS MODE FAULTS [AUDIT ARGUMENTS]
row() {
    local label=$1 registries=$2 subscriptions=$3 mode=$4 faults=$5
    shift 5
    "$fleet" "$registries" "$subscriptions" 100 "$mode" "$faults" ${1:+-- "$@"} 2>/dev/null |
        awk -v label="$label" '
            / registries in .* latency / { exit_code = $NF }
            /^requests: / { sub("^requests: ", ""); requests = $0 }
            /^answered 429/ { faults = $NF }
            /^greatest memory: / { memory = sprintf("%.0f MiB", $3 / 1024) }
            /^time: / { time = $2; sum = $NF }
            END {
                if (time == "") { print "no figures for " label > "/dev/stderr"; exit 1 }
                printf "| %s | %s | %s | %s | %s s | %s | %s |\n", label, requests, faults, memory, time, exit_code, sum
            }'
}

row '100 in 10' 100 10 graph 0
row '1,000 in 10' 1000 10 graph 0
row '10,000 in 100' 10000 100 graph 0
row '10,000 in 100, 10 % faults' 10000 100 graph 10
row '10,000 in 100, Resource Graph denied' 10000 100 denied 0
row '10,000 in 100, rows hide subnet rules' 10000 100 hidden 0
row '10,000 in 100, rows hide subnet rules, `--subnet-rules all`' 10000 100 hidden 0 -o table --subnet-rules all
row '10,000 in 100, half forbidden' 10000 100 half 0
row '10,000 in 100, half forbidden, `--strict`' 10000 100 half 0 -o table --strict
row '1,000 in 10, `-o jsonl`' 1000 10 graph 0 -o jsonl
row '10,000 in 100, `-o jsonl`' 10000 100 graph 0 -o jsonl
row '20,000 in 100, `-o jsonl`' 20000 100 graph 0 -o jsonl
row '50,000 in 100, `-o jsonl`' 50000 100 graph 0 -o jsonl
