#!/usr/bin/env bash
# Makes every pipeline on GPUs that are not there, under the validation layer: docs/drivers.md.
# Usage: tests/compile_only/run.sh [--write-budget | DOCTEST OPTION...] [DRIVER[:GPU]...]     default: every GPU below
# Wants fovea-pipelines built (preset release; FOVEA_PIPELINES: another; FOVEA_PIPELINE_GPUS: other defaults). Exits with 1 when one GPU fails; what is absent is
# named. The last lines are a summary.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
default_gpus='radv:polaris10 radv:vega10 radv:navi10 radv:navi21 radv:navi31 radv:gfx1201 nvk:162 nvk:170 nvk:172 nvk:177
  turnip:630 turnip:740 turnip:830 honeykrisp anv:tgl anv:dg2 anv:mtl anv:lnl anv:bmg'
options=()
named=()
for argument in "$@"; do
  case $argument in
    -*) options+=("$argument") ;;
    *) named+=("$argument") ;;
  esac
done
read -r -d '' -a gpus <<<"${named[*]:-${FOVEA_PIPELINE_GPUS:-$default_gpus}}" || true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
summary=()
failed=0
for gpu in "${gpus[@]}"; do
  status=0
  began=$SECONDS
  tests/drivers.sh run --validate "$gpu" -- "${FOVEA_PIPELINES:-build/release/bin/fovea-pipelines}" "$gpu" "${options[@]}" |
    tee "$log" || status=$?
  line=$(grep -E '^(compiled|absent)' "$log" | tail -n 1) || line=$gpu
  case $status in
    0 | 77) ;;  # 77: absent, which drivers.sh has said
    *)
      line="FAILED (exit $status): $line"
      failed=1 ;;
  esac
  summary+=("$line ($((SECONDS - began)) s)")
done
echo "=== summary"
printf '%s\n' "${summary[@]}"
exit $failed
