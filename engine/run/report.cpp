// Reports as tables, as JSON and as a Chrome trace. (The engine has no JSON library; what it writes is this little.)

#include "base/text.hpp"
#include <fovea/plan.hpp>
#include <fovea/tuning.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

namespace fovea {
namespace {

// "3.142": so many digits after the point, whatever the program's locale.
std::string fixed(double value, int digits) {
  std::array<char, 400> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr;
  return {text.data(), end};
}

// JSON has no infinities and no NaN.
std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 9).ptr;
  return {text.data(), end};
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escaped.data();
    } else {
      out += c;
    }
  }
  return out + '"';
}

// One {"key": value, ...}; values are given as JSON.
class Object {
 public:
  Object& add(std::string_view key, std::string value) {
    text_ += cat(text_.empty() ? "{" : ", ", json_string(key), ": ", value);
    return *this;
  }
  Object& text(std::string_view key, std::string_view value) { return add(key, json_string(value)); }
  Object& number(std::string_view key, double value) { return add(key, json_number(value)); }
  Object& count(std::string_view key, std::uint64_t value) { return add(key, std::to_string(value)); }
  std::string str() const { return text_.empty() ? "{}" : text_ + "}"; }

 private:
  std::string text_;
};

template <class Items, class ToJson>
std::string json_list(const Items& items, ToJson to_json) {
  std::string out = "[";
  for (const auto& item : items) out += (out.size() > 1 ? ",\n  " : "\n  ") + to_json(item);
  return out + "\n]";
}

// "1.5 MiB"
std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fixed(value, unit == 0 ? 0 : 1) + ' ' + units[unit];
}

// Work per second in giga-units; "-" where there is no time.
std::string rate_text(double work, double milliseconds) {
  return milliseconds > 0 && work > 0 ? fixed(work / milliseconds * 1e-6, 2) : "-";
}

std::string pad(std::string text, std::size_t width, bool left) {
  const std::string blanks(width > text.size() ? width - text.size() : 0, ' ');
  return left ? text + blanks : blanks + text;
}

using Row = std::array<std::string, 6>;

Row row_of(const DispatchReport& dispatch) {
  return {dispatch.milliseconds > 0 ? fixed(dispatch.milliseconds, 3) : "-",
          rate_text(dispatch.flops, dispatch.milliseconds),
          rate_text(static_cast<double>(dispatch.bytes), dispatch.milliseconds),
          bytes_text(dispatch.bytes),
          dispatch.shader,
          dispatch.label};
}

std::string table(const std::vector<Row>& rows) {
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string out;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) out += pad(row[i], widths[i], i == 4) + "  ";
    out += row.back() + '\n';
  }
  return out;
}

std::string device_line(const std::string& device, const std::string& driver) {
  return cat("device  ", device, driver.empty() ? "" : " / ", driver, '\n');
}

// Of the dispatches whose kernel is one of several: how often each was taken, and why.
std::string choices_text(const std::vector<DispatchReport>& dispatches) {
  std::map<std::array<std::string, 2>, int> counts;
  std::size_t width = 0;
  for (const DispatchReport& dispatch : dispatches)
    if (!dispatch.choice.empty()) ++counts[{dispatch.kernel, dispatch.choice}], width = std::max(width, dispatch.kernel.size());
  std::string out;
  for (const auto& [choice, count] : counts)
    out += cat(pad(cat(count, 'x'), 5, false), "  ", pad(choice[0], width, true), "  ", choice[1], '\n');
  return out.empty() ? out : "chosen\n" + out;
}

}  // namespace

std::string Report::to_text() const {
  std::vector<Row> rows{{"ms", "GFLOP/s", "GB/s", "bytes", "shader", "dispatch"}};
  double flops = 0;
  for (const DispatchReport& dispatch : dispatches) {
    rows.push_back(row_of(dispatch));
    flops += dispatch.flops;
  }
  std::string out = device_line(device, driver);
  out += cat("arena   ", bytes_text(arena_bytes), " (lower bound ", bytes_text(arena_lower_bound), ", unaliased ",
             bytes_text(arena_unaliased_bytes),
             arena_held_bytes > 0 ? cat(", without recomputation ", bytes_text(arena_held_bytes)) : "", ")\n");
  out += cat("total   ", milliseconds > 0 ? fixed(milliseconds, 3) + " ms" : "not timed", ", ",
             fixed(flops * 1e-9, 3) + " GFLOP", ", ", dispatches.size(), " dispatches\n");
  return out + table(rows) + choices_text(dispatches);
}

std::string TuneReport::to_text() const {
  const auto measured = std::ranges::count_if(nodes, [](const TunedNode& node) { return node.left.empty(); });
  std::string out = device_line(device, driver);
  out += cat("tuned   ", measured, " of ", nodes.size(), " nodes in ", fixed(seconds, 1), " s\n");
  for (const TunedNode& node : nodes) {
    out += cat(node.node, node.left.empty() ? "" : cat(": left, ", node.left), '\n');
    for (const KernelTime& kernel : node.kernels) {
      const std::string time = node.left.empty() ? fixed(kernel.microseconds, 1) + " us" : "-";
      out += cat(kernel.kernel == node.chosen ? "* " : "  ", pad(time, 14, false), "  ", kernel.kernel, '\n');
    }
  }
  return out;
}

std::string Report::to_json() const {
  const std::string list = json_list(dispatches, [](const DispatchReport& dispatch) {
    return Object()
        .text("label", dispatch.label)
        .text("kernel", dispatch.kernel)
        .text("choice", dispatch.choice)
        .text("shader", dispatch.shader)
        .text("program_line", dispatch.program_line)
        .number("start_ms", dispatch.start_milliseconds)
        .number("ms", dispatch.milliseconds)
        .number("flops", dispatch.flops)
        .count("bytes", dispatch.bytes)
        .str();
  });
  return Object()
             .text("device", device)
             .text("driver", driver)
             .number("ms", milliseconds)
             .count("arena_bytes", arena_bytes)
             .count("arena_lower_bound", arena_lower_bound)
             .count("arena_unaliased_bytes", arena_unaliased_bytes)
             .count("arena_held_bytes", arena_held_bytes)
             .add("dispatches", list)
             .str() +
         '\n';
}

// The trace event format: complete events ("X") in microseconds, and a name for the one track.
std::string Report::to_chrome_trace() const {
  const std::string track = Object()
                                .text("name", "thread_name")
                                .text("ph", "M")
                                .count("pid", 1)
                                .count("tid", 1)
                                .add("args", Object().text("name", device).str())
                                .str();
  const std::string events = json_list(dispatches, [](const DispatchReport& dispatch) {
    return Object()
        .text("name", dispatch.label)
        .text("cat", dispatch.kernel)
        .text("ph", "X")
        .count("pid", 1)
        .count("tid", 1)
        .number("ts", dispatch.start_milliseconds * 1000)
        .number("dur", dispatch.milliseconds * 1000)
        .add("args", Object()
                         .text("shader", dispatch.shader)
                         .text("program", dispatch.program_line)
                         .number("flops", dispatch.flops)
                         .count("bytes", dispatch.bytes)
                         .str())
        .str();
  });
  std::string list = events;
  list.insert(1, "\n  " + track + (dispatches.empty() ? "" : ","));
  return Object().text("displayTimeUnit", "ms").add("traceEvents", list).str() + '\n';
}

}  // namespace fovea
