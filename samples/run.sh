#!/usr/bin/env bash
# Builds the denoising sample and runs it: on a fresh Debian 12, this is the one command.
# Usage: samples/run.sh [PICTURE] [OPTION...]
#   PICTURE         PNG or JPEG of up to 8 megapixels; the sample renders a scene when none is given
#   --out DIR       where the pictures go (default: <repository>/out/denoise)
#   --device NAME   a part of a device's name; without it a GPU is taken where the system has one, else
#                   the CPU. FOVEA_DEVICE in the environment means the same.
#                   swiftshader, lavapipe, lavapipe-new and lavapipe-backports name CPU drivers, fetched
#                   by tests/drivers.sh where they are not the system's own.
#   --noise S       standard deviation of noise to add, and to measure against (scene: 0.1, picture: none)
#   --sigma S       standard deviation of the noise that the picture has (default: estimated)
#   --strength N    bandwidth of the similarity, in standard deviations of the noise (default: 5)
#   --tune S        seconds to measure kernels for first (default: none)
#   --map X Y       the pixel whose attention is drawn
#   --size N        side of the rendered scene in pixels (default: 512)
#   --seed N        of the added noise (default: 1)
#   --validation    turns on the Vulkan validation layer
#   --list-devices  prints the devices and stops
# FOVEA_NO_INSTALL=1 installs no packages. Exit status: 0 done, 1 not to be done, 2 wrong usage.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=$repository/build/run.log

fail() {
  echo "samples/run.sh: $*" >&2
  exit 2
}

out=$repository/out/denoise
device=
picture=
arguments=()
while [ $# -gt 0 ]; do
  case $1 in  # a mistake should not wait for the packages and the build
    -h | --help)
      sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
      exit ;;
    --out=*) out=${1#*=} ;;
    --device=*) device=${1#*=} ;;
    --noise=* | --sigma=* | --strength=* | --tune=* | --size=* | --seed=* | --validation | --list-devices) arguments+=("$1") ;;
    --out | --device | --noise | --sigma | --strength | --tune | --size | --seed)
      [ $# -ge 2 ] || fail "$1 wants a value"
      case $1 in
        --out) out=$2 ;;
        --device) device=$2 ;;
        *) arguments+=("$1" "$2") ;;
      esac
      shift ;;
    --map)
      [ $# -ge 3 ] || fail "$1 wants two values"
      arguments+=("$1" "$2" "$3")
      shift 2 ;;
    --)
      [ $# -le 2 ] || fail "one picture is wanted, not $(($# - 1))"
      if [ $# -eq 2 ]; then picture=$2; shift; fi ;;
    -*) fail "no option '$1'; --help lists them" ;;
    *)
      [ -z "$picture" ] || fail "one picture is wanted, not '$picture' and '$1'"
      picture=$1 ;;
  esac
  shift
done
[ -z "$picture" ] || [ -r "$picture" ] || fail "$picture: no such file, or not readable"
[ -n "$out" ] || fail "--out wants a folder"

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
wanted=${device:-${FOVEA_DEVICE-}}
case ${wanted,,} in
  swiftshader | lavapipe | lavapipe-new | lavapipe-backports)
    wanted=${wanted,,}
    quietly "fetching $wanted" "$repository/tests/drivers.sh" get --require "$wanted"
    through=("$repository/tests/drivers.sh" run "$wanted" --)
    # The program knows devices by the names their drivers give.
    case $wanted in lavapipe*) wanted=llvmpipe ;; esac ;;
esac
if [ -n "$device" ]; then
  arguments+=(--device "$wanted")
elif [ -n "$wanted" ]; then
  export FOVEA_DEVICE=$wanted
fi

exec "${through[@]}" "$repository/build/release/bin/fovea-denoise" "${arguments[@]}" --out "$out" ${picture:+-- "$picture"}
