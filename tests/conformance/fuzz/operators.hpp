#pragma once
// The operators of random graphs: how each is drawn, built with Fovea, and computed by naive loops.

#include "tests/conformance/fuzz/recipe.hpp"
#include "tests/conformance/fuzz/traced.hpp"

#include <span>
#include <type_traits>

namespace fovea::conformance {

template <class T>
using Arrays = std::vector<test::Array<T>>;
template <class In>
using ArrayOf = std::decay_t<decltype(std::declval<In>()[0])>;
template <class In>
using ElementOf = std::decay_t<decltype(std::declval<In>()[0].values[0])>;

// A generic lambda, in both arithmetics. Boolean operands come as additive masks: 0 for true, -infinity for false.
struct Reference {
  test::Array<Exact> (*exact)(const Node& node, const Arrays<Exact>& in);
  test::Array<Single> (*single)(const Node& node, const Arrays<Single>& in);
  template <class F>
  constexpr Reference(F formula) : exact(formula), single(formula) {}
};

class Maker;

struct Operator {
  std::string_view name;
  std::size_t least, most;  // operands
  // "axis axes[] causal:true mode:PadMode:constant|reflect": numbers, lists, and words with the enum they are of, as Fovea's
  // Desc has them and in its order.
  std::string_view attributes;
  // Operands and attributes at random; false where nothing there fits. What Fovea refuses is not taken.
  bool (*propose)(Maker& maker, Node& node);
  Tensor (*build)(const Node& node, std::span<const Tensor> in);
  Reference reference;
  // The public call: $0 an operand, [...] what goes with one that may be absent, $name the value of an attribute, $.name
  // ".name = value, " where it is given, $* the same of all that stand nowhere else.
  std::string_view cpp;
};

std::span<const Operator> elementwise_operators();
std::span<const Operator> reducing_operators();
std::span<const Operator> layout_operators();
std::span<const Operator> index_operators();
std::span<const Operator> product_operators();
std::span<const Operator> spatial_operators();
std::span<const Operator> picture_operators();
// All of them, and null where there is none of that name. Inputs are of the operator `input`.
std::vector<const Operator*> all_operators();
const Operator* find_operator(std::string_view name);
const Operator& input_operator();

// One attribute that an operator describes.
struct AttributeKind {
  std::string_view name, type;           // type: of a word, "" for true
  std::vector<std::string_view> words{};  // empty: numbers
  bool list = false;
};
std::vector<AttributeKind> kinds_of(const Operator& op);

// The value of an enum by its name.
template <class Enum>
Enum named(std::string_view word, Enum last) {
  for (int i = 0; i < static_cast<int>(last); ++i)
    if (word == to_string(static_cast<Enum>(i))) return static_cast<Enum>(i);
  return last;
}

// ---- For formulas -------------------------------------------------------------------------------------------------

inline Shape shape_from(const std::vector<std::int64_t>& extents) { return Shape{std::span<const std::int64_t>(extents)}; }
inline std::vector<std::int64_t> extents_of(const Shape& shape) { return {shape.extents().begin(), shape.extents().end()}; }
inline int axis_from(std::int64_t axis, const Shape& shape) { return static_cast<int>(axis < 0 ? axis + shape.rank() : axis); }
// NumPy's; of shapes that broadcast.
Shape common_shape(const Shape& a, const Shape& b);

// Calls f with the flat offsets of each row along `axis`.
template <class F>
void each_row(const Shape& shape, int axis, const F& f) {
  std::int64_t inner = 1;
  for (int a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  const std::int64_t n = shape[axis];
  std::vector<std::int64_t> row(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; n > 0 && i < shape.elements() / n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) row[static_cast<std::size_t>(j)] = (i / inner * n + j) * inner + i % inner;
    f(row);
  }
}

// y[index] = x[from(index)], for what only moves elements; where `from` says false, `otherwise`.
template <class Array, class From>
Array moved(const Array& x, const Shape& shape, const From& from, double otherwise = 0) {
  Array y(shape, std::decay_t<decltype(x.values[0])>(otherwise));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    auto index = test::unflatten(i, shape);
    if (from(index)) y[i] = x[test::broadcast_offset(index, x.shape)];
  }
  return y;
}

// The softmax of what takes part along a row; zeros where nothing does.
template <class T, class Take>
void softmax_row(const std::vector<T>& x, std::vector<T>& y, const Take& take) {
  bool any = false;
  T most, sum;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (take(i)) most = any ? larger(most, detached(x[i])) : detached(x[i]), any = true;
  std::vector<T> weights(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    if (take(i)) weights[i] = exponential(x[i] - most), sum += weights[i];
  y.assign(x.size(), T());
  for (std::size_t i = 0; i < x.size(); ++i)
    if (take(i)) y[i] = weights[i] / sum;
}

// Fovea's activations too.
template <class T>
T apply_unary(std::string_view op, T x);

}  // namespace fovea::conformance
