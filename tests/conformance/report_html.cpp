// The report as one HTML file: rows are operators, columns devices, and a row opens to its cases. No script: a row is a
// <details> whose parts lie on one grid.

#include "tests/conformance/report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace fovea::conformance {
namespace {

constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #626b76; --line: #d9dee4; --band: #f4f6f8;
  --good: #1a7f37; --bad: #c4271d; --bad-fill: #fdeceb; --bar: #9fd3ae; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --ink: #e4e8ec; --soft: #98a2ad; --line: #333a42;
  --band: #1d2227; --good: #58c776; --bad: #ff7b70; --bad-fill: #3b1d1c; --bar: #2c6b3e; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; }
h2 { font-size: 1.05rem; margin: 1.8rem 0 .6rem; }
p { margin: .3rem 0; max-width: 60rem; }
.soft, small { color: var(--soft); }
small { font-size: .82rem; }
code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.devices { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: .8rem; }
.device { border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; min-width: 0; }
.device h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
.device.absent { border-style: dashed; }
.device ul, .device ol { margin: .3rem 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
.table { min-width: calc(13rem + var(--columns) * 9.5rem); }
.row { display: grid; grid-template-columns: minmax(13rem, 1.2fr) repeat(var(--columns), minmax(9.5rem, 1fr)); }
.row > * { padding: .35rem .6rem; border-top: 1px solid var(--line); border-left: 1px solid var(--line); min-width: 0;
  overflow-wrap: anywhere; }
.row > :first-child { border-left: 0; position: sticky; left: 0; background: inherit; z-index: 1; }
.head { background: var(--band); font-weight: 600; }
.head > * { border-top: 0; }
details { background: var(--page); }
summary { list-style: none; cursor: pointer; background: var(--page); }
summary::-webkit-details-marker { display: none; }
summary > :first-child::before { content: "▸"; display: inline-block; width: 1.1em; color: var(--soft); }
details[open] > summary > :first-child::before { content: "▾"; }
summary:hover, summary:focus-visible, details[open] > summary { background: var(--band); }
.case { background: var(--page); font-size: .9rem; }
.case > :first-child { padding-left: 1.8rem; }
.failed { background: var(--bad-fill); }
.numbers { display: flex; justify-content: space-between; gap: .5rem; font-variant-numeric: tabular-nums; }
.bar { display: block; height: 3px; margin-top: 3px; background: var(--line); }
.bar i { display: block; height: 100%; background: var(--bar); }
.failed .bar i { background: var(--bad); }
.lines { margin-top: .2rem; font-size: .82rem; white-space: pre-wrap; }
@media (max-width: 40rem) { body { padding: .7rem; } .table { min-width: calc(8.5rem + var(--columns) * 8.5rem); }
  .row { grid-template-columns: minmax(8.5rem, 1fr) repeat(var(--columns), minmax(8.5rem, 1fr)); } }
)css";

std::string text(std::string_view plain) {
  return escape_markup(plain);
}

// In units of the bound.
std::string units_text(double error) {
  if (std::isinf(error)) return "∞";
  if (error == 0) return "0";
  return error < 0.005 ? "&lt;0.01" : fmt::format("{:.{}f}", error, error < 10 ? 2 : 0);
}

std::string time_text(double ms) {
  return ms < 10 ? fmt::format("{:.1f} ms", ms) : ms < 1000 ? fmt::format("{:.0f} ms", ms) : fmt::format("{:.1f} s", ms / 1000);
}

std::string bar(double error) {
  return fmt::format("<span class=\"bar\"><i style=\"width:{:.0f}%\"></i></span>", 100 * std::clamp(error, 0.0, 1.0));
}

double time_of(const CaseResult& result) {
  return result.compile_ms + result.run_ms;
}

// ---- Devices ------------------------------------------------------------------------------------------------------

std::vector<const CaseResult*> top(const DeviceReport& device, double (*value)(const CaseResult&)) {
  std::vector<const CaseResult*> all;
  for (const CaseResult& result : device.results)
    if (value(result) > 0) all.push_back(&result);
  const std::size_t count = std::min<std::size_t>(all.size(), 8);
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    [&](const CaseResult* a, const CaseResult* b) { return value(*a) > value(*b); });
  all.resize(count);
  return all;
}

std::string opened(std::string_view title, const std::string& content) {
  return fmt::format("<details><summary><small>{}</small></summary>{}</details>", title, content);
}

