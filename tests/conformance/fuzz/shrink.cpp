#include "tests/conformance/fuzz/shrink.hpp"

#include "tests/conformance/fuzz/interpret.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

namespace fovea::conformance {
namespace {

using Recipes = std::vector<Recipe>;

Node plain_input(const Shape& shape, std::size_t seed) {
  Node node{.op = &input_operator(), .shape = shape};
  node.attributes.set("values", "uniform");
  node.attributes.set("seed", static_cast<double>(seed));
  return node;
}

// An earlier value as the output, of the nearest to the inputs first; or another of the outputs.
Recipes other_outputs(const Recipe& recipe) {
  Recipes found;
  const auto with = [&](std::size_t output) {
    found.push_back(recipe);
    found.back().output = output;
    std::erase(found.back().also, output);
  };
  for (std::size_t i = 0; i < recipe.output; ++i) {
    if (recipe.is_input(i) || recipe.nodes[i].dtype != DType::f32) continue;
    with(i);
  }
  for (const std::size_t also : recipe.also)
    if (also > recipe.output) with(also);
  return found;
}

// A node gone, an input or one of its operands in its place.
Recipes without_node(const Recipe& recipe) {
  Recipes found;
  for (std::size_t i = recipe.nodes.size(); i-- > 0;) {
    const Node& node = recipe.nodes[i];
    if (recipe.is_input(i)) continue;
    for (const std::size_t operand : node.in) {
      if (recipe.nodes[operand].shape != node.shape || recipe.nodes[operand].dtype != node.dtype) continue;
      Recipe& one = found.emplace_back(recipe);
      for (Node& user : one.nodes) std::replace(user.in.begin(), user.in.end(), i, operand);
      if (one.output == i) one.output = operand;
    }
    if (i == recipe.output || std::ranges::find(recipe.also, i) != recipe.also.end()) continue;
    Recipe& one = found.emplace_back(recipe);
    one.nodes[i] = plain_input(node.shape, i);
  }
  return found;
}

Recipes without_settings(const Recipe& recipe) {
  Recipes found;
  const auto changed = [&](auto change) { change(found.emplace_back(recipe)); };
  if (recipe.gradient) changed([](Recipe& one) { one.gradient.reset(); });
  if (recipe.gradient && recipe.gradient->flag("recompute"))
    changed([](Recipe& one) { std::erase_if(one.gradient->all, [](const Attribute& a) { return a.name == "recompute"; }); });
  for (std::size_t i = 0; i < recipe.also.size(); ++i)
    changed([&](Recipe& one) { one.also.erase(one.also.begin() + static_cast<std::ptrdiff_t>(i)); });
  if (recipe.storage != DType::f32) changed([](Recipe& one) { one.storage = DType::f32; });
  return found;
}

Recipes without_operands(const Recipe& recipe) {
  Recipes found;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i)
    for (std::size_t n = recipe.nodes[i].op->least; n < recipe.nodes[i].in.size(); ++n) {
      Recipe& one = found.emplace_back(recipe);
      one.nodes[i].in.resize(n);
    }
  return found;
}

// What to try instead of a number: the least of all first.
std::vector<double> lesser(double number, double least) {
  std::vector<double> all;
  for (const double value : {least, std::floor(number / 2), number - 1})
    if (value >= least && value < number && std::ranges::find(all, value) == all.end()) all.push_back(value);
  return all;
}

// Axes of equal extents together, for they may have to be equal; then each alone, and each two. None at all is no simpler
// than one.
Recipes smaller_extents(const Recipe& recipe) {
  struct Axis {
    std::size_t input;
    int axis;
  };
  Recipes found;
  std::map<std::int64_t, std::vector<Axis>, std::greater<>> by_extent;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i)
    for (int axis = 0; recipe.is_input(i) && axis < recipe.nodes[i].shape.rank(); ++axis)
      by_extent[recipe.nodes[i].shape[axis]].push_back({i, axis});
  const auto change = [&](std::int64_t extent, const std::vector<Axis>& axes) {
    for (const double less : extent == 0 ? std::vector{1.0} : lesser(static_cast<double>(extent), 1)) {
      Recipe& one = found.emplace_back(recipe);
      for (const Axis& each : axes) one.nodes[each.input].shape[each.axis] = static_cast<std::int64_t>(less);
    }
  };
  for (const auto& [extent, axes] : by_extent) change(extent, axes);
  for (const auto& [extent, axes] : by_extent)
    for (const Axis& one : axes) change(extent, {one});
  for (const auto& [extent, axes] : by_extent)
    for (std::size_t a = 0; a < axes.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) change(extent, {axes[a], axes[b]});
  return found;
}

