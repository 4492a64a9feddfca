#include "tests/conformance/fuzz/interpret.hpp"

#include "base/half.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace fovea::conformance {
namespace {

template <class Real>
test::Array<Traced<Real>> apply(const Node& node, const Arrays<Traced<Real>>& in) {
  if constexpr (std::is_same_v<Real, double>) return node.op->reference.exact(node, in);
  else return node.op->reference.single(node, in);
}

// What storing in 16 bits does to a value and, on the way back, to its gradient: half a unit of 2^-10 in f16, of 2^-7 in bf16, and of
// the least normal.
template <class Real>
void store_in(DType storage, test::Array<Traced<Real>>& array) {
  if (storage == DType::f32) return;
  const double halves = storage == DType::f16 ? 0x1p13 : 0x1p16;  // of 2^-24
  const double least = storage == DType::f16 ? 0x1p-14 : 0x1p-126;
  for (Traced<Real>& x : array.values) x = function(x, x.exact(), 1.0, halves, std::abs(x.exact()) + least);
}

double largest(const test::Array<double>& array) {
  double most = 0;
  for (const double value : array.values) most = std::max(most, std::abs(value));
  return most;
}

double distance(const test::Array<double>& a, const test::Array<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double off = std::abs(a.values[i] - b.values[i]);
    most = std::isnan(off) ? std::numeric_limits<double>::infinity() : std::max(most, off);
  }
  return most;
}

std::vector<std::byte> floats_of(const std::vector<double>& values) {
  std::vector<std::byte> bytes(values.size() * 4);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<float>(values[i]);
    std::memcpy(&bytes[4 * i], &value, 4);
  }
  return bytes;
}

void add_input(Case& made, const std::string& name, const Node& node) {
  const std::vector<double> values = values_of(node.attributes, node.shape.elements());
  if (node.dtype == DType::f32) return made.tensors.add(name, io::ElementType::f32, node.shape, floats_of(values));
  std::vector<std::byte> bytes;
  for (const double value : values) {
    const auto word = static_cast<std::int32_t>(value);
    const auto* first = reinterpret_cast<const std::byte*>(&word);
    bytes.insert(bytes.end(), first, first + (node.dtype == DType::boolean ? 1 : 4));
  }
  made.tensors.add(name, node.dtype == DType::boolean ? io::ElementType::boolean : io::ElementType::i32, node.shape, std::move(bytes));
}

}  // namespace

template <class Real>
test::Array<Traced<Real>> input_array(const Node& node) {
  test::Array<Traced<Real>> array(node.shape);
  const std::vector<double> values = values_of(node.attributes, node.shape.elements());
  for (std::size_t i = 0; i < values.size(); ++i) {
    Traced<Real>& x = array.values[i];
    x = Traced<Real>(values[i]);
    if (node.dtype == DType::boolean) x = Traced<Real>(values[i] != 0 ? 0 : -std::numeric_limits<double>::infinity());
    if (Tape<Real>* tape = Tape<Real>::current(); tape && node.dtype == DType::f32) x.at = tape->note(-1, 0);
  }
  return array;
}
template test::Array<Exact> input_array(const Node&);
template test::Array<Single> input_array(const Node&);

test::Array<Exact> apply_node(const Node& node, const Arrays<Exact>& values) {
  Arrays<Exact> in;
  for (const std::size_t operand : node.in) in.push_back(values[operand]);
  return apply<double>(node, in);
}

std::size_t operations_of(const Recipe& recipe) {
  double steps = 0;
  for (const Node& node : recipe.nodes) {
    double each = 4;  // for an element of the result
    const auto extent = [&](std::size_t operand, int axis) { return static_cast<double>(recipe.nodes[node.in[operand]].shape.at(axis)); };
    if (node.op->name == "matmul") each = 2 * static_cast<double>(recipe.nodes[node.in[0]].shape.elements());
    if (node.op->name == "matmul" && recipe.nodes[node.in[0]].shape.rank() > 1) each = 2 * extent(0, node.attributes.flag("transpose_a") ? -2 : -1);
    if (node.op->name == "attention") each = 4 * extent(1, 2) + 2 * extent(1, 2) * extent(0, 3) / std::max(1.0, extent(2, 3));
    if (node.op->name == "additive_score") each = 8 * extent(0, -1);
    if (node.op->name.starts_with("conv")) each = 2 * static_cast<double>(recipe.nodes[node.in[1]].shape.elements());
    steps += each * static_cast<double>(node.shape.elements());
    for (const std::size_t operand : node.in) steps += 4 * static_cast<double>(recipe.nodes[operand].shape.elements());
  }
  return static_cast<std::size_t>(std::min(steps, 1e15));
}

