// What drivers say of their machine code, under one name; and the rules that fovea-pipelines holds it to.

#include "tests/compile_only/pipelines.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace fovea::test {
namespace {

const PipelineKind tile{"matmul_tile.f16", "matmul_tile"}, row{"softmax.f32", "softmax"};

PipelineStatistics figures(std::int64_t registers, std::int64_t spills, std::int64_t occupancy) {
  PipelineStatistics one;
  one.registers = registers, one.spills = spills, one.occupancy = occupancy;
  return one;
}

std::vector<std::string> past(const PipelineStatistics& got, const PipelineStatistics& budget) {
  return over_budget({{tile, got}}, {{tile, budget}});
}

}  // namespace

TEST_CASE("statistics of eight drivers: registers of 32 bits, spills to memory, what is not said stays -1") {
  using Named = std::vector<vk::NamedStatistic>;
  const PipelineStatistics a = vk::to_statistics(Named{{"SGPRs", 108}, {"VGPRs", 72}, {"Spilled SGPRs", 3}, {"Spilled VGPRs", 5}, {"LDS size", 4096}});
  CHECK(a.registers == 72);
  CHECK(a.spills == 5);
  CHECK(a.shared_bytes == 4096);
  CHECK(a.instructions == -1);
  const PipelineStatistics b = vk::to_statistics(Named{{"Number of GPRs", 48}, {"Spills to memory", 0}, {"Spills to reg", 7}, {"SLM size", 16}, {"Max warps/SM", 40}});
  CHECK(b.registers == 48);
  CHECK(b.spills == 0);
  CHECK(b.scratch_bytes == 16);
  CHECK(b.occupancy == 40);
  const PipelineStatistics c = vk::to_statistics(Named{{"Registers used", 10}, {"Half-registers used", 30}, {"STP Count", 2}});
  CHECK(c.registers == 60);
  CHECK(c.spills == 2);
  CHECK(vk::to_statistics(Named{{"GPRs", 93}}).registers == 47);
  const PipelineStatistics g = vk::to_statistics(Named{{"GRF registers", 0}, {"Max dispatch width", 32}, {"Max live registers", 130}, {"Spills", 6}, {"Fills", 9}, {"Scratch Memory Size", 0}, {"Workgroup Memory Size", 256}});
  CHECK(g.registers == 33);  // 130 of 8 words, over 32 lanes
  CHECK(g.spills == 6);
  CHECK(g.scratch_bytes == -1);
  CHECK(g.shared_bytes == 256);
  const PipelineStatistics d = vk::to_statistics(Named{{"Threads", 2}, {"Spills", 3}, {"Fills", 9}, {"Registers used", 27}, {"Uniforms used", 11}});
  CHECK(d.registers == 27);
  CHECK(d.spills == 3);
  CHECK(d.occupancy == 2);
  const PipelineStatistics e = vk::to_statistics(Named{{"Instruction Count", 784}, {"Thread Count", 4}, {"Spill Size", 1024}, {"TMU Spills", 1}, {"TMU Fills", 5}});
  CHECK(e.registers == -1);
  CHECK(e.spills == 1);
  CHECK(e.scratch_bytes == 1024);
  CHECK(e.occupancy == 4);
  CHECK(e.instructions == 784);
  const PipelineStatistics f = vk::to_statistics(Named{{"Scratch size", 8}, {"Spill count", 2}, {"Temp count", 29}, {"Inst group count", 927}, {"Main inst group count", 689}});
  CHECK(f.registers == 29);
  CHECK(f.spills == 2);
  CHECK(f.scratch_bytes == 8);
  CHECK(f.instructions == 927);
}

TEST_CASE("the worst of two: the most of each, and the least occupancy") {
  PipelineStatistics worst;
  worsen(worst, figures(10, 0, 20));
  worsen(worst, figures(40, 2, 8));
  worsen(worst, figures(30, 1, 16));
  CHECK(worst.registers == 40);
  CHECK(worst.spills == 2);
  CHECK(worst.occupancy == 8);
  CHECK(worst.shared_bytes == -1);
}

TEST_CASE("a spill is a fault, unless its shader may") {
  const Figures both{{tile, figures(255, 4, 8)}, {row, figures(20, 0, 16)}};
  REQUIRE(spilling(both, {}).size() == 1);
  CHECK(spilling(both, {})[0] == "matmul_tile.f16 of matmul_tile spills 4 to memory, with 255 registers");
  CHECK(spilling(both, {"matmul_tile.f16"}).empty());
}

TEST_CASE("past the budget: more by over 5 %, less occupancy by over 5 %, a shader without a budget, a budget without a shader") {
  CHECK(past(figures(100, 0, 20), figures(100, 0, 20)).empty());
  CHECK(past(figures(105, 0, 19), figures(100, 0, 20)).empty());
  CHECK(past(figures(40, 0, 40), figures(100, 0, 20)).empty());
  CHECK(past(figures(106, 0, 20), figures(100, 0, 20)) == std::vector<std::string>{"matmul_tile.f16 of matmul_tile: registers 106, the budget is 100"});
  CHECK(past(figures(100, 0, 18), figures(100, 0, 20)).size() == 1);
  CHECK(past(figures(100, 1, 20), figures(100, 0, 20)).size() == 1);
  CHECK(past(figures(100, -1, 20), figures(100, 0, 20)).size() == 1);
  CHECK(over_budget({{row, figures(1, 0, 1)}}, {{tile, figures(1, 0, 1)}}) ==
        std::vector<std::string>{"softmax.f32 of softmax has no budget", "matmul_tile.f16 of matmul_tile has a budget, and no graph makes it"});
}

TEST_CASE("a budget is read as it was written, and a damaged line is named") {
  const std::string path = (std::filesystem::temp_directory_path() / "fovea_budget.tsv").string();
  const Figures both{{tile, figures(255, 4, 8)}, {row, figures(20, 0, 16)}};
  REQUIRE(write_budget(path, both));
  const Result<Figures> again = read_budget(path);
  REQUIRE(again);
  CHECK(over_budget(both, *again).empty());
  CHECK(over_budget(*again, both).empty());
  std::ofstream(path, std::ios::app) << "conv2d.f32\tconv2d\t1\t2\n";
  const Result<Figures> damaged = read_budget(path);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().message.find("fovea_budget.tsv:5: is not two names and 6 numbers") != std::string::npos);
  std::remove(path.c_str());
  CHECK_FALSE(read_budget(path));
}

}  // namespace fovea::test
