#pragma once
// What was measured on one driver, as plain data, and what it means beside the goals. The members' names are the JSON's
// keys.

#include <fovea/result.hpp>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace bench {

// One side of a row: a way of Fovea's, a peer, a limit of the machine. Milliseconds, medians of `walls` and
// `processors`.
struct Side {
  std::string name;
  double wall = 0, processor = 0, device = 0;
  std::vector<double> walls{}, processors{};
  // Its times were multiplied by this: less or more work than the row's first way.
  double times = 1;
  // How far its result is from the first way's, of the largest magnitude in that.
  double difference = 0;
  std::string absent{};  // why it has no times
};

struct RowResult {
  std::string name;
  std::vector<Side> sides{};  // the first is the one that the others are compared with
  double flops = 0, bytes = 0, arena_bytes = 0;
  double cold = 0, cold_processor = 0;  // of the first way, milliseconds (case.hpp)
  std::vector<std::string> kernels{};
};

struct Report {
  std::string driver, device, version, date;
  // Processes that were running or waiting for a core, a minute's average, at the start and at the end.
  double load_before = 0, load_after = 0;
  std::map<std::string, std::string> peers{};  // what each says of itself, or why it is absent
  std::vector<RowResult> rows{};
};

std::string to_json(const Report& report);
// Errors: no such file, not this program's JSON.
fovea::Result<Report> read_report(const std::filesystem::path& path);

// A line of goals.txt, which says what each means.
struct Goal {
  std::string driver, row, against, relation;
  double value = 0;
};
// Errors: the file, or a line that is none.
fovea::Result<std::vector<Goal>> read_goals(const std::filesystem::path& path);

enum class Verdict { met, missed, absent };
const char* to_string(Verdict verdict);
struct Judgement {
  Goal goal;
  double ours = 0, theirs = 0;                // milliseconds; 0 where the goal is none of time
  double reached = 0, reached_processor = 0;  // what is compared with the goal, by the clock and by processor time
  Verdict verdict = Verdict::absent;
  std::string note{};  // the faster setting of a peer; why there is nothing to judge
  // How far past the goal what was `reached` is: 1 is met exactly, above is better. 0: nothing was.
  double margin() const { return margin(reached); }
  double margin(double reached) const;
};
// Of the goals for the report's driver. `rows`: the names of those that could have been measured.
std::vector<Judgement> judge(const Report& report, const std::vector<Goal>& goals, const std::set<std::string>& rows);

// For people: a figure in few digits, the goals, and all sides of a row.
std::string short_number(double value);
std::string goals_table(const Report& report, const std::vector<Judgement>& judgements);
std::string row_table(const RowResult& row);
// One picture of several drivers' goals, SVG, that fetches nothing.
std::string page(const std::vector<std::pair<Report, std::vector<Judgement>>>& reports);

}  // namespace bench
