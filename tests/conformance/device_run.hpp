#pragma once
// All cases, or random graphs, on one device or on each.

#include "tests/conformance/corpus.hpp"
#include "tests/conformance/fuzz/recipe.hpp"
#include "tests/conformance/options.hpp"
#include "tests/conformance/report.hpp"
#include "tests/conformance/runner.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fovea::conformance {

// Told as things happen, for the console.
struct Listener {
  std::function<void(const DeviceReport&)> begin;  // a device, before its first case; or why it is absent
  std::function<void(const CaseResult&)> result;
};

// What is run on a device; every result is emitted as soon as it is known. After a result that lost the device, `context` is another.
using Work = std::function<void(Context& context, const RunOptions& options, const TakeMessages& take_messages,
                                const std::function<void(const CaseResult&)>& emit)>;
// Told the title of each case or graph before it runs.
using Begin = std::function<void(const std::string&)>;
Work run_files(std::vector<CaseFile> files, Begin begin);
Work run_random_graphs(const Options& options, Begin begin);
// Graphs with their names.
Work run_graphs(std::vector<std::pair<std::string, Recipe>> graphs, const Options& options, Begin begin);

// On the device that the options name, or on every one. A device that cannot be had has a report too, with the reason.
std::vector<DeviceReport> run_devices(const Work& work, const Options& options, const Listener& listener);

}  // namespace fovea::conformance
