#!/usr/bin/env bash
# Builds the denoising sample and runs it: on a fresh Debian 12, this is the one command.
# Usage: samples/run.sh [PICTURE] [--out DIR] [--device NAME]
#   PICTURE   what to clean; the sample brings its own when none is given
#   --out     where the pictures go (default: <repository>/out/denoise)
#   --device  a part of a device's name; without it a GPU is taken where the system has one, else
#             the CPU. FOVEA_DEVICE in the environment means the same.
#             swiftshader, lavapipe, lavapipe-new and lavapipe-backports name CPU drivers, fetched
#             by tests/drivers.sh where they are not the system's own.
# FOVEA_NO_INSTALL=1 installs no packages.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=$repository/build/run.log

fail() {
  echo "samples/run.sh: $*" >&2
  exit 2
}

out=$repository/out/denoise
device=${FOVEA_DEVICE-}
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit ;;
    --out=*) out=${1#*=} ;;
    --device=*) device=${1#*=} ;;
    --out | --device)
      [ $# -ge 2 ] || fail "$1 wants a value"
      if [ "$1" = --out ]; then out=$2; else device=$2; fi
      shift ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

# quietly WHAT COMMAND [ARG...]: one line for the reader, everything else into the log.
quietly() {
  local what=$1 start=$SECONDS
  shift
  printf '%s ... ' "$what"
  if (cd "$repository" && "$@") >>"$log" 2>&1; then
    echo "$((SECONDS - start)) s"
  else
    echo "failed; the end of $log:"
    tail -n 40 "$log"
    exit 1
  fi
}

"$repository/cmake/install_packages.sh"
mkdir -p "$repository/build"
: >"$log"
quietly "configuring" cmake --preset release
quietly "building" cmake --build --preset release --target fovea-denoise

through=()
case $device in
  swiftshader | lavapipe | lavapipe-new | lavapipe-backports)
    quietly "fetching $device" "$repository/tests/drivers.sh" get --require "$device"
    through=("$repository/tests/drivers.sh" run "$device" --)
    # The program knows devices by the names their drivers give.
    case $device in lavapipe*) device=llvmpipe ;; esac ;;
esac
if [ -n "$device" ]; then
  export FOVEA_DEVICE=$device
  arguments+=(--device "$device")
fi

mkdir -p "$out"
exec "${through[@]}" "$repository/build/release/bin/fovea-denoise" "${arguments[@]}" --out "$out"
