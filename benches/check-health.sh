#!/usr/bin/env bash
# The real `az acr check-health` and acr-doctor in one world of the laboratory: the same healthy registry, the same identity,
# az signed in before, both warm. The median of 20 runs each, and what is installed for each.
#
#   tests/az/prepare && benches/check-health.sh
set -euo pipefail
cd "$(dirname "$0")/.."

az=$(PATH="$PATH:$PWD/target/az/venv/bin:/opt/az/bin" command -v az)
python=$(dirname "$az")/python
[ -x "$python" ] || { echo "$az is in no virtual environment; tests/az/prepare makes one" >&2; exit 2; }
cargo build --locked --release --quiet --bin acr-doctor
cargo build --locked --quiet --bin acr-doctor --example lab

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/measure.py" <<'PYTHON'
import os, statistics, sys, time

RUNS = 20
program, az = sys.argv[1:3]
arguments = ["-n", "myreg", "--yes", "--ignore-errors"]
os.environ["DOCKER_COMMAND"] = "/bin/true"
nothing = os.open(os.devnull, os.O_RDWR)


def once(line):
    start = time.perf_counter()
    child = os.posix_spawn(line[0], line, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nothing, n) for n in (1, 2)])
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"{line} ended with {status}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def measured(*line):
    once(line), once(line)
    return [statistics.median(column) for column in zip(*(once(line) for _ in range(RUNS)))]


def size(directory):
    seen, total = set(), 0
    for folder, _, names in os.walk(directory):
        for name in names:
            about = os.lstat(os.path.join(folder, name))
            total += 0 if about.st_ino in seen else about.st_blocks * 512
            seen.add(about.st_ino)
    return total


theirs = measured(az, "acr", "check-health", *arguments) + [size(sys.prefix)]
ours = measured(program, "check-health", *arguments) + [os.path.getsize(program)]
check = measured(program, "check", "-n", "myreg") + [os.path.getsize(program)]
print("| | `az acr check-health` | `acr-doctor check-health` | | `acr-doctor check` | |")
print("|---|--:|--:|--:|--:|--:|")
for what, unit, scale, a, b, c in zip(
    ("wall time", "CPU time", "peak memory", "installed"),
    ("ms", "ms", "MB", "MB"), (1e3, 1e3, 1e-6, 1e-6), theirs, ours, check,
):
    less = "smaller" if what == "installed" else "less"
    print(
        f"| {what} | {a * scale:.0f} {unit} | {b * scale:.1f} {unit} | {a / b:.0f} times {less} "
        f"| {c * scale:.1f} {unit} | {a / c:.0f} times {less} |"
    )
PYTHON
cat >"$work/world.toml" <<TOML
about = "a healthy registry behind private link"
world = "private-link"
[client]
az = true
[run]
deadline = 300
command = ["$python", "$work/measure.py", "$PWD/target/release/acr-doctor", "$az"]
TOML
PATH="$PATH:$(dirname "$az")" target/debug/examples/lab "$work/world" >"$work/said"
grep '^|' "$work/said" || { cat "$work/said" >&2; exit 1; }
