#include "bench/report.hpp"

#include "io/file.hpp"
#include "io/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

namespace bench {

using fovea::Error;
using fovea::ErrorCode;
using fovea::Result;
using fovea::io::Json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Side, name, wall, processor, device, walls, processors, times, difference, absent)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RowResult, name, sides, flops, bytes, arena_bytes, cold, cold_processor, kernels)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Report, driver, device, version, date, load_before, load_after, peers, rows)

std::string to_json(const Report& report) {
  Json json = report;
  json["schema"] = "fovea-bench";
  json["schema_version"] = 1;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

static Result<std::string> read_text(const std::filesystem::path& path) {
  auto file = fovea::io::MappedFile::open(path);
  if (!file) return file.error();
  return std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
}

Result<Report> read_report(const std::filesystem::path& path) {
  const Result<std::string> text = read_text(path);
  if (!text) return text.error();
  const Result<Json> json = fovea::io::parse_json(*text);
  const std::string where = path.string() + ": ";
  if (!json) return Error{ErrorCode::io, where + json.error().message};
  if (!json->is_object() || json->value("schema", Json()) != "fovea-bench" ||
      json->value("schema_version", Json()) != 1)
    return Error{ErrorCode::io, where + "not a report of fovea-bench, schema version 1"};
  try {
    return json->get<Report>();
  } catch (const Json::exception& exception) {
    return Error{ErrorCode::io, where + exception.what()};
  }
}

// ---- Goals --------------------------------------------------------------------------------------------------------

Result<std::vector<Goal>> read_goals(const std::filesystem::path& path) {
  const Result<std::string> text = read_text(path);
  if (!text) return text.error();
  std::vector<Goal> goals;
  std::istringstream lines(*text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    Goal goal;
    std::string rest;
    const bool read =
        static_cast<bool>(words >> goal.driver >> goal.row >> goal.against >> goal.relation >> goal.value);
    const bool known = goal.relation == "at-least" || goal.relation == "at-most" || goal.relation == "within";
    if (!read || !known || words >> rest || !(goal.value > 0))
      return Error{ErrorCode::io,
                   fmt::format("{}:{}: no goal, which is DRIVER ROW AGAINST at-least|at-most|within VALUE > 0: {}",
                               path.string(), number, line)};
    goals.push_back(std::move(goal));
  }
  return goals;
}

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::met:
      return "met";
    case Verdict::missed:
      return "missed";
    case Verdict::absent:
      break;
  }
  return "absent";
}

double Judgement::margin(double value) const {
  if (!(value > 0)) return 0;
  if (goal.relation == "at-least") return value / goal.value;
  if (goal.relation == "at-most") return goal.value / value;
  return goal.value / std::max(std::abs(value - 1), 1e-3);
}

// The side of that name or, of a peer with several settings (`name:setting`), the fastest. Null: none has times, and
// why.
static const Side* fastest(const RowResult& row, const std::string& name, std::string& why) {
  const Side* found = nullptr;
  why = "not measured";
  for (std::size_t i = 1; i < row.sides.size(); ++i) {
    const Side& side = row.sides[i];
    if (side.name.substr(0, side.name.find(':')) != name) continue;
    if (!side.absent.empty())
      why = side.absent;
    else if (found == nullptr || side.wall < found->wall)
      found = &side;
  }
  return found;
}

static void judge_row(const RowResult& row, Judgement& judgement) {
  if (judgement.goal.against == "arena") {
    judgement.reached = judgement.reached_processor = std::max(row.arena_bytes, 1.0);
    return;
  }
  const Side& ours = row.sides.front();
  const Side* theirs = fastest(row, judgement.goal.against, judgement.note);
  if (!ours.absent.empty()) judgement.note = ours.absent;
  if (!ours.absent.empty() || theirs == nullptr) return;
  judgement.note = theirs->name == judgement.goal.against ? "" : theirs->name;
  judgement.ours = ours.wall, judgement.theirs = theirs->wall;
  judgement.reached = theirs->wall / ours.wall, judgement.reached_processor = theirs->processor / ours.processor;
}

std::vector<Judgement> judge(const Report& report, const std::vector<Goal>& goals, const std::set<std::string>& rows) {
  std::vector<Judgement> judgements;
  for (const Goal& goal : goals) {
    if (goal.driver != report.driver) continue;
    Judgement judgement{goal};
    judgement.note = goal.row == "*" || rows.contains(goal.row) ? "not measured" : "Fovea has no such operator yet";
    for (const RowResult& row : report.rows) {
      if (goal.row == "*" && row.cold > judgement.reached) {
        judgement.reached = row.cold, judgement.reached_processor = row.cold_processor;
        judgement.note = row.name;
      } else if (goal.row == row.name) {
        judge_row(row, judgement);
      }
    }
    if (judgement.reached > 0) judgement.verdict = judgement.margin() >= 1 ? Verdict::met : Verdict::missed;
    judgements.push_back(std::move(judgement));
  }
  return judgements;
}

// ---- Tables -------------------------------------------------------------------------------------------------------

std::string short_number(double value) {
  if (!(value > 0)) return "-";
  return fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

std::string goals_table(const Report& report, const std::vector<Judgement>& judgements) {
  std::string text =
      fmt::format("\n{}: {}, {}; {}; load {:.1f} to {:.1f}\n{:<38} {:<8} {:>10} {:>10} {:>9} {:>9} {:>14}\n",
                  report.driver, report.device, report.version, report.date, report.load_before, report.load_after, "",
                  "against", "ours ms", "theirs ms", "reached", "processor", "goal");
  for (const Judgement& j : judgements)
    text += fmt::format("{:<38} {:<8} {:>10} {:>10} {:>9} {:>9} {:>14}  {}{}\n", j.goal.row, j.goal.against,
                        short_number(j.ours), short_number(j.theirs), short_number(j.reached),
                        short_number(j.reached_processor), j.goal.relation + ' ' + fmt::format("{:g}", j.goal.value),
                        to_string(j.verdict), j.note.empty() ? "" : " (" + j.note + ")");
  return text;
}

std::string row_table(const RowResult& row) {
  std::string text =
      fmt::format("\n{:<38} {:>10} {:>13} {:>9} {:>13}\n", row.name, "ms", "processor ms", "ratio", "processor");
  const Side& first = row.sides.front();
  for (const Side& side : row.sides) {
    if (!side.absent.empty())
      text += fmt::format("  {:<36} absent: {}\n", side.name, side.absent);
    else
      text += fmt::format("  {:<36} {:>10.3f} {:>13.3f} {:>9.2f} {:>13.2f}\n", side.name, side.wall, side.processor,
                          side.wall / first.wall, side.processor / first.processor);
  }
  return text;
}

}  // namespace bench
