#!/usr/bin/env bash
# Vulkan drivers that need no GPU: fetched from Debian's packages into a folder, beside the system's
# own, and a program run on any one of them. Nothing is installed.
#
# Usage:
#   drivers.sh get [--require] [PART|DRIVER...]   fetches parts (default: the first three); what is there stays.
#       new          Mesa of a newer Debian with its own C library: lavapipe with cooperative
#                    matrices, the drivers that only compile, current glslang and SPIRV-Tools (bin/)
#       backports    lavapipe 25 built for Debian 12
#       swiftshader  SwiftShader, and a current Khronos validation layer
#       arm64        Mesa of a newer Debian for arm64, and qemu-user, which it is emulated with
#       arm64-layer  the validation layer for those
#     A part that cannot be had is reported as `absent: ...`; that is an error with --require only.
#   drivers.sh list                               name, executes|compiles|checks, present|absent, version
#   drivers.sh run [--validate | --gpu-assisted] DRIVER[:WHICH] -- PROGRAM [ARG...]
#     executing:    lavapipe lavapipe-backports lavapipe-new (WHICH: vector width 128, 256 or 512, that
#                   is subgroups of 4, 8 or 16; 256-O0 and so on: without LLVM's optimiser, which
#                   takes a third to nine tenths off compiling), swiftshader
#     compile-only: radv:navi31 nvk:172 turnip:740 honeykrisp anv:bmg (real machine code; a submit does nothing).
#                   anv wants a C compiler, for the library that stands in for its kernel driver;
#                   panvk:a867 v3dv:71 powervr take a program built for arm64 (cmake/aarch64.cmake)
#     --validate turns on the Khronos layer with synchronization validation. Its messages go to the
#     program's VK_EXT_debug_utils messenger, and to standard output only when there is none. (The
#     loader warns there too, of type GENERAL: heed those of type VALIDATION.)
#     --gpu-assisted has the layer instrument the shaders, too: it tells accesses past the end of a
#     binding.
#     Exits as the program does; 77 when the driver or the layer is absent.
#   drivers.sh env [--validate | --gpu-assisted] DRIVER[:WHICH]    the same as `export` lines, for a shell or a debugger
#
# FOVEA_DRIVERS_DIR (default <repository>/build/drivers) may be moved or copied as a whole; delete it
# to fetch newer versions. FOVEA_NEW_SUITE (default forky) is where `new` is looked for first,
# FOVEA_ARM64_SUITE (default sid: v3dv finds its simulated device from Mesa 26.2 on) where `arm64` is.
# FOVEA_DEBIAN_MIRROR (say http://deb.debian.org/debian; security beside it) overrides apt's own.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=${FOVEA_DRIVERS_DIR:-$repository/build/drivers}
# shellcheck source=cmake/suites.sh
. "$repository/cmake/suites.sh"
absent_status=77  # what CTest is told to count as skipped

# name              kind      part         manifest     shim       WHICH when none is given
drivers='
lavapipe            executes  system       lvp          -          -
lavapipe-backports  executes  backports    lvp          -          -
lavapipe-new        executes  new          lvp          -          -
swiftshader         executes  swiftshader  swiftshader  -          -
radv                compiles  new          radeon       amdgpu     navi31
nvk                 compiles  new          nouveau      nouveau    172
turnip              compiles  new          freedreno    freedreno  740
honeykrisp          compiles  new          asahi        asahi      -
anv                 compiles  new          intel        intel      bmg
panvk               compiles  arm64        panfrost     panfrost   a867
v3dv                compiles  arm64        broadcom     v3d        71
powervr             compiles  arm64        powervr_mesa powervr    -
'

fail() {
  echo "drivers.sh: $*" >&2
  exit 2
}

# --- Looking up -----------------------------------------------------------------------------------

# look_up DRIVER[:WHICH]: sets name kind part manifest shim which.
look_up() {
  local row
  row=$(awk -v name="${1%%:*}" '$1 == name' <<<"$drivers")
  [ -n "$row" ] || fail "unknown driver '$1'; 'drivers.sh list' names them"
  read -r name kind part manifest shim which <<<"$row"
  case $1 in *:*) which=${1#*:} ;; esac
  [ "$which" != - ] || which=
}

# manifest_of PART NAME: the path of an ICD manifest; nothing when absent.
manifest_of() {
  case $1 in
    system) first_of /usr/share/vulkan/icd.d/"$2"_icd*.json /etc/vulkan/icd.d/"$2"_icd*.json ;;
    *) if is_complete "$1"; then first_of "$dir/$1/usr/share/vulkan/icd.d/$2"_icd*.json; fi ;;
  esac
}

