// to_string of every public enumeration: a name for each enumerator, and the number of whatever else is cast to it.

#include "base/enum_name.hpp"
#include "tests/support/declared.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

using namespace fovea;

namespace {

struct Names {
  int count = 0;
  std::string (*of)(int number) = nullptr;
  bool (*exists)(int number) = nullptr;
};
template <class Enum>
Names names(Enum last) {
  return {static_cast<int>(last) + 1, [](int number) { return std::string(to_string(static_cast<Enum>(number))); },
          [](int number) { return is_enumerator(static_cast<Enum>(number)); }};
}

const std::map<std::string, Names>& enumerations() {
  static const std::map<std::string, Names> table{
      {"Activation", names(Activation::silu)},
      {"Binary", names(Binary::mod)},
      {"CausalAlign", names(CausalAlign::bottom_right)},
      {"Cell", names(Cell::gru_reset_first)},
      {"DType", names(DType::boolean)},
      {"DeviceType", names(DeviceType::cpu)},
      {"ErrorCode", names(ErrorCode::internal)},
      {"GruUpdate", names(GruUpdate::z_takes)},
      {"Interpolation", names(Interpolation::cubic)},
      {"KeySide", names(KeySide::after)},
      {"NeighbourhoodEdge", names(NeighbourhoodEdge::shifted)},
      {"PadMode", names(PadMode::circular)},
      {"Pool", names(Pool::lp)},
      {"Quantized", names(Quantized::int4)},
      {"Random", names(Random::gumbel)},
      {"Reduce", names(Reduce::argmin)},
      {"Reduction", names(Reduction::none)},
      {"ResizeCoordinates", names(ResizeCoordinates::asymmetric)},
      {"ResizeRounding", names(ResizeRounding::ceil)},
      {"SamplePadding", names(SamplePadding::reflection)},
      {"Ties", names(Ties::share)},
      {"Unary", names(Unary::log2)},
  };
  return table;
}

// Of another library (tests/io), and one that callers are only told.
const std::set<std::string> elsewhere{"ElementType", "LogLevel"};

}  // namespace

TEST_CASE("every public enumeration is in the table, with as many enumerators as its header has") {
  const std::map<std::string, int> declared = fovea::test::declared_enumerations();
  CHECK(declared.size() > 20);  // the scan finds them
  for (const auto& one : declared) {
    CAPTURE(one.first);
    if (elsewhere.count(one.first) == 1) continue;
    const auto found = enumerations().find(one.first);
    REQUIRE(found != enumerations().end());
    CHECK(found->second.count == one.second);
  }
}

TEST_CASE("every enumerator has a name of its own, and every other number is named by itself") {
  for (const auto& one : enumerations()) {
    CAPTURE(one.first);
    const auto& names = one.second;
    std::set<std::string> different;
    for (int number = 0; number < names.count; ++number) {
      different.insert(names.of(number));
      CHECK(names.exists(number));
    }
    CHECK(different.size() == static_cast<std::size_t>(names.count));
    for (int number = names.count; number < 256; ++number) {
      CHECK(names.of(number) == "enumerator " + std::to_string(number));
      CHECK_FALSE(names.exists(number));
    }
  }
  CHECK(std::string(to_string(static_cast<ErrorCode>(-1))) == "enumerator past 255");
  CHECK_FALSE(is_enumerator(static_cast<ErrorCode>(256)));
}
