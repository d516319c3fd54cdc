#!/usr/bin/env bash
# How long `check --timeout 5` takes where every endpoint of the registry is dropped in silence, by the number of
# replicas, in the laboratory (Linux, namespaces). Each replica has a data endpoint of its own.
#
#   benches/dead-networks.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --quiet --bin acr-doctor --example lab
worlds=$(mktemp -d)
trap 'rm -rf "$worlds"' EXIT

# world REPLICAS FILE
world() {
    cat <<'WORLD'
about = "Everything that belongs to the registry is dropped."
world = "public-geo"
[break.network]
drop = ["public:myreg.azurecr.io", "*.data.azurecr.io"]
WORLD
    for ((i = 1; i <= $1; i++)); do
        cat <<WORLD
[arm."registries/myreg/replications/region$i"]
location = "region$i"
properties = { provisioningState = "Succeeded", regionEndpointEnabled = true }
WORLD
    done
}

echo '| replicas | endpoints in the report | time |'
echo '|--:|--:|--:|'
for replicas in 1 10 50; do
    world "$replicas" >"$worlds/dead.toml"
    target/release/examples/lab "$worlds/dead" -- check -n myreg --timeout 5 -o json >"$worlds/out"
    endpoints=$(grep -o '"endpoint": "[^"]*azurecr.io"' "$worlds/out" | sort -u | wc -l)
    sed -nE "s/^exit .* after ([0-9.]+) s\\..*/| $replicas | $endpoints | \\1 s |/p" "$worlds/out"
done
