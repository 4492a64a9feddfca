// The checker of barriers, on programs whose races are plain to see.

#include "tests/support/hazards.hpp"
#include "tests/support/programs.hpp"

#include <doctest/doctest.h>

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::int64_t n = 64;  // 256 bytes

// a at 0, b at 256, and so on.
compile::BufferRange place(std::uint64_t i) { return arena_range(256 * i, n); }

compile::Dispatch sum(compile::BufferRange a, compile::BufferRange b, compile::BufferRange out) { return weighted_sum(n, 1, 0, a, b, out); }

// The second after the first, with no barrier between.
std::vector<std::string> hazards_of(const compile::Dispatch& first, const compile::Dispatch& second) {
  compile::Program program;
  program.externals.resize(2);
  program.dispatches = {first, second};
  return find_hazards(program);
}

}  // namespace

TEST_CASE("a dispatch that reads, or writes, what one before it writes, and one that writes what it reads, race") {
  const auto kind = [](const compile::Dispatch& first, const compile::Dispatch& second) {
    const std::vector<std::string> hazards = hazards_of(first, second);
    return hazards.size() == 1 ? hazards[0].substr(0, hazards[0].find(':')) : std::to_string(hazards.size()) + " hazards";
  };
  const compile::Dispatch first = sum(place(0), place(1), place(2));
  CHECK(kind(first, sum(place(1), place(2), place(3))) == "read after write");
  CHECK(kind(first, sum(place(3), place(4), place(1))) == "write after read");
  CHECK(kind(first, sum(place(3), place(4), place(2))) == "write after write");
  CHECK(kind(first, sum(place(0), place(1), place(3))) == "0 hazards");
}

TEST_CASE("bytes that overlap race, those side by side and those of another buffer do not") {
  const compile::Dispatch first = sum(place(0), place(1), place(4));
  const auto races = [&](compile::BufferRange range) { return !hazards_of(first, sum(range, place(0), place(8))).empty(); };
  CHECK(races(place(4)));
  CHECK(races(arena_range(256 * 4 - 4, 2)));    // ends in its first word
  CHECK(races(arena_range(256 * 5 - 4, 2)));    // begins in its last
  CHECK(races(arena_range(0, 1024)));           // holds it
  CHECK_FALSE(races(place(3)));
  CHECK_FALSE(races(place(5)));
  compile::BufferRange elsewhere = place(4);
  elsewhere.kind = compile::BufferKind::constant;
  CHECK_FALSE(races(elsewhere));
  elsewhere.kind = compile::BufferKind::external, elsewhere.index = 1;
  CHECK_FALSE(races(elsewhere));
}

TEST_CASE("a barrier separates all that came before it, and nothing behind it") {
  compile::Program program;
  program.dispatches = {sum(place(0), place(1), place(2)), sum(place(0), place(1), place(3)), sum(place(2), place(3), place(4)),
                        sum(place(4), place(0), place(5))};
  CHECK(find_hazards(program).size() == 3);
  program.dispatches[3].barrier_before = true;
  CHECK(find_hazards(program).size() == 2);
  program.dispatches[1].barrier_before = true;
  CHECK(find_hazards(program).size() == 1);
  program.dispatches[2].barrier_before = true;
  CHECK(find_hazards(program).empty());
}

TEST_CASE("a dispatch that reads or writes twice what it writes races with itself") {
  compile::Program program;
  program.dispatches = {sum(place(0), place(1), place(1))};
  REQUIRE(find_hazards(program).size() == 1);
  CHECK(find_hazards(program)[0].starts_with("write after read within weighted_sum"));
}

TEST_CASE("what is written is told by the shader, not by the Program; a binding without use touches nothing") {
  compile::Dispatch first = sum(place(0), place(1), place(2));
  first.bindings[2] = {place(2), true, false};
  CHECK(hazards_of(first, sum(place(2), place(0), place(3))).size() == 1);
  first.bindings[2] = {place(2), false, false};
  CHECK(hazards_of(first, sum(place(2), place(0), place(3))).empty());
}
