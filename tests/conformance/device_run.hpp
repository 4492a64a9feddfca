#pragma once
// All cases on one device, or on each.

#include "tests/conformance/corpus.hpp"
#include "tests/conformance/options.hpp"
#include "tests/conformance/report.hpp"

#include <functional>
#include <vector>

namespace fovea::conformance {

// Told as things happen, for the console.
struct Listener {
  std::function<void(const DeviceReport&)> begin;  // a device, before its first case; or why it is absent
  std::function<void(const CaseResult&)> result;
};

// On the device that the options name, or on every one. A device that cannot be had has a report too, with the reason.
std::vector<DeviceReport> run_devices(const std::vector<CaseFile>& files, const Options& options, const Listener& listener);

}  // namespace fovea::conformance
