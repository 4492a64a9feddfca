#!/usr/bin/env bash
# Builds the benchmarks and runs them, on the best device or on the drivers named.
# Usage: bench/run.sh [DRIVER...] [-- BENCHMARK ARGUMENT...]
#   DRIVER     lavapipe, lavapipe-backports, lavapipe-new, swiftshader (tests/drivers.sh); none: the best device
# Writes JSON to out/bench/<driver>.json. Times mean something on a quiet machine; the ratios hold on a noisy one.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"
drivers=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  drivers+=("$1")
  shift
done
[ $# -eq 0 ] || shift

cmake/install_packages.sh libbenchmark-dev
cmake --preset release -DFOVEA_BENCH=ON >/dev/null
cmake --build --preset release --target fovea-bench
mkdir -p out/bench
if [ ${#drivers[@]} -eq 0 ]; then
  exec build/release/bin/fovea-bench --benchmark_out=out/bench/best.json "$@"
fi
for driver in "${drivers[@]}"; do
  tests/drivers.sh get --require "$driver"
  tests/drivers.sh run "$driver" -- build/release/bin/fovea-bench --benchmark_out="out/bench/$driver.json" "$@"
done
