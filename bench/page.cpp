// The goals and what was reached, one picture.

#include "bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bench {
namespace {

constexpr double names = 420, plot = 420, figures = 420, line = 20, margin = 20, head = 58;
constexpr double decades = 1;  // to each side of the goal

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

std::string text(double x, double y, std::string_view words, std::string_view style = "") {
  return fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" {}>{}</text>\n", x, y, style, escaped(words));
}

std::string upright(double x, double top, double bottom, const char* kind) {
  return fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.0f}\" y2=\"{2:.0f}\" class=\"{3}\"/>\n", x, top,
                     bottom, kind);
}

// Where a margin stands on the logarithmic axis: the goal in the middle.
double at(double reached) {
  const double power = std::clamp(std::log10(std::max(reached, 1e-9)), -decades, decades);
  return names + plot * (power + decades) / (2 * decades);
}

std::string said(const Judgement& j) {
  const Goal& goal = j.goal;
  const char* relation = goal.relation == "at-least" ? "≥" : goal.relation == "at-most" ? "≤" : "1 ±";
  if (j.verdict == Verdict::absent) return fmt::format("absent: {}", j.note.substr(0, 60));
  std::string words = fmt::format("{}, goal {} {:g}", short_number(j.reached), relation, goal.value);
  if (j.ours > 0)
    words += fmt::format("; {} ms, {} {} ms", short_number(j.ours), j.note.empty() ? goal.against : j.note,
                         short_number(j.theirs));
  else if (!j.note.empty())
    words += "; " + j.note;
  return words;
}

std::string bar(const Judgement& j, double y) {
  std::string out = text(margin, y + 14, j.goal.row + " : " + j.goal.against);
  out += text(names + plot + 12, y + 14, said(j), j.verdict == Verdict::met ? "" : "class=\"off\"");
  if (j.verdict == Verdict::absent) return out;
  const double from = at(1), to = at(j.margin()), by_processor = at(j.margin(j.reached_processor));
  out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"{:.0f}\" class=\"{}\"/>\n",
                     std::min(from, to), y + 4, std::max(std::abs(to - from), 2.0), line - 8, to_string(j.verdict));
  return out + upright(by_processor, y + 1, y + line - 1, "processor");
}

std::string axis(double top, double bottom) {
  std::string out;
  for (const double tick : {0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0}) {
    out += upright(at(tick), top, bottom, tick == 1.0 ? "goal" : "tick");
    out += text(at(tick), top - 4, tick == 1.0 ? "goal" : fmt::format("{:g}×", tick),
                "text-anchor=\"middle\" class=\"small\"");
  }
  return out;
}

}  // namespace

std::string page(const std::vector<std::pair<Report, std::vector<Judgement>>>& reports) {
  std::string body;
  double y = margin;
  for (const auto& [report, judgements] : reports) {
    if (judgements.empty()) continue;
    const auto met = std::count_if(judgements.begin(), judgements.end(),
                                   [](const Judgement& j) { return j.verdict == Verdict::met; });
    body += text(margin, y + 16, fmt::format("{}: {} of {} goals met", report.driver, met, judgements.size()),
                 "class=\"title\"");
    body += text(margin, y + 34,
                 fmt::format("{}, {}; {}; load {:.1f} to {:.1f}. Bars: by the clock; marks: by processor time",
                             report.device, report.version, report.date, report.load_before, report.load_after),
                 "class=\"small\"");
    y += head;
    const double bottom = y + line * static_cast<double>(judgements.size());
    body += axis(y, bottom);
    for (const Judgement& judgement : judgements) body += bar(judgement, y), y += line;
    y = bottom + margin;
  }
  const double width = names + plot + figures + margin;
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
             "height=\"{1:.0f}\">\n"
             "<style>text{{font:13px sans-serif;fill:#222}} .title{{font-size:16px;font-weight:bold}} "
             ".small{{font-size:11px;fill:#666}} "
             ".off{{fill:#b03a2e}} .met{{fill:#2e7d5b}} .missed{{fill:#c0563f}} .tick{{stroke:#ddd}} "
             ".processor{{stroke:#b8860b;stroke-width:3}} "
             ".goal{{stroke:#222}}</style>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
             width, y) +
         body + "</svg>\n";
}

}  // namespace bench
