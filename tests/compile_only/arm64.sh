#!/usr/bin/env bash
# Makes every pipeline on the GPUs whose drivers Debian has for arm64 only, emulated: docs/drivers.md.
# Usage: tests/compile_only/arm64.sh [--write-budget | DOCTEST OPTION...] [DRIVER[:GPU]...]     default: panvk:a867 v3dv:71 powervr
#   e.g. tests/compile_only/arm64.sh -tc="softmax*" panvk:a867     some test cases only: the whole is slow
#   FOVEA_TEST_SHARE  which of each kernel's graphs (tests/support/run.hpp): by default the first two, and each sixteenth, or 32nd with forced kernels; empty: all,
#                     for hours
# Installs the cross compiler, fetches drivers and libraries, and builds fovea-pipelines (preset arm64), each where it is
# missing. Exits with 1 when the build or one GPU fails; what is absent is named.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$repository"

# What fovea-pipelines links, of this Debian's release, for arm64: cmake/aarch64.cmake finds it here.
dir=$repository/build/arm64-packages
# shellcheck source=cmake/suites.sh
. cmake/suites.sh
suites_of() { release; }
version_of() { awk '$2 == "glslang-dev" { print $3 }' "$dir/$1/versions.txt"; }
fetch_glslang() {
  architecture=arm64 packages_of alone "$2" "$1" glslang-dev glslang-tools spirv-tools && unpack "$1"
}

cmake/install_packages.sh g++-aarch64-linux-gnu
tests/drivers.sh get new arm64 arm64-layer  # new: a current glslang
fetch_missing glslang
cmake --preset arm64
cmake --build --preset arm64 --parallel "$(nproc)"
if [ -n "${FOVEA_TEST_SHARE=2,0,16}" ]; then export FOVEA_TEST_SHARE; else unset FOVEA_TEST_SHARE; fi
FOVEA_PIPELINES=build/arm64/bin/fovea-pipelines FOVEA_PIPELINE_GPUS='panvk:a867 v3dv:71 powervr' exec tests/compile_only/run.sh "$@"
