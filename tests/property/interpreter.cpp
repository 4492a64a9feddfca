#include "tests/property/interpreter.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea::test {

namespace {

constexpr std::int64_t most_elements = 300;

template <class T>
using Arrays = std::vector<Array<T>>;

template <class T>
T sigmoid(T x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
template <class T>
T softplus(T x) { return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x))); }

template <class T>
T apply(Unary op, T x) {
  switch (op) {
    case Unary::neg: return -x;
    case Unary::abs: return std::abs(x);
    case Unary::exp: return std::exp(x);
    case Unary::square: return x * x;
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::sigmoid: return sigmoid(x);
    case Unary::relu: return std::max(x, T(0));
    case Unary::gelu: return x * std::erfc(-x * static_cast<T>(M_SQRT1_2)) / 2;
    case Unary::silu: return x * sigmoid(x);
    case Unary::softplus: return softplus(x);
    case Unary::elu: return x > 0 ? x : std::expm1(x);
    case Unary::erf: return std::erf(x);
    default: return x;
  }
}

Shape shape_from(const std::vector<std::int64_t>& extents) { return Shape{std::span<const std::int64_t>(extents)}; }
std::vector<std::int64_t> extents_of(const Shape& shape) { return {shape.extents().begin(), shape.extents().end()}; }

// NumPy's; an invalid shape where they do not broadcast.
std::optional<Shape> common(const Shape& a, const Shape& b) {
  std::vector<std::int64_t> extents(static_cast<std::size_t>(std::max(a.rank(), b.rank())), 1);
  for (std::size_t i = 1; i <= extents.size(); ++i) {
    const auto at = [&](const Shape& s) { return static_cast<int>(i) <= s.rank() ? s.at(-static_cast<int>(i)) : 1; };
    if (at(a) != at(b) && at(a) != 1 && at(b) != 1) return std::nullopt;
    extents[extents.size() - i] = std::max(at(a), at(b));
  }
  return shape_from(extents);
}

// y[index] = x[from(index)], for what only moves elements; a negative source is 0.
template <class T, class From>
Array<T> moved(const Array<T>& x, const Shape& shape, const From& from) {
  Array<T> y(shape);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    auto index = unflatten(i, shape);
    if (from(index)) y[i] = x[broadcast_offset(index, x.shape)];
  }
  return y;
}

// Calls f with the flat offsets of each row along `axis`.
template <class F>
void each_row(const Shape& shape, int axis, const F& f) {
  Shape others = shape;
  others[axis] = 1;
  std::vector<std::int64_t> row(static_cast<std::size_t>(shape[axis]));
  for (std::int64_t i = 0; i < others.elements(); ++i) {
    auto index = unflatten(i, others);
    for (std::int64_t j = 0; j < shape[axis]; ++j) {
      index[static_cast<std::size_t>(axis)] = j;
      row[static_cast<std::size_t>(j)] = broadcast_offset(index, shape);
    }
    f(row);
  }
}

template <class T>
Array<T> softmax_of(const Array<T>& x, int axis, bool log) {
  Array<T> y(x.shape);
  each_row(x.shape, axis, [&](const std::vector<std::int64_t>& row) {
    T most = x[row[0]], sum = 0;
    for (std::int64_t at : row) most = std::max(most, x[at]);
    for (std::int64_t at : row) sum += std::exp(x[at] - most);
    for (std::int64_t at : row) y[at] = log ? x[at] - most - std::log(sum) : std::exp(x[at] - most) / sum;
  });
  return y;
}

template <class T>
Array<T> reduced(Reduce op, const Array<T>& x, const std::vector<std::int64_t>& axes, bool keep) {
  std::vector<std::int64_t> kept = extents_of(x.shape), dropped;
  for (std::int64_t axis : axes) kept[static_cast<std::size_t>(axis)] = 1;
  for (std::size_t a = 0; a < kept.size(); ++a)
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(a)) == axes.end()) dropped.push_back(kept[a]);
  Array<T> y(shape_from(kept));
  std::vector<std::vector<T>> lists(y.values.size());
  for (std::int64_t i = 0; i < x.size(); ++i) lists[static_cast<std::size_t>(broadcast_offset(unflatten(i, x.shape), y.shape))].push_back(x[i]);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto& list = lists[static_cast<std::size_t>(i)];
    const T most = *std::max_element(list.begin(), list.end()), sum = std::accumulate(list.begin(), list.end(), T(0));
    T squares = 0, weights = 0;
    for (T v : list) squares += v * v, weights += std::exp(v - most);
    switch (op) {
      case Reduce::sum: y[i] = sum; break;
      case Reduce::mean: y[i] = sum / static_cast<T>(list.size()); break;
      case Reduce::max: y[i] = most; break;
      case Reduce::sum_square: y[i] = squares; break;
      default: y[i] = most + std::log(weights); break;  // logsumexp
    }
  }
  if (!keep) y.shape = shape_from(dropped);
  return y;
}

