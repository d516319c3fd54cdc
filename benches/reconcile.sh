#!/usr/bin/env bash
# Measures how many registries a second reconciliation judges on one core, with a release build. Prints a Markdown table.
#
#   benches/reconcile.sh
set -euo pipefail
cd "$(dirname "$0")/.."

cargo bench --locked --quiet --bench reconcile
