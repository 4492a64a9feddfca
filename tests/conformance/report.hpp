#pragma once
// What fovea-conformance found, as plain data, and the three forms it is written in. The members' names are the JSON's keys
// (docs/conformance.md describes them).

#include "io/json.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace fovea::conformance {

enum class Status { failed, passed, skipped };

// May be infinite, which JSON has no word for: null there.
struct Measure {
  double value = 0;
};

// How far an output or gradient of a case is from the expected one (compare.hpp: Comparison).
struct TensorResult {
  std::string name;  // "out.y", "grad.q"
  Measure error, mean, tile, magnitude;
};

// One case with one choice of kernels.
struct CaseResult {
  std::string group, name, op;
  std::string variant;  // "attention=attention_row" where a kernel was forced; "" as the device chooses
  Status status = Status::passed;
  int count = 1;  // of cases: one result may sum up many random graphs
  // Why it was skipped, or one line a failure: "out.y[0,2]: got 1.5, expected 1.25, bound 1e-05 (3 of 24 outside)".
  std::vector<std::string> lines{};
  Measure error{};  // the largest of its tensors'
  std::vector<TensorResult> tensors{};
  std::vector<std::string> kernels{};  // those that ran
  int runs = 0;                        // that gave the same bits
  double compile_ms = 0, run_ms = 0;   // on the host: making the plan; all runs with their comparison to the first
  double device_ms = 0;                // the last run by the device's own clock; 0 where it has none

  std::string id() const { return group + "/" + name; }
  std::string title() const { return variant.empty() ? id() : id() + " " + variant; }
};

// One device and driver, whole or under lowered limits.
struct DeviceReport {
  std::string device, driver, version;  // "llvmpipe (LLVM 15.0.6, 256 bits)", "llvmpipe", "Mesa 22.3.6 (LLVM 15.0.6)"
  std::string type, vulkan;             // "CPU", "1.3.230"
  std::string device_uuid, driver_uuid;
  std::uint32_t vendor_id = 0, device_id = 0, driver_version = 0;
  std::vector<std::string> features{};      // enabled, by the keys of limits.hpp
  std::vector<std::string> capabilities{};  // Context::capabilities_text, by lines: subgroup operations and quirks too
  io::Json limits = io::Json::object();     // in force
  io::Json emulated = io::Json::object();   // of them those lowered by --limits
  bool validation = false;                  // the validation layer was asked for
  std::string absent{};                     // why nothing ran; empty otherwise
  double seconds = 0;
  std::vector<CaseResult> results{};
  std::vector<std::string> messages{};  // of the validation layer after the last case: failures of no case's

  int count(Status status) const;  // cases
  int failures() const;            // failed cases, and messages
  std::string label() const;      // "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)"
  std::string limits_label() const;  // "max_invocations 128, subgroup_size 0"; empty when whole
};

struct Report {
  std::string schema = "fovea-conformance";
  int schema_version = 2;
  std::string fovea{};    // the version of the program that ran
  std::string started{};  // "2026-11-27T09:30:00Z"; of merged reports the first
  std::vector<std::string> corpora{};
  std::vector<std::string> absent_groups{};
  std::vector<DeviceReport> devices{};
};

std::string to_json(const Report& report);
// Errors: io's, and what is no report of this schema version; the message names the file.
Result<Report> read_report(const std::filesystem::path& path);
// What each device is called: its label and, of several runs that nothing else tells apart, "run 2".
std::vector<std::string> headings(const Report& report);
// The devices of all, in their order.
Report merge(std::vector<Report> reports);

std::string to_junit(const Report& report);
// One file without outside resources: a table of operator x device that opens to the cases.
std::string to_html(const Report& report);

// & < > and quotes for both, and U+FFFD for what XML 1.0 cannot hold: control characters and bytes that are not UTF-8.
std::string escape_markup(std::string_view text);

}  // namespace fovea::conformance
