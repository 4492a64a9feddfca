#!/usr/bin/env bash
# Builds everything and runs every test: on each Vulkan driver to be had without a GPU, and those that
# need no device under the sanitizers too. Makes every pipeline on drivers that only compile.
# Usage: tests/run.sh [CTEST ARGUMENT...]     e.g. tests/run.sh -R softmax
#   FOVEA_TEST_DRIVERS  the drivers, separated by semicolons (default lavapipe;lavapipe-new;swiftshader;
#                       tests/drivers.sh list names them all)
#   FOVEA_TEST_WIDTHS   a driver in several widths of vectors, on which a part of the tests runs, in f32 (default lavapipe 25
#                       in subgroups of 4, 8 and 16; an empty list: none); docs/drivers.md
#   FOVEA_TEST_SHARES=OFF  every driver runs every graph of the operators' tests (by default each runs the first with each
#                       choice of kernels, and a part of the others: docs/architecture.md, "Tests")
#   FOVEA_TEST_COMPILERS  drivers that only compile, likewise (default radv:navi31;nvk:172;turnip:740;honeykrisp;
#                       an empty list: none); docs/drivers.md
#   FOVEA_TEST_PRESETS  the presets (default "release asan"); all but release run the label `host` only
#   FOVEA_WERROR=ON     makes every warning an error
#   FOVEA_NO_INSTALL=1  installs no packages
# The corpora's results become one page, build/conformance.html. A driver that cannot be had is
# reported as absent. A driver of an unknown name, none at all, one on
# which nothing ran, a build that breaks, arguments that no test matches, and a test that fails each
# count as a failure. The last line is `N passed, N failed`.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"
read -ra presets <<<"${FOVEA_TEST_PRESETS:-release asan}"
IFS=';' read -ra wanted <<<"${FOVEA_TEST_DRIVERS:-lavapipe;lavapipe-new;swiftshader}"
default_widths='lavapipe-backports:128-O0;lavapipe-backports:256-O0;lavapipe-backports:512-O0'
IFS=';' read -ra widths <<<"${FOVEA_TEST_WIDTHS-$default_widths}"
IFS=';' read -ra compilers <<<"${FOVEA_TEST_COMPILERS-radv:navi31;nvk:172;turnip:740;honeykrisp}"
asked=("$@")
jobs=$(nproc)
summary=()
passed=0
failed=0

# fault MESSAGE: counts as one failure, and the run goes on.
fault() {
  echo "FAILED: $1"
  summary+=("FAILED: $1")
  failed=$((failed + 1))
}

