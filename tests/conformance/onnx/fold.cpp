#include "tests/conformance/onnx/fold.hpp"

#include <algorithm>

namespace fovea::conformance {
namespace {

using List = std::vector<std::int64_t>;

Integers line(List values) {
  return {{static_cast<std::int64_t>(values.size())}, std::move(values)};
}

// A hostile graph doubles a list with each of its nodes.
constexpr std::size_t most_values = 4096;

// Of equal sizes, or one of one element. `overflows(a, b, &result)`: nothing where it does.
template <class F>
std::optional<Integers> elementwise(const Integers& a, const Integers& b, const F& overflows) {
  const std::size_t n = a.values.size(), m = b.values.size();
  if (n != m && n != 1 && m != 1) return std::nullopt;
  Integers out{n == m ? (a.shape.rank() >= b.shape.rank() ? a.shape : b.shape) : n == 1 ? b.shape : a.shape, {}};
  for (std::size_t i = 0; i < (n == 1 ? m : n); ++i)
    if (overflows(a.values[n == 1 ? 0 : i], b.values[m == 1 ? 0 : i], &out.values.emplace_back())) return std::nullopt;
  return out;
}

constexpr auto add = [](std::int64_t a, std::int64_t b, std::int64_t* out) { return __builtin_add_overflow(a, b, out); };
constexpr auto subtract = [](std::int64_t a, std::int64_t b, std::int64_t* out) { return __builtin_sub_overflow(a, b, out); };
constexpr auto multiply = [](std::int64_t a, std::int64_t b, std::int64_t* out) { return __builtin_mul_overflow(a, b, out); };

std::optional<Integers> slice_line(const Integers& x, const List& start, const List& stop) {
  if (x.shape.rank() != 1 || start.size() != 1 || stop.size() != 1) return std::nullopt;
  const auto n = static_cast<std::int64_t>(x.values.size());
  const auto at = [n](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + n : i, 0, n); };
  const std::int64_t first = at(start[0]), last = std::max(at(stop[0]), first);
  return line({x.values.begin() + first, x.values.begin() + last});
}

std::optional<Integers> gather_line(const Integers& x, const Integers& index) {
  if (x.shape.rank() != 1 || index.values.size() > most_values) return std::nullopt;
  Integers out{index.shape, {}};
  const auto n = static_cast<std::int64_t>(x.values.size());
  for (std::int64_t i : index.values) {
    if (i < -n || i >= n) return std::nullopt;
    out.values.push_back(x.values[static_cast<std::size_t>(i < 0 ? i + n : i)]);
  }
  return out;
}

}  // namespace

std::optional<Integers> fold_onnx(const OnnxNode& node, const std::vector<const Integers*>& in) {
  if (in.empty()) return std::nullopt;
  const Integers& x = *in[0];
  const bool scalar = x.shape.rank() == 0, one = x.values.size() == 1;
  const std::string_view op = node.op;
  if (op == "onnx.Concat" && node.attributes.integer("axis", 0) == 0) {
    List all;
    for (const Integers* part : in) {
      if (part->shape.rank() != 1 || part->values.size() > most_values - all.size()) return std::nullopt;
      all.insert(all.end(), part->values.begin(), part->values.end());
    }
    return line(std::move(all));
  }
  if (op == "onnx.Neg") return elementwise(Integers{{}, {0}}, x, subtract);
  if (op == "onnx.Identity") return x;
  if (op == "onnx.Unsqueeze" && scalar) return line(x.values);
  if (op == "onnx.Squeeze" && one) return Integers{{}, x.values};
  if (op == "onnx.Slice" && in.size() == 1) return slice_line(x, node.attributes.integers("starts"), node.attributes.integers("ends"));
  if (in.size() < 2) return std::nullopt;
  const Integers& y = *in[1];
  if (op == "onnx.Add") return elementwise(x, y, add);
  if (op == "onnx.Sub") return elementwise(x, y, subtract);
  if (op == "onnx.Mul") return elementwise(x, y, multiply);
  if (op == "onnx.Gather") return gather_line(x, y);
  if (op == "onnx.Slice" && (in.size() == 3 || (in.size() == 4 && in[3]->values == List{0}))) return slice_line(x, y.values, in[2]->values);
  return std::nullopt;
}

}  // namespace fovea::conformance