template <class T>
Array<T> product(const Array<T>& a, const Array<T>& b) {  // a·bᵀ over the last two axes, the same leading ones
  std::vector<std::int64_t> extents = extents_of(a.shape);
  extents.back() = b.dim(-2);
  Array<T> y(shape_from(extents));
  const std::int64_t M = a.dim(-2), N = b.dim(-2), K = a.dim(-1);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t n = i % N, m = i / N % M, batch = i / N / M;
    for (std::int64_t k = 0; k < K; ++k) y[i] += a[(batch * M + m) * K + k] * b[(batch * N + n) * K + k];
  }
  return y;
}

template <class T>
Array<T> attended(const Array<T>& q, const Array<T>& k, const Array<T>& v, bool causal) {  // [B,H,L,D] all three
  Array<T> scores = product(q, k);
  const std::int64_t L = q.dim(2), D = q.dim(3);
  for (std::int64_t i = 0; i < scores.size(); ++i) {
    scores[i] /= std::sqrt(static_cast<T>(D));
    if (causal && i % L > i / L % L) scores[i] = static_cast<T>(-1e30);
  }
  const Array<T> weights = softmax_of(scores, 3, false);
  Array<T> y(q.shape);
  for (std::int64_t i = 0; i < y.size(); ++i)
    for (std::int64_t j = 0; j < L; ++j) y[i] += weights[i / D * L + j] * v[(i / (L * D) * L + j) * D + i % D];
  return y;
}

}  // namespace

template <class Build, class Reference>
bool RandomGraph::add(std::vector<std::size_t> in, std::string text, const Build& build, const Reference& reference) {
  Arrays<double> operands;
  for (std::size_t value : in) operands.push_back(values_[value]);
  Array<double> result = reference(operands);
  if (result.size() > most_elements || result.size() == 0 || result.shape.rank() > 5) return false;
  for (std::size_t value : in) text += " %" + std::to_string(value);
  nodes_.push_back({std::move(in), std::move(text), build, reference, reference});
  values_.push_back(std::move(result));
  return true;
}

std::size_t RandomGraph::pick() {
  const std::size_t n = values_.size();
  return below(2) ? n - 1 : n - 1 - below(n);
}

bool RandomGraph::add_unary() {
  static constexpr Unary ops[] = {Unary::neg, Unary::abs, Unary::exp, Unary::square, Unary::sin, Unary::cos, Unary::tanh, Unary::sigmoid,
                                  Unary::relu, Unary::gelu, Unary::silu, Unary::softplus, Unary::elu, Unary::erf};
  const Unary op = ops[below(std::size(ops))];
  return add({pick()}, to_string(op), [op](const auto& t) { return unary(op, t[0]); }, [op](const auto& a) {
    auto y = a[0];
    for (auto& v : y.values) v = apply(op, v);
    return y;
  });
}

bool RandomGraph::add_binary() {
  static constexpr Binary ops[] = {Binary::add, Binary::sub, Binary::mul, Binary::max, Binary::min};
  const Binary op = ops[below(std::size(ops))];
  const std::size_t left = pick(), right = pick();
  const auto shape = common(shape_of(left), shape_of(right));
  if (!shape) return false;
  return add({left, right}, to_string(op), [op](const auto& t) { return binary(op, t[0], t[1]); }, [op, shape](const auto& a) {
    std::decay_t<decltype(a[0])> y(*shape);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const auto index = unflatten(i, *shape);
      const auto l = a[0][broadcast_offset(index, a[0].shape)], r = a[1][broadcast_offset(index, a[1].shape)];
      y[i] = op == Binary::add ? l + r : op == Binary::sub ? l - r : op == Binary::mul ? l * r : op == Binary::max ? std::max(l, r) : std::min(l, r);
    }
    return y;
  });
}

