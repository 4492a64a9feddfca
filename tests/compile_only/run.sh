#!/usr/bin/env bash
# Makes every pipeline on GPUs that are not there, under the validation layer: docs/drivers.md.
# Usage: tests/compile_only/run.sh [--write-budget] [DRIVER[:GPU]...]     default: every GPU below
# Wants fovea-pipelines built (preset release). Exits with 1 when one GPU fails; what is absent is named.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
gpus=(radv:polaris10 radv:vega10 radv:navi10 radv:navi21 radv:navi31 radv:gfx1201 nvk:162 nvk:170 nvk:172 nvk:177
  turnip:630 turnip:740 turnip:830 honeykrisp anv:tgl anv:dg2 anv:mtl anv:lnl anv:bmg)
options=()
named=()
for argument in "$@"; do
  case $argument in
    -*) options+=("$argument") ;;
    *) named+=("$argument") ;;
  esac
done
if [ ${#named[@]} -gt 0 ]; then gpus=("${named[@]}"); fi
failed=0
for gpu in "${gpus[@]}"; do
  status=0
  tests/drivers.sh run --validate "$gpu" -- build/release/bin/fovea-pipelines "$gpu" "${options[@]}" || status=$?
  case $status in
    0 | 77) ;;  # 77: absent, which drivers.sh has said
    *)
      echo "FAILED: $gpu (exit $status)"
      failed=1 ;;
  esac
done
exit $failed