std::string device_details(const DeviceReport& device) {
  std::string slow = "<ol>", far = "<ol>", limits = "<ul>";
  for (const CaseResult* result : top(device, time_of))
    slow += fmt::format("<li>{} <small>{}, on the device {}</small></li>", text(result->title()), time_text(time_of(*result)),
                        time_text(result->device_ms));
  for (const CaseResult* result : top(device, [](const CaseResult& one) { return one.error.value; }))
    far += fmt::format("<li>{} <small>{}</small></li>", text(result->title()), units_text(result->error.value));
  for (const std::string& line : device.capabilities) limits += "<li>" + text(line) + "</li>";
  return opened("slowest cases", slow + "</ol>") + opened("nearest to their bounds", far + "</ol>") +
         opened("features and limits", limits + "</ul>");
}

std::string device_card(const DeviceReport& device, const std::string& name) {
  if (!device.absent.empty())
    return fmt::format("<div class=\"device absent\"><h3>{}</h3><p><b>absent</b>: {}</p></div>\n", text(name),
                       text(device.absent));
  std::string card = fmt::format(
      "<div class=\"device\"><h3>{}</h3><p>{} · {} · Vulkan {}</p><p><small>driver <code>{}</code></small></p>",
      text(name), text(device.device), text(device.type), text(device.vulkan), text(device.driver_uuid));
  if (const std::string limits = device.limits_label(); !limits.empty())
    card += fmt::format("<p>emulating <code>{}</code></p>", text(limits));
  card += fmt::format("<p><span class=\"good\">{} passed</span>, <span class=\"{}\">{} failed</span>, {} skipped "
                      "<small>in {}{}</small></p>",
                      device.count(Status::passed), device.failures() > 0 ? "bad" : "soft", device.failures(),
                      device.count(Status::skipped), time_text(device.seconds * 1000),
                      device.validation ? ", under the validation layer" : "");
  for (const std::string& message : device.messages)
    card += fmt::format("<p class=\"bad\">after the last case: <code>{}</code></p>", text(message));
  return card + device_details(device) + "</div>\n";
}

// ---- The table ----------------------------------------------------------------------------------------------------

using Results = std::vector<const CaseResult*>;
struct Operator {
  std::string name;
  std::vector<Results> devices;                            // a list a device
  std::map<std::pair<std::string, std::string>, std::vector<Results>> cases;  // id and variant -> a list a device
};

int count(const Results& results, Status status) {
  int sum = 0;
  for (const CaseResult* result : results)
    if (result->status == status) sum += result->count;
  return sum;
}
int count(const std::vector<Results>& devices, Status status) {
  int sum = 0;
  for (const Results& results : devices) sum += count(results, status);
  return sum;
}

std::vector<Operator> operators_of(const Report& report) {
  std::map<std::string, Operator> found;
  const std::size_t columns = report.devices.size();
  for (std::size_t d = 0; d < columns; ++d) {
    for (const CaseResult& result : report.devices[d].results) {
      Operator& op = found.try_emplace(result.op, Operator{result.op, std::vector<Results>(columns), {}}).first->second;
      op.devices[d].push_back(&result);
      op.cases.try_emplace({result.id(), result.variant}, columns).first->second[d].push_back(&result);
    }
  }
  std::vector<Operator> operators;
  for (auto& [name, op] : found) operators.push_back(std::move(op));
  std::stable_sort(operators.begin(), operators.end(), [](const Operator& a, const Operator& b) {
    return count(a.devices, Status::failed) > count(b.devices, Status::failed);
  });
  return operators;
}

double worst(const Results& results) {
  double error = 0;
  for (const CaseResult* result : results) error = std::max(error, result->error.value);
  return error;
}

std::string operator_cell(const Results& results, const DeviceReport& device) {
  if (results.empty()) return fmt::format("<div class=\"soft\">{}</div>", device.absent.empty() ? "not run" : "absent");
  const int passed = count(results, Status::passed), failed = count(results, Status::failed),
            skipped = count(results, Status::skipped);
  std::string counts = failed > 0 ? fmt::format("<span class=\"bad\">✗ {}</span> ", failed) : "";
  if (passed > 0) counts += fmt::format("<span class=\"good\">✓ {}</span>", passed);
  if (skipped > 0) counts += fmt::format(" <small>{} skipped</small>", skipped);
  if (passed + failed == 0) return fmt::format("<div>{}</div>", counts);
  double time = 0;
  for (const CaseResult* result : results) time += time_of(*result);
  return fmt::format("<div class=\"{}\" title=\"worst error in units of its bound; {}\"><span class=\"numbers\"><span>{}</span>"
                     "<span>{}</span></span>{}</div>",
                     failed > 0 ? "failed" : "", time_text(time), counts, units_text(worst(results)), bar(worst(results)));
}

