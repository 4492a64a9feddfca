#!/usr/bin/env bash
# What the denoiser and samples/run.sh answer to a mistake, without a device, packages or a build.
# Usage: usage.sh FOVEA_DENOISE SAMPLES_RUN_SH
set -uo pipefail

denoise=$1
run=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# expect STATUS TEXT COMMAND...: it ends with that status, says that text and makes nothing in the folder.
expect() {
  local status=$1 text=$2 said got=0
  shift 2
  said=$(cd "$folder" && "$@" 2>&1) || got=$?
  if [ "$got" -eq "$status" ] && [[ $said == *"$text"* ]] && [ "$(ls "$folder")" = file ]; then return; fi
  echo "FAILED: $*: status $got, not $status; it says '$said', not '$text'; the folder holds $(ls "$folder")"
  failed=1
}

echo text >"$folder/file"
export VK_DRIVER_FILES=$folder/none VK_ICD_FILENAMES=$folder/none  # whoever asks for a device before the mistake fails otherwise
expect 2 "fovea-denoise: The following argument was not expected: --bogus" "$denoise" --bogus
expect 2 "--size: Value 5 not in range" "$denoise" --size 5
expect 1 "none.png: cannot be opened" "$denoise" none.png --out new
expect 1 "file: is neither a PNG nor a JPEG" "$denoise" file --out new
expect 1 "--map 64 3: outside the 64x64 picture" "$denoise" --size 64 --map 64 3 --out new
expect 1 "--out '': names no folder" "$denoise" --out ""
expect 1 "file: is not a folder" "$denoise" --out file
expect 1 "fovea-denoise: " "$denoise" --out new/folder  # no device
expect 2 "no option '--bogus'" "$run" --bogus
expect 2 "none.png: no such file" "$run" none.png
expect 2 "one picture is wanted" "$run" file other
expect 2 "--map wants two values" "$run" --map 3
expect 2 "--out wants a folder" "$run" --out ""

for option in $("$denoise" --help | grep -o -- '--[a-z-]*' | grep -vx -- --help | sort -u); do
  "$run" --help | grep -q -- "$option\b" || { echo "FAILED: samples/run.sh --help does not list $option"; failed=1; }
  said=$("$run" "$option" 1 2 none.png 2>&1)
  if [[ $said == *"no option"* ]]; then echo "FAILED: $said"; failed=1; fi
done
exit $failed