bool RandomGraph::add_quotient() {
  const std::size_t value = pick();
  return add({value}, "x / (softplus(x) + 0.5)", [](const auto& t) { return t[0] / (unary(Unary::softplus, t[0]) + 0.5f); }, [](const auto& a) {
    auto y = a[0];
    for (auto& v : y.values) v = v / (softplus(v) + std::decay_t<decltype(v)>(0.5));
    return y;
  });
}

bool RandomGraph::add_select() {
  const std::size_t left = pick(), right = pick();
  if (shape_of(left) != shape_of(right)) return false;
  return add({left, right}, "select(a > 0, a * b, b)",
             [](const auto& t) { return select(binary(Binary::greater, t[0], scalar(t[0], 0)), t[0] * t[1], t[1]); }, [](const auto& a) {
               auto y = a[1];
               for (std::int64_t i = 0; i < y.size(); ++i)
                 if (a[0][i] > 0) y[i] = a[0][i] * a[1][i];
               return y;
             });
}

bool RandomGraph::add_reduce() {
  static constexpr Reduce ops[] = {Reduce::sum, Reduce::mean, Reduce::max, Reduce::sum_square, Reduce::logsumexp};
  const Reduce op = ops[below(std::size(ops))];
  const std::size_t value = pick();
  const bool keep = below(2);
  std::vector<std::int64_t> axes;
  for (int axis = 0; axis < shape_of(value).rank(); ++axis)
    if (below(2)) axes.push_back(axis);
  if (axes.empty()) return false;
  return add({value}, std::string("reduce ") + to_string(op), [=](const auto& t) { return reduce(op, t[0], {.axes = axes, .keep_dims = keep}); },
             [=](const auto& a) { return reduced(op, a[0], axes, keep); });
}

bool RandomGraph::add_softmax() {
  const std::size_t value = pick();
  if (shape_of(value).rank() == 0) return false;
  const int axis = axis_of(value);
  const bool log = below(2);
  return add({value}, log ? "log_softmax" : "softmax",
             [=](const auto& t) { return log ? log_softmax(t[0], {.axis = axis}) : softmax(t[0], {.axis = axis}); },
             [=](const auto& a) { return softmax_of(a[0], axis, log); });
}

bool RandomGraph::add_matmul() {
  const std::size_t left = pick(), right = pick();
  const Shape &a = shape_of(left), &b = shape_of(right);
  if (a.rank() < 2 || a.rank() != b.rank() || a.at(-1) != b.at(-1)) return false;
  for (int axis = 0; axis < a.rank() - 2; ++axis)
    if (a[axis] != b[axis]) return false;
  return add({left, right}, "a · bᵀ", [](const auto& t) { return matmul(t[0], t[1], {.transpose_b = true}); },
             [](const auto& in) { return product(in[0], in[1]); });
}

bool RandomGraph::add_attention() {
  const std::size_t q = pick(), v = pick();
  if (shape_of(q).rank() != 4 || shape_of(v) != shape_of(q)) return false;
  const bool causal = below(2);
  return add({q, v}, causal ? "causal attention(q, q, v)" : "attention(q, q, v)",
             [=](const auto& t) { return attention(t[0], t[0], t[1], {.causal = causal}); },
             [=](const auto& a) { return attended(a[0], a[0], a[1], causal); });
}

bool RandomGraph::add_layout() {
  const std::size_t value = pick();
  const Shape x = shape_of(value);
  if (below(3) == 0) {
    std::vector<std::int64_t> extents = extents_of(x);
    extents.insert(extents.begin(), static_cast<std::int64_t>(1 + below(3)));
    const Shape shape = shape_from(extents);
    return add({value}, "broadcast_to " + to_string(shape), [=](const auto& t) { return broadcast_to(t[0], shape); },
               [=](const auto& a) { return moved(a[0], shape, [](auto&) { return true; }); });
  }
  if (x.rank() == 0) return false;
  if (below(2)) {
    const std::vector<std::int64_t> shape{x[0], x.elements() / x[0]};
    return add({value}, "reshape", [=](const auto& t) { return reshape(t[0], shape); }, [=](const auto& a) {
      auto y = a[0];
      y.shape = shape_from(shape);
      return y;
    });
  }
  std::vector<int> order(static_cast<std::size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[below(i + 1)]);
  Shape shape = x;
  for (int i = 0; i < x.rank(); ++i) shape[i] = x[order[static_cast<std::size_t>(i)]];
  return add({value}, "permute", [=](const auto& t) { return permute(t[0], order); }, [=](const auto& a) {
    return moved(a[0], shape, [&](auto& index) {
      auto from = index;
      for (std::size_t k = 0; k < order.size(); ++k) from[static_cast<std::size_t>(order[k])] = index[k];
      index = from;
      return true;
    });
  });
}

