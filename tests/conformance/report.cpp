#include "tests/conformance/report.hpp"

#include "io/file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace fovea::conformance {

using io::Json;

// What is unknown reads as the first, and so never as passed.
NLOHMANN_JSON_SERIALIZE_ENUM(Status, {{Status::failed, "failed"}, {Status::passed, "passed"}, {Status::skipped, "skipped"}})

static void to_json(Json& json, const Measure& measure) {
  json = std::isfinite(measure.value) ? Json(measure.value) : Json();
}
static void from_json(const Json& json, Measure& measure) {
  measure.value = json.is_null() ? std::numeric_limits<double>::infinity() : json.get<double>();
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TensorResult, name, error, mean, tile, magnitude)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CaseResult, group, name, op, variant, status, count, lines, error, tensors, kernels, runs,
                                   compile_ms, run_ms, device_ms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeviceReport, device, driver, version, type, vulkan, device_uuid, driver_uuid, vendor_id,
                                   device_id, driver_version, features, capabilities, limits, emulated, validation, absent, seconds,
                                   results, messages)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Report, schema, schema_version, fovea, started, corpora, absent_groups, devices)

int DeviceReport::count(Status status) const {
  int sum = 0;
  for (const CaseResult& result : results)
    if (result.status == status) sum += result.count;
  return sum;
}

int DeviceReport::failures() const {
  return count(Status::failed) + static_cast<int>(messages.size());
}

std::string DeviceReport::label() const {
  if (driver.empty()) return device;
  return version.empty() ? driver : driver + " " + version;
}

std::string DeviceReport::limits_label() const {
  std::vector<std::string> parts;
  for (const auto& [key, value] : emulated.items()) parts.push_back(key + " " + value.dump());
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string to_json(const Report& report) {
  return Json(report).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Report> read_report(const std::filesystem::path& path) {
  const auto error = [&](const std::string& what) { return Error{ErrorCode::io, path.string() + ": " + what}; };
  const Result<io::MappedFile> file = io::MappedFile::open(path);
  if (!file) return file.error();
  const Result<Json> json = io::parse_json({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()});
  if (!json) return error(json.error().message);
  const Report known;
  if (!json->is_object() || json->value("schema", Json()) != known.schema)
    return error("is no report of fovea-conformance --json");
  if (json->value("schema_version", Json()) != known.schema_version)
    return error(fmt::format("has schema version {}, this program reads {}", json->value("schema_version", Json()).dump(),
                             known.schema_version));
  try {
    return json->get<Report>();
  } catch (const Json::exception& exception) {
    return error(exception.what());
  }
}

// Appends what is not there yet.
static void unite(std::vector<std::string>& whole, const std::vector<std::string>& next) {
  for (const std::string& text : next)
    if (std::find(whole.begin(), whole.end(), text) == whole.end()) whole.push_back(text);
}

std::vector<std::string> headings(const Report& report) {
  const auto same = [](const DeviceReport& a, const DeviceReport& b) {
    return a.label() == b.label() && a.device == b.device && a.emulated == b.emulated && a.absent == b.absent;
  };
  std::vector<std::string> names;
  for (auto device = report.devices.begin(); device != report.devices.end(); ++device) {
    const auto is_same = [&](const DeviceReport& other) { return same(*device, other); };
    const auto runs = std::count_if(report.devices.begin(), report.devices.end(), is_same);
    names.push_back(device->label());
    if (runs > 1) names.back() += fmt::format(", run {}", std::count_if(report.devices.begin(), device + 1, is_same));
  }
  return names;
}

Report merge(std::vector<Report> reports) {
  Report whole = std::move(reports.front());
  for (std::size_t i = 1; i < reports.size(); ++i) {
    Report& next = reports[i];
    whole.started = std::min(whole.started, next.started);
    if (whole.fovea.find(next.fovea) == std::string::npos) whole.fovea += ", " + next.fovea;
    std::move(next.devices.begin(), next.devices.end(), std::back_inserter(whole.devices));
    unite(whole.corpora, next.corpora);
    unite(whole.absent_groups, next.absent_groups);
  }
  return whole;
}

// The length of the UTF-8 sequence at the front that XML can hold; 0: none.
static std::size_t xml_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 || lead == '\t' || lead == '\n' || lead == '\r' ? 1 : 0;
  const std::size_t length = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 0;
  if (length == 0) return 0;
  unsigned code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000, none = code == 0xfffe || code == 0xffff;
  return code < least[length] || code > 0x10ffff || surrogate || none ? 0 : length;
}

std::string escape_markup(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = xml_character(text);
    switch (text.front()) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      case '\n': out += "&#10;"; break;  // an attribute would lose it
      default: out += length == 0 ? "\xef\xbf\xbd" : text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace fovea::conformance
