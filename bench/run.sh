#!/usr/bin/env bash
# Builds the benchmarks and measures Fovea beside its peers: prints the goals (bench/goals.txt) beside what was reached.
# Usage: bench/run.sh [DRIVER...] [-- OPTION...]
#   DRIVER   one of tests/drivers.sh that executes, lavapipe-new:512 for one with wider vectors, or `best`: the system's best
#            device, of which all rows are measured. None: the drivers that have goals, one after another
#   OPTION   of fovea-bench: `-- --rows softmax` measures the rows of that name; --help lists them
# Fetches what peers need (bench/peers.sh). Writes out/bench/<driver>.json, and out/bench/goals.svg of all that is there.
# Ratios hold on a busy machine better than times do; both mean most on a quiet one.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"
drivers=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  drivers+=("$1")
  shift
done
[ $# -eq 0 ] || shift
[ ${#drivers[@]} -gt 0 ] || mapfile -t drivers < <(awk '/^[a-z]/ && !seen[$1]++ { print $1 }' bench/goals.txt)

cmake/install_packages.sh libbenchmark-dev libopenblas-pthread-dev
bench/peers.sh get ggml torch
ggml=$(bench/peers.sh root ggml)
cmake --preset release -DFOVEA_BENCH=ON -DFOVEA_BENCH_GGML="$ggml" >/dev/null
cmake --build --preset release --target fovea-bench fovea-peer-limits ${ggml:+fovea-peer-ggml}
export FOVEA_BENCH_BIN=$repository/build/release/bin
mkdir -p out/bench

log=$repository/out/bench/peers.log
: >"$log"
peers=()
for peer in ggml ggml:vector torch torch:serial; do
  peers+=(--peer "$peer=bench/peers.sh run $peer 2>>'$log'")
done
peers+=(--limits "bench/peers.sh run limits 2>>'$log'")

for driver in "${drivers[@]}"; do
  start=()
  if [ "$driver" != best ]; then
    tests/drivers.sh get --require "${driver%%:*}"
    start=(tests/drivers.sh run "$driver" --)
  fi
  "${start[@]}" "$FOVEA_BENCH_BIN/fovea-bench" --driver "$driver" --goals bench/goals.txt "${peers[@]}" \
    --json "out/bench/${driver/:/-}.json" "$@"
done
"$FOVEA_BENCH_BIN/fovea-bench" --goals bench/goals.txt --merge out/bench/*.json --page out/bench/goals.svg