bool RandomGraph::add_slice() {
  const std::size_t value = pick();
  if (shape_of(value).rank() == 0) return false;
  const int axis = axis_of(value);
  const std::int64_t extent = shape_of(value)[axis], start = static_cast<std::int64_t>(below(static_cast<std::size_t>(extent)));
  const std::int64_t step = static_cast<std::int64_t>(1 + below(2)) * (below(2) ? 1 : -1), count = (step > 0 ? extent - start - 1 : start) / std::abs(step) + 1;
  Shape shape = shape_of(value);
  shape[axis] = count;
  return add({value}, "slice", [=](const auto& t) { return slice(t[0], {.axis = axis, .start = start, .step = step}); }, [=](const auto& a) {
    return moved(a[0], shape, [&](auto& index) {
      auto& at = index[static_cast<std::size_t>(axis)];
      at = start + at * step;
      return true;
    });
  });
}

bool RandomGraph::add_pad() {
  const std::size_t value = pick();
  if (shape_of(value).rank() == 0) return false;
  const std::int64_t extent = shape_of(value).at(-1);
  const auto mode = static_cast<PadMode>(below(4));
  const std::int64_t most = mode == PadMode::reflect ? extent - 1 : 2;
  const auto before = static_cast<std::int64_t>(below(static_cast<std::size_t>(most) + 1)), after = static_cast<std::int64_t>(below(static_cast<std::size_t>(most) + 1));
  Shape shape = shape_of(value);
  shape[shape.rank() - 1] += before + after;
  return add({value}, std::string("pad ") + to_string(mode), [=](const auto& t) { return pad(t[0], {.amounts = {{before, after}}, .mode = mode}); },
             [=](const auto& a) {
               return moved(a[0], shape, [&](auto& index) {
                 auto& at = index.back();
                 at -= before;
                 if (at >= 0 && at < extent) return true;
                 if (mode == PadMode::constant) return false;
                 if (mode == PadMode::replicate) at = std::clamp<std::int64_t>(at, 0, extent - 1);
                 if (mode == PadMode::reflect) at = at < 0 ? -at : 2 * (extent - 1) - at;
                 if (mode == PadMode::circular) at = ((at % extent) + extent) % extent;
                 return true;
               });
             });
}

bool RandomGraph::add_concat() {
  const std::size_t left = pick(), right = pick();
  if (shape_of(left).rank() == 0 || shape_of(left) != shape_of(right)) return false;
  const int axis = axis_of(left);
  const std::int64_t extent = shape_of(left)[axis];
  Shape shape = shape_of(left);
  shape[axis] *= 2;
  return add({left, right}, "concat", [=](const auto& t) { return concat({t[0], t[1]}, axis); }, [=](const auto& a) {
    std::decay_t<decltype(a[0])> y(shape);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      auto index = unflatten(i, shape);
      auto& at = index[static_cast<std::size_t>(axis)];
      const std::size_t part = at >= extent;
      at %= extent;
      y[i] = a[part][broadcast_offset(index, a[part].shape)];
    }
    return y;
  });
}

bool RandomGraph::add_pool() {
  const std::size_t value = pick();
  if (shape_of(value).rank() != 3 || shape_of(value)[2] < 2) return false;
  const bool most = below(2);
  Shape shape = shape_of(value);
  shape[2] -= 1;
  return add({value}, most ? "max pool" : "average pool", [=](const auto& t) { return pool(most ? Pool::max : Pool::average, t[0], {.kernel = {2}, .stride = {1}}); },
             [=](const auto& a) {
               std::decay_t<decltype(a[0])> y(shape);
               for (std::int64_t i = 0; i < y.size(); ++i) {
                 const std::int64_t at = i / shape[2] * (shape[2] + 1) + i % shape[2];
                 y[i] = most ? std::max(a[0][at], a[0][at + 1]) : (a[0][at] + a[0][at + 1]) / 2;
               }
               return y;
             });
}

