#pragma once
// What a driver made of every pipeline: the worst figures of a kernel over all its specialisations, and the budget they
// are held to.

#include "vk/pipeline_statistics.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fovea::test {

using vk::PipelineStatistics;

// A shader variant as one kernel uses it: {"matmul_tile.f16", "matmul_tile"}.
using PipelineKind = std::pair<std::string, std::string>;
// The worst of each figure: the most, and of occupancy the least.
using Figures = std::map<PipelineKind, PipelineStatistics>;

// "registers 96, spills 0, ..."
std::string to_text(const PipelineStatistics& statistics);
void worsen(PipelineStatistics& worst, const PipelineStatistics& one);

struct Pipelines {
  Figures worst;
  std::map<PipelineKind, std::set<std::vector<std::uint32_t>>> made;  // by their constants
  std::set<std::string> kernels;    // "operator=kernel" of every launch
  std::set<std::string> elsewhere;  // "operator=kernel" that took a graph on another device only
  std::map<PipelineKind, std::string> spilled;  // the first dispatch whose pipeline does
  std::set<PipelineKind> without_matrices;  // whose assembly has no instruction of matrix units, though its shader multiplies matrices
  std::map<PipelineKind, std::int64_t> of_other_subgroups;  // that run in subgroups of this size, where another was planned for
  std::size_t graphs = 0;         // compiled; forced kernels count each
  std::size_t count() const;
};

// A table of tab-separated values, one kind a line. Errors name file and line.
Result<Figures> read_budget(const std::string& path);
bool write_budget(const std::string& path, const Figures& figures);

// One line for each kind that goes to memory for want of registers, unless `allowed` names its kernel.
std::vector<std::string> spilling(const Figures& figures, const std::set<std::string>& allowed);
// One line for each figure past its budget, each kind without a budget, and each budget of a kind that is gone.
std::vector<std::string> over_budget(const Figures& figures, const Figures& budget);

}  // namespace fovea::test