# finish: the end of every run.
finish() {
  echo "=== summary"
  printf '%s\n' "${summary[@]}"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

# count LOG STATUS [DRIVER]: how many tests (on a driver) CTest reports with that status.
count() {
  awk -v status="$2" -v driver="${3:+@$3}" '
    $0 ~ "^ *[0-9]+/[0-9]+ Test +#[0-9]+: " {
      sub(/^[^:]*: /, "")
      if (driver != "" && index($0, driver " ") == 0) next
      if ($0 ~ status) ++n
    }
    END { print n + 0 }' "$1"
}

ok='   Passed '
skip='[*][*][*]Skipped|[*][*][*]Not Run [(]Disabled'
bad='[*][*][*](Failed|Timeout|Exception|Not Run *[0-9]|Could not)'

# build PRESET [CMAKE ARGUMENT...]
build() {
  local preset=$1
  shift
  echo "=== $preset: build"
  cmake --preset "$preset" -DFOVEA_WERROR="${FOVEA_WERROR:-OFF}" "$@" &&
    cmake --build --preset "$preset" --parallel "$jobs"
}

# check PRESET CTEST ARGUMENT...: runs the tests and enters them in the summary.
check() {
  local preset=$1 log=build/$1/ctest.log status=0 bad_tests verdict
  shift
  echo "=== $preset: test"
  ctest --output-on-failure --parallel "$jobs" "$@" 2>&1 | tee "$log" || status=$?
  bad_tests=$(count "$log" "$bad")
  passed=$((passed + $(count "$log" "$ok")))
  failed=$((failed + bad_tests))
  verdict=$(grep -E 'tests passed,|No tests were found' "$log" | tail -n 1) || verdict="no test was chosen"
  summary+=("$preset: $verdict")
  if [ "$status" -eq 0 ] || [ "$bad_tests" -ne 0 ]; then return; fi
  if grep -q '^No tests were found' "$log"; then
    fault "$preset: no test matches: ${asked[*]}"
  else
    fault "$preset: ctest ended with $status"
  fi
}

# report_drivers [CTEST ARGUMENT...]: what ran where. Without arguments every test was asked for.
report_drivers() {
  local driver log=build/release/ctest.log ran
  for driver in "${present[@]}" "${present_widths[@]}"; do
    ran=$(($(count "$log" "$ok" "$driver") + $(count "$log" "$bad" "$driver")))
    summary+=("driver $driver $(version_of "$driver") [$(identity_of "$driver")]: $ran ran, $(count "$log" "$bad" "$driver") failed, $(
      count "$log" "$skip" "$driver") skipped")
    if [ "$ran" -eq 0 ] && [ $# -eq 0 ]; then fault "nothing ran on $driver"; fi
  done
}

# report_compilers [CTEST ARGUMENT...]: what was compiled where, in the words of fovea-pipelines.
report_compilers() {
  local driver line
  for driver in "${present_compilers[@]}"; do
    line=$(grep -F "compiled (not run): $driver," build/release/Testing/Temporary/LastTest.log | tail -n 1) || true
    if [ -n "$line" ]; then summary+=("$line"); fi
    if [ -z "$line" ] && [ $# -eq 0 ]; then fault "nothing was compiled on $driver"; fi
  done
}

# report_kernels [CTEST ARGUMENT...]: where every kernel and shader has run. Those on matrix units run on lavapipe-new alone.
report_kernels() {
  local driver executed=(build/release/executed/*)
  if [ ! -e "${executed[0]}" ]; then return; fi  # no test that runs graphs was asked for
  for driver in "${present[@]}" "${present_widths[@]}"; do
    summary+=("kernels on $driver: $(find build/release/executed -name "*@$driver" -exec sed '/^shader /d' {} + | sort -u | wc -l)")
  done
  if [ $# -ne 0 ] || build/release/bin/fovea-test-coverage --executed "${executed[@]}"; then return; fi
  if [[ " ${present[*]} " == *" lavapipe-new "* ]]; then fault "a kernel or a shader has run on no driver"; fi
}

# report_operators: the corpora's results in one table, a row an operator, a column a driver.
report_operators() {
  local html=build/conformance.html status=0 reports=(build/release/reports/*.json)
  if [ ! -e "${reports[0]}" ]; then return; fi  # no test of the corpora was asked for
  echo "=== $html"
  build/release/bin/fovea-conformance --merge "${reports[@]}" --html "$html" || status=$?
  if [ "$status" -le 1 ]; then  # 1: some case failed, which its test has told
    summary+=("report: $html, of ${#reports[@]} drivers")
  else
    fault "$html is not written"
  fi
}

# identity_of DRIVER: device, driver, version and driver UUID, as Vulkan gives them.
identity_of() { tests/drivers.sh run "$1" -- build/release/bin/fovea-pipelines --device 2>/dev/null || echo "$1"; }

version_of() { tests/drivers.sh list | awk -v name="${1%%:*}" '$1 == name { print $4 }'; }

# check_names VARIABLE KIND DRIVER...: they must be drivers of that kind.
check_names() {
  local variable=$1 kind=$2 driver
  shift 2
  for driver in "$@"; do
    if [ -z "$(tests/drivers.sh list | awk -v name="${driver%%:*}" -v kind="$kind" '$1 == name && $2 == kind')" ]; then
      fault "$variable: '${driver%%:*}' is no driver that $kind; 'tests/drivers.sh list' names those"
    fi
  done
}

check_names FOVEA_TEST_DRIVERS executes "${wanted[@]}"
check_names FOVEA_TEST_WIDTHS executes "${widths[@]}"
check_names FOVEA_TEST_COMPILERS compiles "${compilers[@]}"
if [ "$failed" -ne 0 ]; then finish; fi
cmake/install_packages.sh libonnx-dev libprotobuf-dev libonnx-testdata  # ONNX's own tests
tests/drivers.sh get "${wanted[@]}" "${widths[@]}" "${compilers[@]}" validation
if [ -z "$(tests/drivers.sh list | awk '$1 == "validation" && $3 == "present"')" ]; then
  cmake/install_packages.sh vulkan-validationlayers  # an older one, which sees less, is better than none
fi

# take DRIVER: whether it is present; enters it in the summary where it is not.
take() {
  local reason
  if reason=$(tests/drivers.sh run --validate "$1" -- true); then return; fi
  summary+=("driver ${reason:-absent: $1}")
  return 1
}

present=()
for driver in "${wanted[@]}"; do
  if take "$driver"; then present+=("$driver"); fi
done
present_widths=()
for driver in "${widths[@]}"; do
  if take "$driver"; then present_widths+=("$driver"); fi
done
present_compilers=()
for driver in "${compilers[@]}"; do
  if take "$driver"; then present_compilers+=("$driver"); fi
done
if [ ${#present[@]} -eq 0 ]; then fault "no Vulkan driver is present"; fi

for preset in "${presets[@]}"; do
  if [ "$preset" = release ]; then
    list=$(IFS=';'; echo "${present[*]-}")
    width_list=$(IFS=';'; echo "${present_widths[*]-}")
    compiler_list=$(IFS=';'; echo "${present_compilers[*]-}")
    if build release -DFOVEA_TEST_SHARES="${FOVEA_TEST_SHARES:-ON}" -DFOVEA_TEST_DRIVERS="$list" -DFOVEA_TEST_WIDTHS="$width_list" -DFOVEA_TEST_COMPILERS="$compiler_list"; then
      rm -f build/release/reports/*.json build/release/executed/*
      check release --preset release --no-tests=error "$@"
      report_operators
      report_drivers "$@"
      report_compilers "$@"
      report_kernels "$@"
    else
      fault "release does not build"
    fi
  elif build "$preset"; then
    # A narrower choice of tests may hold none that runs without a device.
    check "$preset" --test-dir "build/$preset" -L '^host$' \
      --no-tests="$([ $# -eq 0 ] && echo error || echo ignore)" "$@"
  else
    fault "$preset does not build"
  fi
done

finish