bool RandomGraph::add_cumulative_sum() {
  const std::size_t value = pick();
  if (shape_of(value).rank() == 0) return false;
  const int axis = axis_of(value);
  return add({value}, "cumulative_sum", [=](const auto& t) { return cumulative_sum(t[0], {.axis = axis}); }, [=](const auto& a) {
    auto y = a[0];
    each_row(y.shape, axis, [&](const std::vector<std::int64_t>& row) {
      for (std::size_t i = 1; i < row.size(); ++i) y[row[i]] += y[row[i - 1]];
    });
    return y;
  });
}

void RandomGraph::tame() {
  double most = 0;
  for (double value : values_.back().values) most = std::max(most, std::abs(value));
  if (most < 4) return;
  const auto factor = static_cast<float>(1 / most);
  add({values_.size() - 1}, "scale", [=](const auto& t) { return t[0] * factor; }, [=](const auto& a) {
    auto y = a[0];
    for (auto& v : y.values) v *= static_cast<std::decay_t<decltype(v)>>(factor);
    return y;
  });
}

RandomGraph::RandomGraph(std::uint32_t seed) : generator_(seed) {
  const std::size_t count = 1 + below(3), rank = below(6);
  for (std::size_t i = 0; i < count; ++i) {
    // Inputs alike, or with axes of 1, so that they meet.
    std::vector<std::int64_t> extents = i > 0 ? extents_of(inputs_[0].shape) : std::vector<std::int64_t>(rank);
    for (auto& extent : extents) extent = i > 0 ? (below(4) ? extent : 1) : static_cast<std::int64_t>(1 + below(rank > 3 ? 4 : 6));
    inputs_.push_back(random(shape_from(extents), -2, 2, seed * 7 + static_cast<std::uint32_t>(i)).array);
  }
  values_ = inputs_;
  static constexpr bool (RandomGraph::*kinds[])() = {
      &RandomGraph::add_unary, &RandomGraph::add_unary, &RandomGraph::add_binary, &RandomGraph::add_binary, &RandomGraph::add_quotient,
      &RandomGraph::add_select, &RandomGraph::add_reduce, &RandomGraph::add_softmax, &RandomGraph::add_matmul, &RandomGraph::add_attention,
      &RandomGraph::add_layout, &RandomGraph::add_slice, &RandomGraph::add_pad, &RandomGraph::add_concat, &RandomGraph::add_pool,
      &RandomGraph::add_cumulative_sum};
  const std::size_t most = 2 + below(10);
  for (int tries = 0; nodes_.size() < most && tries < 200; ++tries)
    if ((this->*kinds[below(std::size(kinds))])() && nodes_.size() < 11) tame();
  if (nodes_.empty()) add_quotient();
}

std::string RandomGraph::text() const {
  std::string text;
  for (std::size_t i = 0; i < values_.size(); ++i)
    text += "  %" + std::to_string(i) + " = " + (i < inputs_.size() ? "input" : nodes_[i - inputs_.size()].text) + " : " + to_string(values_[i].shape) + '\n';
  return text;
}

template <class T>
Array<T> RandomGraph::run(const std::vector<Array<T>>& inputs) const {
  Arrays<T> values = inputs;
  for (const Node& node : nodes_) {
    Arrays<T> operands;
    for (std::size_t value : node.in) operands.push_back(values[value]);
    if constexpr (std::is_same_v<T, double>)
      values.push_back(node.in_double(operands));
    else
      values.push_back(node.in_float(operands));
  }
  return values.back();
}
template Array<double> RandomGraph::run(const std::vector<Array<double>>&) const;
template Array<float> RandomGraph::run(const std::vector<Array<float>>&) const;

Tensor RandomGraph::build(const std::vector<Tensor>& inputs) const {
  std::vector<Tensor> values = inputs;
  for (const Node& node : nodes_) {
    std::vector<Tensor> operands;
    for (std::size_t value : node.in) operands.push_back(values[value]);
    values.push_back(node.build(operands));
  }
  return values.back();
}

}  // namespace fovea::test