template <class Real>
Evaluation evaluate(const Recipe& recipe, std::uint64_t noise) {
  Tape<Real> tape(noise);
  Arrays<Traced<Real>> values, inputs(recipe.nodes.size());
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    const Node& node = recipe.nodes[i];
    if (recipe.is_input(i)) {
      inputs[i] = input_array<Real>(node);
      values.push_back(inputs[i]);
      if (recipe.storage == DType::bf16 && node.dtype == DType::f32) store_in(recipe.storage, values.back());  // f16 holds them
      continue;
    }
    Arrays<Traced<Real>> in;
    for (const std::size_t operand : node.in) in.push_back(values[operand]);
    values.push_back(apply<Real>(node, in));
    store_in(recipe.storage, values.back());
  }
  const test::Array<Traced<Real>>& y = values[recipe.output];
  const auto plain = [](const auto& shape, const auto& numbers) {
    return test::Array<double>(shape, std::vector<double>(numbers.begin(), numbers.end()));
  };
  Evaluation result;
  const auto exact = [](const test::Array<Traced<Real>>& value) {
    test::Array<double> array(value.shape);
    for (std::int64_t i = 0; i < value.size(); ++i) array[i] = value[i].exact();
    return array;
  };
  result.output = exact(y);
  for (const std::size_t also : recipe.also) result.also.push_back(exact(values[also]));
  if (!recipe.gradient) return result;

  std::vector<Real> weights(tape.size());
  const std::vector<double> given = values_of(*recipe.gradient, y.size());
  for (std::int64_t i = 0; i < y.size(); ++i)
    if (y[i].at >= 0) weights[static_cast<std::size_t>(y[i].at)] += static_cast<Real>(given[static_cast<std::size_t>(i)]);
  const std::vector<Real> slopes = tape.slopes(std::move(weights));
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    if (!recipe.is_differentiated(i)) continue;
    std::vector<Real> gradient;
    for (const Traced<Real>& x : inputs[i].values) gradient.push_back(slopes[static_cast<std::size_t>(x.at)]);
    result.gradients.emplace_back(i, plain(values[i].shape, gradient));
  }
  return result;
}
template Evaluation evaluate<double>(const Recipe&, std::uint64_t);
template Evaluation evaluate<float>(const Recipe&, std::uint64_t);

bool is_finite(const Evaluation& evaluation) {
  bool finite = std::isfinite(largest(evaluation.output));
  for (const test::Array<double>& also : evaluation.also) finite = finite && std::isfinite(largest(also));
  for (const auto& [input, gradient] : evaluation.gradients)
    for (const double value : gradient.values) finite = finite && std::abs(value) < 1e6;
  for (const double value : evaluation.output.values) finite = finite && std::isfinite(value);
  return finite;
}

Case make_case(const Recipe& recipe, std::string group, std::string name) {
  io::Json attrs = {{"graph", to_text(recipe)}, {"recompute", recipe.gradient && recipe.gradient->flag("recompute")}};
  Case made{std::move(group), std::move(name), "random graph", Attrs(std::move(attrs)), {}, io::Json::object(), 1e-6, 1e-4};
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i)
    if (recipe.is_input(i)) add_input(made, fmt::format("in.v{}", i), recipe.nodes[i]);

  const Evaluation exact = evaluate<double>(recipe, 0);
  double output_error = 0;
  std::vector<double> also_errors(exact.also.size());
  std::vector<double> errors(exact.gradients.size());
  constexpr std::size_t runs = 16;  // a branch that rounding decides goes the other way in one of them, or 2^-16 is the chance
  for (std::size_t run = 1; run <= runs; ++run) {
    const Evaluation single = evaluate<float>(recipe, run);
    output_error = std::max(output_error, distance(exact.output, single.output));
    for (std::size_t i = 0; i < also_errors.size(); ++i)
      also_errors[i] = std::max(also_errors[i], distance(exact.also[i], single.also[i]));
    for (std::size_t i = 0; i < errors.size(); ++i)
      errors[i] = std::max(errors[i], distance(exact.gradients[i].second, single.gradients[i].second));
  }
  const auto expect = [&](const std::string& tensor, const test::Array<double>& array, double error) {
    made.tensors.add(tensor, io::ElementType::f32, array.shape, floats_of(array.values));
    // JSON has no infinity; so far off, anything passes.
    made.absolute[tensor] = std::min(1e30, std::max({1e-6, 1e-5 * largest(array), 8 * error}));
  };
  expect("out.y", exact.output, output_error);
  for (std::size_t i = 0; i < also_errors.size(); ++i) expect(fmt::format("out.v{}", recipe.also[i]), exact.also[i], also_errors[i]);
  if (!recipe.gradient || exact.gradients.empty()) return made;
  const Shape& shape = exact.output.shape;
  made.tensors.add("in.dy", io::ElementType::f32, shape, floats_of(values_of(*recipe.gradient, shape.elements())));
  for (std::size_t i = 0; i < errors.size(); ++i)
    expect(fmt::format("grad.v{}", exact.gradients[i].first), exact.gradients[i].second, errors[i]);
  return made;
}

}  // namespace fovea::conformance