# shim_of SHIM PART: the library to preload; nothing when it cannot be had. Debian's, or else ours: compiled once for each state of its
# source, so that working trees may share the folder.
shim_of() {
  local source=$repository/tests/compile_only/$1_shim.c library
  if [ ! -e "$source" ]; then
    first_of "$(libraries_of "$dir/$2")/lib$1_noop_drm_shim.so"
    return
  fi
  [ "$(uname -m)" = x86_64 ] && command -v "${CC:-cc}" >/dev/null || return 0
  library=$dir/$1_shim-$(cksum <"$source" | tr ' ' -).so
  if [ ! -e "$library" ]; then
    "${CC:-cc}" -std=c11 -O1 -Wall -Wextra -fPIC -shared -o "$library.$$" "$source" -ldl -lpthread >&2 || return 0
    mv "$library.$$" "$library"
  fi
  echo "$library"
}

# The part that has the validation layer for the drivers of a part.
layer_part() { if [ "$1" = arm64 ]; then echo arm64-layer; else echo swiftshader; fi; }

# layer_folder PART: the folder that holds the layer's manifest: ours, or else the system's for its own machine.
layer_folder() {
  local manifest=VkLayer_khronos_validation.json folder folders=("$dir/$(layer_part "$1")/usr")
  [ "$1" = arm64 ] || folders+=(/usr)
  for folder in "${folders[@]}"; do
    folder=$folder/share/vulkan/explicit_layer.d
    if [ -e "$folder/$manifest" ]; then
      echo "$folder"
      return
    fi
  done
}

version_of() {
  local package=mesa-vulkan-drivers
  case $1 in swiftshader | arm64-layer) package='chromium-common' ;; esac
  # shellcheck disable=SC2016  # a format of dpkg-query, not a shell variable
  case $1 in
    system) dpkg-query -W -f '${Version}\n' "$package" 2>/dev/null | head -n 1 || true ;;
    *) awk -v package="$package" '$2 == package { print $3 }' "$dir/$1/versions.txt" ;;
  esac
}

list() {
  local row name kind part manifest shim version
  while read -r name kind part manifest shim row; do
    [ -n "$name" ] || continue
    if [ -n "$(manifest_of "$part" "$manifest")" ] && { [ "$shim" = - ] || [ -n "$(shim_of "$shim" "$part")" ]; }; then
      version=$(version_of "$part")
      printf '%-19s %-9s %-8s %s\n' "$name" "$kind" present "${version:-unknown}"
    else
      printf '%-19s %-9s %-8s %s\n' "$name" "$kind" absent -
    fi
  done <<<"$drivers"
  list_layer validation new
  list_layer validation-arm64 arm64
}

