#!/usr/bin/env bash
# Installs the Debian packages that a build of Fovea needs, where they are missing.
# Usage: cmake/install_packages.sh [PACKAGE...]     (more packages, beside those of the build)
#   FOVEA_NO_INSTALL=1 installs nothing and builds with what is there.
# Says nothing and takes no network when all are installed. Wants root, or sudo.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache pkg-config
  libvulkan-dev libvulkan1 mesa-vulkan-drivers
  glslang-tools glslang-dev spirv-tools
  doctest-dev libglm-dev libstb-dev libcli11-dev nlohmann-json3-dev libfmt-dev libeigen3-dev
  curl ca-certificates
  "$@"
)

die() {
  printf 'install_packages.sh: %s\n' "$@" >&2
  exit 1
}

[ -z "${FOVEA_NO_INSTALL:-}" ] || exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  die "this is not a Debian-like system (no apt-get); install the counterparts of" \
    "  ${packages[*]}" \
    "and set FOVEA_NO_INSTALL=1"
fi

missing=()
for package in "${packages[@]}"; do
  # shellcheck disable=SC2016  # a format of dpkg-query, not a shell variable
  state=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | head -n 1) || state=
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null ||
    die "not root, and no sudo; ask an administrator for: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300
  -o Acquire::Retries=3)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing ${missing[*]}"
# A stranger's broken repository fails `update` and need not concern us: `install` decides.
"${apt[@]}" update >"$log" 2>&1 || true
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
  tail -n 20 "$log" >&2
  die "could not install ${missing[*]}; is this machine offline, or its package mirror out of reach?"
fi