// An axis of extent 1 gone from all inputs of a rank, and from the attributes that count axes.
Recipes fewer_axes(const Recipe& recipe) {
  Recipes found;
  for (int rank = max_rank; rank > 0; --rank)
    for (int axis = 0; axis < rank; ++axis) {
      Recipe one = recipe;
      bool any = false;
      for (std::size_t i = 0; i < one.nodes.size(); ++i) {
        Node& node = one.nodes[i];
        if (recipe.is_input(i) && node.shape.rank() == rank && node.shape[axis] == 1) {
          std::vector<std::int64_t> extents = extents_of(node.shape);
          extents.erase(extents.begin() + axis);
          node.shape = shape_from(extents);
          any = true;
        }
        if (node.in.empty() || recipe.nodes[node.in[0]].shape.rank() != rank) continue;
        for (Attribute& attribute : node.attributes.all)
          if (attribute.name == "axis" || attribute.name == "axes")
            for (double& number : attribute.numbers) number += number < 0 ? number + rank < axis : -(number > axis);
      }
      if (any) found.push_back(std::move(one));
    }
  return found;
}

Recipes simpler_attributes(const Recipe& recipe) {
  Recipes found;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    const std::vector<Attribute>& all = recipe.nodes[i].attributes.all;
    for (std::size_t a = 0; a < all.size(); ++a) {
      if (all[a].name == "op" || (recipe.is_input(i) && all[a].name != "below")) continue;
      if (!recipe.is_input(i)) {
        std::vector<Attribute>& fewer = found.emplace_back(recipe).nodes[i].attributes.all;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(a));
      }
      for (std::size_t k = 0; k < all[a].numbers.size(); ++k)
        for (const double less : lesser(all[a].numbers[k], 0)) found.emplace_back(recipe).nodes[i].attributes.all[a].numbers[k] = less;
    }
  }
  return found;
}

// Whole numbers, then ones; then without the seed that ones do not need.
void add_plainer(const Recipe& recipe, Attributes& (*of)(Recipe&, std::size_t), std::size_t i, Recipes& found) {
  Recipe copy = recipe;
  const std::string kind = of(copy, i).word("values", "uniform");
  if (kind == "index" || kind == "chance") return;
  const bool seeded = of(copy, i).find("seed") != nullptr;
  for (const char* plainer : {"one", "whole"}) {
    if (kind == plainer || kind == "one") continue;
    of(found.emplace_back(recipe), i).set("values", plainer);
  }
  if (seeded) std::erase_if(of(found.emplace_back(recipe), i).all, [](const Attribute& a) { return a.name == "seed"; });
}

Recipes plainer_values(const Recipe& recipe) {
  Recipes found;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i)
    if (recipe.is_input(i)) add_plainer(recipe, [](Recipe& one, std::size_t k) -> Attributes& { return one.nodes[k].attributes; }, i, found);
  if (recipe.gradient) add_plainer(recipe, [](Recipe& one, std::size_t) -> Attributes& { return *one.gradient; }, 0, found);
  return found;
}

}  // namespace

Shrunk shrink(const Recipe& failing, const Fails& fails, int most) {
  const bool finite = is_finite(evaluate<double>(failing, 0));
  Shrunk best{failing};
  std::set<std::string> seen{to_text(failing)};
  // The first of these candidates that fails too, if any.
  const auto improve = [&](const Recipes& candidates) {
    for (const Recipe& candidate : candidates) {
      Recipe one = pruned(candidate);
      if (!complete(one) || !seen.insert(to_text(one)).second) continue;
      if (finite && !is_finite(evaluate<double>(one, 0))) continue;
      if (best.tried == most) return false;
      ++best.tried;
      if (!fails(one)) continue;
      best.recipe = std::move(one);
      return true;
    }
    return false;
  };
  // What takes away most comes first, and comes again after every step behind it.
  static constexpr Recipes (*passes[])(const Recipe&) = {other_outputs,   without_settings,   without_node,   without_operands,
                                                         smaller_extents, fewer_axes, simpler_attributes, plainer_values};
  for (std::size_t pass = 0; pass < std::size(passes);) pass = improve(passes[pass](best.recipe)) ? 0 : pass + 1;
  return best;
}

}  // namespace fovea::conformance
