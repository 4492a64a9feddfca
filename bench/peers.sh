#!/usr/bin/env bash
# The peers that Fovea is measured beside: fetched from Debian's packages into a folder, and started on what is there.
# Usage: peers.sh get [ggml|torch...]   fetches their parts of a newer Debian; what is there stays. One that cannot be had
#                                       is reported as `absent: ...`
#        peers.sh root ggml|torch       prints the folder of a part; nothing when absent
#        peers.sh run PEER FOLDER       serves as peers/README.md says; PEER: ggml ggml:vector torch torch:serial limits.
#                                       Programs are those of FOVEA_BENCH_BIN; Vulkan is the environment's, as
#                                       tests/drivers.sh sets it
# FOVEA_PEERS_DIR (default <repository>/build/peers) may be moved; FOVEA_NEW_SUITE (default forky) is where to look first.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=${FOVEA_PEERS_DIR:-$repository/build/peers}
# shellcheck source=cmake/suites.sh
. "$repository/cmake/suites.sh"

suites_of() { echo "${FOVEA_NEW_SUITE:-forky}" trixie-backports; }

version_of() {
  local package=libggml0
  [ "$1" = ggml ] || package=python3-torch
  awk -v package="$package" '$2 == package { print $3 }' "$dir/$1/versions.txt"
}

fetch_ggml() { packages_of whole "$2" "$1" libggml0 libggml0-backend-vulkan libggml-dev && unpack "$1"; }
fetch_torch() { packages_of whole "$2" "$1" python3-torch libopenblas0-pthread && unpack "$1"; }

absent() {
  echo "$*"  # where a peer's `ready` is read
  exit 77
}

run() {
  # Threads of OpenBLAS that wait for more work would take a core from the next side, for 2^26 cycles of theirs.
  export OPENBLAS_THREAD_TIMEOUT=20
  local root lib drivers=${FOVEA_DRIVERS_DIR:-$repository/build/drivers} system=()
  case $1 in
    limits)
      OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=$(nproc) exec "$FOVEA_BENCH_BIN/fovea-peer-limits" "$2" ;;
    ggml | ggml:vector)
      is_complete ggml || absent "ggml is not fetched"
      root=$dir/ggml lib=$(libraries_of "$dir/ggml")
      # The driver's own libraries: of the newer Debian's, else of this system.
      system=("$(libraries_of "$drivers/new")" /usr/lib/*-linux-gnu /lib/*-linux-gnu)
      [ "$1" = ggml ] || export GGML_VK_DISABLE_COOPMAT=1
      # Some of its shaders take a driver minutes to compile.
      export MESA_SHADER_CACHE_DISABLE=false MESA_SHADER_CACHE_DIR=$dir/shaders
      # ggml hides CPU drivers unless a device is named.
      export GGML_VK_VISIBLE_DEVICES=${GGML_VK_VISIBLE_DEVICES:-0}
      exec "$(loader_of "$root")" --inhibit-cache --library-path "$lib:$(IFS=: && echo "${system[*]}")" \
        "$FOVEA_BENCH_BIN/fovea-peer-ggml" "$(first_of "$lib"/ggml/backends*)" "$2" ;;
    torch | torch:serial)
      is_complete torch || absent "PyTorch is not fetched"
      root=$dir/torch lib=$(libraries_of "$dir/torch")
      [ "$1" = torch ] || export OPENBLAS_NUM_THREADS=1
      export PYTHONHOME=$root/usr PYTHONPATH=$root/usr/lib/python3/dist-packages
      exec "$(loader_of "$root")" --inhibit-cache --library-path "$lib/openblas-pthread:$lib:$root/usr/lib" \
        "$root/usr/bin/python3" "$repository/bench/peers/torch_cpu.py" "$2" ;;
    *) absent "no peer '$1'" ;;
  esac
}

command=${1-}
[ $# -eq 0 ] || shift
case $command in
  get) fetch_missing "${@:-ggml}" || true ;;
  root) if is_complete "$1"; then echo "$dir/$1"; fi ;;
  run) run "$@" ;;
  *) sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" ;;
esac
