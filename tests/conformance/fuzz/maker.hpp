#pragma once
// What an operator's proposal draws from while a random graph grows.

#include "tests/conformance/fuzz/operators.hpp"

#include <optional>
#include <random>

namespace fovea::conformance {

class Maker {
 public:
  explicit Maker(std::uint32_t seed);
  Recipe make();

  std::size_t below(std::size_t n) { return generator_() % n; }
  std::int64_t number(std::int64_t low, std::int64_t high) { return low + static_cast<std::int64_t>(below(static_cast<std::size_t>(high - low + 1))); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::int64_t extent() { return extents_[below(extents_.size())]; }  // one of the few that this graph has

  // A floating value, mostly the last, so that little is made in vain; of this rank where there is one.
  std::size_t pick();
  std::optional<std::size_t> pick_rank(int least, int most);
  const Shape& shape_of(std::size_t value) const { return recipe_.nodes[value].shape; }
  // Whether all its elements are in this range.
  bool within(std::size_t value, double low, double high) const;
  // Its axis; the value has one at least.
  int axis_of(std::size_t value) { return static_cast<int>(below(static_cast<std::size_t>(shape_of(value).rank()))); }

  // New inputs.
  std::size_t floats(const Shape& shape);
  std::size_t booleans(const Shape& shape);
  std::size_t indices(const Shape& shape, std::int64_t below);
  // A shape that broadcasts to this one.
  Shape broadcasting(const Shape& shape);

  // A word of those the operator describes.
  std::string word(const Node& node, std::string_view attribute);
  void maybe_flag(Node& node, std::string_view attribute) { if (one_in(2)) node.attributes.set(attribute, "true"); }

 private:
  std::size_t input(std::string_view values, const Shape& shape, std::int64_t below = 0);
  bool grow();
  bool append(Node node);
  void tame();  // keeps magnitudes near 1

  std::mt19937 generator_;
  std::vector<std::int64_t> extents_;
  Recipe recipe_;
  std::vector<test::Array<Exact>> values_;
  std::uint32_t inputs_ = 0, seed_;
};

// 1 to 3 inputs of up to 5 axes, and 1 to 12 operators with such other inputs as they need; the same for the same seed
// everywhere.
Recipe random_recipe(std::uint32_t seed);

}  // namespace fovea::conformance