std::string case_cell(const Results& results) {
  if (results.empty()) return "<div class=\"soft\">–</div>";
  std::string cell;
  for (const CaseResult* result : results) {
    const bool ran = !result->tensors.empty();
    if (ran)
      cell += fmt::format("<span class=\"numbers\"><span class=\"{}\">{} {}</span><small>{}</small></span>",
                          result->status == Status::failed ? "bad" : "good", result->status == Status::failed ? "✗" : "✓",
                          units_text(result->error.value), time_text(time_of(*result)));
    if (!ran) cell += result->status == Status::failed ? "<span class=\"bad\">✗ failed</span>" : "<span>skipped</span>";
    for (const std::string& line : result->lines)
      cell += fmt::format("<div class=\"lines\"><code>{}</code></div>", text(line));
    if (!result->kernels.empty()) cell += fmt::format("<small>{}</small>", text(fmt::format("{}", fmt::join(result->kernels, ", "))));
  }
  return fmt::format("<div class=\"{}\">{}</div>", count(results, Status::failed) > 0 ? "failed" : "", cell);
}

std::string operator_row(const Operator& op, const Report& report) {
  std::string row = fmt::format("<details><summary class=\"row\"><div>{}</div>", text(op.name));
  for (std::size_t d = 0; d < report.devices.size(); ++d) row += operator_cell(op.devices[d], report.devices[d]);
  row += "</summary>\n";
  std::vector<std::pair<int, std::string>> rows;  // by failures
  for (const auto& [key, devices] : op.cases) {
    const auto& [id, variant] = key;
    std::string one = fmt::format("<div class=\"row case\"><div>{}{}</div>", text(id),
                                  variant.empty() ? "" : "<br><small>" + text(variant) + "</small>");
    for (const Results& results : devices) one += case_cell(results);
    rows.emplace_back(-count(devices, Status::failed), one + "</div>\n");
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& one : rows) row += one.second;
  return row + "</details>\n";
}

std::string table(const Report& report) {
  std::string rows = "<div class=\"row head\"><div>operator</div>";
  const std::vector<std::string> names = headings(report);
  for (std::size_t d = 0; d < names.size(); ++d) {
    const DeviceReport& device = report.devices[d];
    const std::string limits = device.limits_label();
    rows += fmt::format("<div>{}<br><small>{}</small></div>", text(names[d]),
                        text(!device.absent.empty() ? "absent" : limits.empty() ? device.device : "emulating " + limits));
  }
  rows += "</div>\n";
  for (const Operator& op : operators_of(report)) rows += operator_row(op, report);
  return fmt::format("<div class=\"scroll\"><div class=\"table\" style=\"--columns:{}\">\n{}</div></div>\n",
                     report.devices.size(), rows);
}

}  // namespace

std::string to_html(const Report& report) {
  std::string devices;
  const std::vector<std::string> names = headings(report);
  for (std::size_t d = 0; d < names.size(); ++d) devices += device_card(report.devices[d], names[d]);
  std::string absent;
  if (!report.absent_groups.empty())
    absent = fmt::format("<p class=\"soft\">Groups of the corpus that were not there: {}.</p>",
                         text(fmt::format("{}", fmt::join(report.absent_groups, ", "))));
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>Fovea conformance</title><style>{}</style></head><body>\n"
      "<h1>Fovea conformance</h1>\n<p class=\"soft\">fovea {}, {}</p>{}\n<div class=\"devices\">\n{}</div>\n"
      "<h2>Operators</h2>\n<p>Numbers are the error of the worst element of all outputs and gradients, in units of its "
      "bound: a case passes where none is above 1. Rows open to their cases; those that failed stand first.</p>\n{}"
      "</body></html>\n",
      style, text(report.fovea), text(report.started), absent, devices, table(report));
}

}  // namespace fovea::conformance
