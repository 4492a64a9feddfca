// JUnit's XML, as continuous-integration servers read it: a suite a device, a test case a case and choice of kernels.

#include "tests/conformance/report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace fovea::conformance {
namespace {

std::string test_case(const CaseResult& result) {
  std::string inner;
  const std::string lines = escape_markup(fmt::format("{}", fmt::join(result.lines, "\n")));
  if (result.status == Status::failed)
    inner = fmt::format("<failure message=\"{}\">{}</failure>",
                        escape_markup(result.lines.empty() ? "failed" : result.lines[0]), lines);
  if (result.status == Status::skipped) inner = fmt::format("<skipped message=\"{}\"/>", lines);
  return fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6f}\">{}</testcase>\n",
                     escape_markup(result.group),
                     escape_markup(result.variant.empty() ? result.name : result.name + " " + result.variant),
                     (result.compile_ms + result.run_ms) / 1000, inner);
}

std::string suite(const DeviceReport& device, const std::string& name) {
  const std::string limits = device.limits_label();
  std::string cases;
  // Neither absence nor a message of no case's passes for nothing.
  if (!device.absent.empty())
    cases += fmt::format("    <testcase classname=\"device\" name=\"present\"><skipped message=\"absent: {}\"/></testcase>\n",
                         escape_markup(device.absent));
  for (const CaseResult& result : device.results) cases += test_case(result);
  for (const std::string& message : device.messages)
    cases += fmt::format("    <testcase classname=\"device\" name=\"after the last case\"><failure message=\"{}\"/></testcase>\n",
                         escape_markup(message));
  const std::size_t tests = device.results.size() + device.messages.size() + !device.absent.empty();
  const auto skipped = std::ranges::count(device.results, Status::skipped, &CaseResult::status) + !device.absent.empty();
  std::string properties;
  const auto property = [&](const char* name, const std::string& value) {
    properties += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", name, escape_markup(value));
  };
  property("device", device.device);
  property("driver", device.label());
  property("driver_uuid", device.driver_uuid);
  property("vulkan", device.vulkan);
  property("limits", limits.empty() ? "the device's own" : limits);
  return fmt::format(
      "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3f}\">\n"
      "    <properties>\n{}    </properties>\n{}  </testsuite>\n",
      escape_markup(limits.empty() ? name : name + " (" + limits + ")"), tests, device.failures(),
      skipped, device.seconds, properties, cases);
}

}  // namespace

std::string to_junit(const Report& report) {
  std::string suites;
  const std::vector<std::string> names = headings(report);
  for (std::size_t d = 0; d < names.size(); ++d) suites += suite(report.devices[d], names[d]);
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"fovea-conformance\">\n" + suites +
         "</testsuites>\n";
}

}  // namespace fovea::conformance
