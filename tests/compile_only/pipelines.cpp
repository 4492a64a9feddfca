#include "tests/compile_only/pipelines.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace fovea::test {

namespace {

struct Column {
  const char* name;
  std::int64_t PipelineStatistics::*figure;
  bool more_is_better = false;
};

constexpr Column columns[] = {
    {"registers", &PipelineStatistics::registers},         {"spills", &PipelineStatistics::spills},
    {"scratch_bytes", &PipelineStatistics::scratch_bytes}, {"shared_bytes", &PipelineStatistics::shared_bytes},
    {"occupancy", &PipelineStatistics::occupancy, true},   {"instructions", &PipelineStatistics::instructions},
};

// What a compiler may do otherwise for no reason of ours: a constant folded here, an instruction scheduled there.
constexpr double slack = 0.05;

bool is_past(const Column& column, std::int64_t figure, std::int64_t budget) {
  if (figure < 0 || budget < 0) return figure != budget;  // a driver that no longer tells, or tells now
  return column.more_is_better ? static_cast<double>(figure) < static_cast<double>(budget) * (1 - slack)
                               : static_cast<double>(figure) > static_cast<double>(budget) * (1 + slack);
}

std::string text_of(const PipelineKind& kind) {
  return kind.first + " of " + kind.second;
}

Error misread(const std::string& path, int line, const std::string& what) {
  return {ErrorCode::invalid_argument, path + ':' + std::to_string(line) + ": " + what};
}

}  // namespace

std::string to_text(const PipelineStatistics& statistics) {
  std::string text;
  for (const Column& column : columns)
    text += (text.empty() ? "" : ", ") + std::string(column.name) + ' ' + std::to_string(statistics.*column.figure);
  return text;
}

void worsen(PipelineStatistics& worst, const PipelineStatistics& one) {
  for (const Column& column : columns) {
    std::int64_t& figure = worst.*column.figure;
    const std::int64_t other = one.*column.figure;
    if (figure < 0 || (other >= 0 && (column.more_is_better ? other < figure : other > figure))) figure = other;
  }
}

std::size_t Pipelines::count() const {
  std::size_t n = 0;
  for (const auto& [kind, of_kind] : made) n += of_kind.size();
  return n;
}

Result<Figures> read_budget(const std::string& path) {
  std::ifstream file(path);
  if (!file) return misread(path, 0, "cannot be read");
  Figures figures;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    PipelineKind kind;
    words >> kind.first >> kind.second;
    PipelineStatistics& budget = figures[kind];
    for (const Column& column : columns) words >> budget.*column.figure;
    if (!words || !(words >> std::ws).eof()) return misread(path, number, "is not two names and " + std::to_string(std::size(columns)) + " numbers");
  }
  return figures;
}

bool write_budget(const std::string& path, const Figures& figures) {
  std::ofstream file(path);
  file << "# The worst over all specialisations; -1: the driver does not say. Written by fovea-pipelines --write-budget.\n# shader\tkernel";
  for (const Column& column : columns) file << '\t' << column.name;
  file << '\n';
  for (const auto& [kind, worst] : figures) {
    file << kind.first << '\t' << kind.second;
    for (const Column& column : columns) file << '\t' << worst.*column.figure;
    file << '\n';
  }
  return file.flush().good();
}

std::vector<std::string> spilling(const Figures& figures, const std::set<std::string>& allowed) {
  std::vector<std::string> faults;
  for (const auto& [kind, worst] : figures)
    if (worst.spills > 0 && !allowed.contains(kind.first))
      faults.push_back(text_of(kind) + " spills " + std::to_string(worst.spills) + " to memory, with " + std::to_string(worst.registers) + " registers");
  return faults;
}

std::vector<std::string> over_budget(const Figures& figures, const Figures& budget) {
  std::vector<std::string> faults;
  for (const auto& [kind, worst] : figures) {
    const auto at = budget.find(kind);
    if (at == budget.end()) {
      faults.push_back(text_of(kind) + " has no budget");
      continue;
    }
    for (const Column& column : columns)
      if (is_past(column, worst.*column.figure, at->second.*column.figure))
        faults.push_back(text_of(kind) + ": " + column.name + ' ' + std::to_string(worst.*column.figure) + ", the budget is " + std::to_string(at->second.*column.figure));
  }
  for (const auto& [kind, unused] : budget)
    if (!figures.contains(kind)) faults.push_back(text_of(kind) + " has a budget, and no graph makes it");
  return faults;
}

}  // namespace fovea::test