# list_layer NAME PART
list_layer() {
  case $(layer_folder "$2") in
    '') printf '%-19s %-9s %-8s %s\n' "$1" checks absent - ;;
    "$dir"/*) printf '%-19s %-9s %-8s %s\n' "$1" checks present "$(version_of "$(layer_part "$2")")" ;;
    *) printf '%-19s %-9s %-8s %s\n' "$1" checks present system ;;
  esac
}

# --- Running --------------------------------------------------------------------------------------

# settle [--validate | --gpu-assisted] DRIVER: looks the driver up, fills `settings` with NAME=VALUE pairs, and names in `preload`
# the library to preload, if any.
# Exits with 77 where the driver, or the layer asked for, is absent.
settle() {
  local validate='' assisted='' icd layer
  preload=
  case ${1-} in --gpu-assisted) assisted=yes ;; esac
  case ${1-} in
    --validate | --gpu-assisted)
      validate=yes
      shift ;;
  esac
  [ $# -eq 1 ] || fail "one driver is wanted, not '$*'"
  look_up "$1"
  icd=$(manifest_of "$part" "$manifest")
  if [ -z "$icd" ]; then
    case $part in
      system) echo "absent: $name (the package mesa-vulkan-drivers is not installed)" ;;
      *) echo "absent: $name ('tests/drivers.sh get $part' fetches it into $dir)" ;;
    esac
    exit $absent_status
  fi
  if [ "$shim" != - ]; then
    preload=$(shim_of "$shim" "$part")
    if [ -z "$preload" ]; then
      echo "absent: $name (it needs x86-64, and a C compiler for tests/compile_only/${shim}_shim.c)"
      exit $absent_status
    fi
  fi
  # The older name is for loaders before 1.3.207. Implicit layers reorder and hide devices.
  settings=("VK_DRIVER_FILES=$icd" "VK_ICD_FILENAMES=$icd" "VK_LOADER_LAYERS_DISABLE=~implicit~"
    "MESA_SHADER_CACHE_DISABLE=${MESA_SHADER_CACHE_DISABLE:-true}")
  case $name:${which%-O0} in
    lavapipe*:128 | lavapipe*:256 | lavapipe*:512)
      settings+=("LP_NATIVE_VECTOR_WIDTH=${which%-O0}")
      case $which in *-O0) settings+=(GALLIVM_PERF=nopt) ;; esac ;;
    radv:*) settings+=("AMDGPU_GPU_ID=$which") ;;
    nvk:*) settings+=("NOUVEAU_CHIPSET=$which" NVK_I_WANT_A_BROKEN_VULKAN_DRIVER=1) ;;
    turnip:*) settings+=("FD_GPU_ID=$which") ;;
    anv:tgl | anv:dg2 | anv:mtl | anv:lnl | anv:bmg)
      # xe drives the older ones, too, and ANV would warn of that.
      settings+=("FOVEA_INTEL_GPU=$which" INTEL_XE_IGNORE_EXPERIMENTAL_WARNING=1) ;;
    panvk:*) settings+=("PAN_GPU_ID=$which") ;;
    v3dv:42 | v3dv:71) settings+=("V3D_GPU_ID=$which") ;;
    *:) ;;
    *) fail "'$name' has no '$which'" ;;
  esac
  [ -n "$validate" ] || return 0
  layer=$(layer_folder "$part")
  if [ -z "$layer" ]; then
    echo "absent: validation ('tests/drivers.sh get $(layer_part "$part")' fetches the layer into $dir)"
    exit $absent_status
  fi
  case $assisted:$layer in
    yes:/usr/*)  # an older one, which does it otherwise
      echo "absent: GPU-assisted validation ('tests/drivers.sh get swiftshader' fetches the layer into $dir)"
      exit $absent_status ;;
  esac
  # The heuristic is what sees a missing barrier between two dispatches. With the limit on, the
  # eleventh message of a kind would go unheard.
  settings+=("VK_LAYER_PATH=$layer" VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation
    VK_LAYER_VALIDATE_SYNC=1 VK_LAYER_SYNCVAL_SHADER_ACCESSES_HEURISTIC=1
    VK_LAYER_ENABLE_MESSAGE_LIMIT=0)
  [ -n "$assisted" ] || return 0
  # It warns of what it is slow with, and of features that it would instrument and a device lacks.
  settings+=(VK_LAYER_GPUAV_ENABLE=1
    "VK_LAYER_MESSAGE_ID_FILTER=VALIDATION-SETTINGS,WARNING-Setting-Limit-Adjusted")
}

# What a caller's environment may hold and would change the choice of driver.
foreign=(VK_ADD_DRIVER_FILES VK_LOADER_DRIVERS_SELECT VK_LOADER_DRIVERS_DISABLE VK_LOADER_LAYERS_ENABLE
  VK_ADD_LAYER_PATH VK_LAYER_DEBUG_ACTION LP_NATIVE_VECTOR_WIDTH GALLIVM_PERF)

run() {
  local choice=() program machine lib loader emulator=() preload name kind part manifest shim which settings
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    choice+=("$1")
    shift
  done
  [ $# -ge 2 ] || fail "usage: drivers.sh run [--validate | --gpu-assisted] DRIVER[:WHICH] -- PROGRAM [ARG...]"
  shift
  settle "${choice[@]}"
  program=$(type -P "$1") || fail "no program '$1'"
  shift
  unset "${foreign[@]}"
  case $part in
    new | arm64) ;;
    *) exec env "${settings[@]}" "$program" "$@" ;;
  esac

  # Built against a newer C library: the program starts through that library's own loader. Then
  # /proc/self/exe is the loader, and only the program's own process sees the driver.
  [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || fail "$name runs a binary, not the script '$program'"
  if [ "$part" = arm64 ]; then
    machine=$(od -A n -t x1 -j 18 -N 1 "$program")
    [ "$machine" = ' b7' ] || fail "$name runs a program built for arm64, which '$program' is not"
    emulator=("$dir/arm64/emulator/usr/bin/qemu-aarch64")
  fi
  lib=$(libraries_of "$dir/$part")
  loader=$(loader_of "$dir/$part")
  unset LD_PRELOAD LD_LIBRARY_PATH
  export "${settings[@]}"
  exec "${emulator[@]}" "$loader" --inhibit-cache --library-path "$lib" ${preload:+--preload "$preload"} "$program" "$@"
}

print_env() {
  local setting preload name kind part manifest shim which settings
  settle "$@"
  case $part in new | arm64) fail "$name needs a loader of its own: use 'drivers.sh run $name -- PROGRAM'" ;; esac
  echo "unset ${foreign[*]}"
  for setting in "${settings[@]}"; do
    printf 'export %s=%q\n' "${setting%%=*}" "${setting#*=}"
  done
}

# --- Fetching -------------------------------------------------------------------------------------

# fetch_PART FOLDER [SUITE]: fills FOLDER with a part; what it prints last says why it could not.

fetch_new() {
  local tool
  packages_of whole "$2" "$1" mesa-vulkan-drivers mesa-drm-shim libvulkan1 libstdc++6 \
    glslang-tools spirv-tools && unpack "$1" || return
  mkdir -p "$1/bin" || return
  for tool in glslangValidator spirv-val spirv-opt spirv-as spirv-dis; do
    cat >"$1/bin/$tool" <<'WRAPPER' || return
#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")
for lib in "$root"/usr/lib/*-linux-gnu; do :; done
for loader in "$root"/usr/lib64/ld-linux*.so.* "$lib"/ld-linux*.so.*; do
  [ ! -e "$loader" ] || break
done
exec "$loader" --inhibit-cache --library-path "$lib" "$root/usr/bin/$(basename "$0")" "$@"
WRAPPER
    chmod +x "$1/bin/$tool"
  done
  # Does its C library start on this kernel?
  "$1/bin/glslangValidator" --version >/dev/null
}

fetch_backports() {
  packages_of alone "$2" "$1" mesa-vulkan-drivers && unpack "$1"
}

fetch_swiftshader() {
  local share=$1/usr/share/vulkan chromium=usr/lib/chromium
  packages_of alone "$2" "$1" chromium-common &&
    unpack "$1" "./$chromium/libvk_swiftshader.so" "./$chromium/libVkLayer_khronos_validation.so" &&
    mkdir -p "$share/icd.d" "$share/explicit_layer.d" || return
  cat >"$share/icd.d/swiftshader_icd.json" <<JSON || return
{ "file_format_version": "1.0.0",
  "ICD": { "library_path": "../../../../$chromium/libvk_swiftshader.so", "api_version": "1.3.0" } }
JSON
  cat >"$share/explicit_layer.d/VkLayer_khronos_validation.json" <<JSON
{ "file_format_version": "1.2.0",
  "layer": {
    "name": "VK_LAYER_KHRONOS_validation", "description": "Khronos Validation Layer", "type": "GLOBAL",
    "library_path": "../../../../$chromium/libVkLayer_khronos_validation.so",
    "api_version": "1.4.0", "implementation_version": "1",
    "instance_extensions": [
      { "name": "VK_EXT_debug_report", "spec_version": "9" },
      { "name": "VK_EXT_debug_utils", "spec_version": "1" },
      { "name": "VK_EXT_validation_features", "spec_version": "2" },
      { "name": "VK_EXT_layer_settings", "spec_version": "2" } ] } }
JSON
}

# The emulator is this machine's, and linked statically.
fetch_arm64() {
  architecture=arm64 packages_of whole "$2" "$1" mesa-vulkan-drivers mesa-drm-shim libvulkan1 libstdc++6 &&
    unpack "$1" && packages_of alone "$2" "$1/emulator" qemu-user &&
    unpack "$1/emulator" ./usr/bin/qemu-aarch64 && cat "$1/emulator/versions.txt" >>"$1/versions.txt" || return
  "$1/emulator/usr/bin/qemu-aarch64" "$(loader_of "$1")" --version >/dev/null
}

fetch_arm64-layer() { architecture=arm64 fetch_swiftshader "$@"; }

# suites_of PART: where to look for it, best first.
suites_of() {
  local codename
  codename=$(release)
  case $1 in
    new) echo "${FOVEA_NEW_SUITE:-forky}" trixie ;;
    backports) echo "$codename-backports" ;;
    swiftshader | arm64-layer) echo "$codename-security" "$codename" ;;
    arm64) echo "${FOVEA_ARM64_SUITE:-sid}" "${FOVEA_NEW_SUITE:-forky}" ;;
  esac
}

get() {
  local required='' named='' wanted=() argument part
  for argument in "$@"; do
    case $argument in
      --require) required=yes ;;
      new | backports | swiftshader | arm64 | arm64-layer) wanted+=("$argument") ;;
      validation) wanted+=(swiftshader) ;;
      -*) fail "unknown option '$argument'" ;;
      *)
        look_up "$argument"
        if [ "$part" != system ]; then wanted+=("$part"); fi ;;
    esac
    if [ "$argument" != --require ]; then named=yes; fi
  done
  if [ -z "$named" ]; then wanted=(new backports swiftshader); fi
  fetch_missing "${wanted[@]}" || [ -z "$required" ]
}

command=${1-}
[ $# -eq 0 ] || shift
case $command in
  get) get "$@" ;;
  list) list ;;
  run) run "$@" ;;
  env) print_env "$@" ;;
  -h | --help) sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" ;;
  *) fail "usage: drivers.sh get|list|run|env ... (drivers.sh --help)" ;;
esac
