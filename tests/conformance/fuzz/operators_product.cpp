// Products and attention of random graphs.

#include "tests/conformance/fuzz/maker.hpp"
#include <fovea/ops.hpp>

#include <algorithm>

namespace fovea::conformance {
namespace {

bool propose_matmul(Maker& maker, Node& node) {
  const auto a = maker.pick_rank(1, 5);
  if (!a) return false;
  const Shape left = maker.shape_of(*a);
  const bool transposed = left.rank() > 1 && maker.one_in(3);
  const std::int64_t K = left.at(transposed ? -2 : -1), N = maker.extent();
  if (transposed) node.attributes.set("transpose_a", "true");
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < left.rank() - 2; ++axis)
    if (!extents.empty() || maker.one_in(2)) extents.push_back(maker.one_in(3) ? 1 : left[axis]);
  if (left.rank() > 2 && maker.one_in(4)) extents.clear();
  const bool other = maker.one_in(2);
  if (other) node.attributes.set("transpose_b", "true");
  extents.push_back(other ? N : K);
  extents.push_back(other ? K : N);
  node.in = {*a, maker.one_in(3) ? maker.pick() : maker.floats(shape_from(extents))};
  if (maker.one_in(3)) node.in.push_back(maker.floats({N}));
  if (maker.one_in(3)) node.attributes.set("activation", maker.word(node, "activation"));
  if (maker.one_in(3)) node.attributes.set("alpha", 0.5);
  return true;
}

template <class In>
auto product(const Node& node, const In& in) {
  const auto &a = in[0], &b = in[1];
  const bool row = a.shape.rank() == 1, column = b.shape.rank() == 1;
  const bool ta = node.attributes.flag("transpose_a"), tb = node.attributes.flag("transpose_b");
  const Shape left = row ? Shape{1, a.dim(0)} : a.shape, right = column ? Shape{b.dim(0), 1} : b.shape;
  const std::int64_t M = left.at(ta ? -1 : -2), K = left.at(ta ? -2 : -1), N = right.at(tb ? -2 : -1);
  const auto leading = [](const Shape& s) { return shape_from({s.extents().begin(), s.extents().end() - 2}); };
  const Shape batch = common_shape(leading(left), leading(right));
  std::vector<std::int64_t> extents = extents_of(batch);
  if (!row) extents.push_back(M);
  if (!column) extents.push_back(N);
  ArrayOf<In> y(shape_from(extents));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t n = i % N, m = i / N % M;
    const auto index = test::unflatten(i / N / M, batch);
    const std::int64_t from_a = test::broadcast_offset(index, leading(left)) * M * K, from_b = test::broadcast_offset(index, leading(right)) * K * N;
    ElementOf<In> sum;
    for (std::int64_t k = 0; k < K; ++k) sum += a[from_a + (ta ? k * M + m : m * K + k)] * b[from_b + (tb ? n * K + k : k * N + n)];
    sum = sum * ElementOf<In>(static_cast<float>(node.attributes.number("alpha", 1)));
    if (in.size() == 3) sum += in[2][test::broadcast_offset(test::unflatten(i, y.shape), in[2].shape)];
    y[i] = apply_unary(node.attributes.word("activation", "none"), sum);
  }
  return y;
}

bool propose_attention(Maker& maker, Node& node) {
  const auto found = maker.pick_rank(4, 4);
  const std::size_t q = found ? *found : maker.floats({maker.number(1, 2), maker.number(1, 4), maker.extent(), maker.extent()});
  const Shape shape = maker.shape_of(q);
  if (shape.elements() == 0) return false;
  const std::int64_t B = shape[0], H = shape[1], Lq = shape[2], D = shape[3];
  std::int64_t Hk = H, Lk = Lq;
  if (maker.one_in(3)) {
    node.in = {q, q, q};
  } else {
    while (maker.one_in(2) && Hk > 1) Hk = H % (Hk - 1) == 0 ? Hk - 1 : 1;
    if (maker.one_in(2)) Lk = maker.extent();
    node.in = {q, maker.floats({B, Hk, Lk, D}), maker.floats({B, Hk, Lk, maker.one_in(2) ? D : maker.extent()})};
  }
  if (maker.one_in(3)) {
    const Shape mask = maker.broadcasting({B, H, Lq, Lk});
    node.in.push_back(maker.one_in(2) ? maker.booleans(mask) : maker.floats(mask));
  }
  maker.maybe_flag(node, "causal");
  if (maker.one_in(2)) node.attributes.set("align", maker.word(node, "align"));
  if (maker.one_in(3)) node.attributes.set("window_left", static_cast<double>(maker.number(0, 5)));
  if (maker.one_in(4)) node.attributes.set("window_right", static_cast<double>(maker.number(0, 5)));
  if (maker.one_in(4)) node.attributes.set("scale", 0.5);
  if (maker.one_in(4)) node.attributes.set("softcap", 2);
  return true;
}

AttentionDesc attention_of(const Node& node, std::span<const Tensor> in) {
  const Attributes& attributes = node.attributes;
  AttentionDesc desc{.mask = in.size() > 3 ? in[3] : Tensor(),
                     .causal = attributes.flag("causal"),
                     .align = named(attributes.word("align", "top_left"), CausalAlign::bottom_right),
                     .window_left = attributes.integer("window_left", -1),
                     .window_right = attributes.integer("window_right", -1),
                     .softcap = static_cast<float>(attributes.number("softcap", 0))};
  if (attributes.find("scale")) desc.scale = static_cast<float>(attributes.number("scale", 1));
  return desc;
}

template <class In>
auto attended(const Node& node, const In& in) {
  using T = ElementOf<In>;
  const auto &q = in[0], &k = in[1], &v = in[2];
  const std::int64_t B = q.dim(0), H = q.dim(1), Lq = q.dim(2), D = q.dim(3), Hk = k.dim(1), Lk = k.dim(2), Dv = v.dim(3);
  const AttentionDesc desc = attention_of(node, {});
  const double scale = desc.scale ? static_cast<double>(*desc.scale) : 1 / std::sqrt(static_cast<double>(D));
  ArrayOf<In> y(Shape{B, H, Lq, Dv});
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t h = 0; h < H; ++h)
      for (std::int64_t i = 0; i < Lq; ++i) {
        const std::int64_t from = b * Hk + h / (H / Hk), p = desc.align == CausalAlign::top_left ? i : i + Lk - Lq;
        const auto mask_at = [&](std::int64_t j) { return in[3][test::broadcast_offset({b, h, i, j}, in[3].shape)]; };
        const auto sees = [&](std::size_t key) {
          const auto j = static_cast<std::int64_t>(key);
          if (desc.causal && j > p) return false;
          if (desc.window_left >= 0 && j < p - desc.window_left) return false;
          if (desc.window_right >= 0 && j > p + desc.window_right) return false;
          return in.size() < 4 || !std::isinf(mask_at(j).value);
        };
        std::vector<T> scores, weights;
        for (std::int64_t j = 0; j < Lk; ++j) {
          T score;
          for (std::int64_t d = 0; d < D; ++d) score += q[((b * H + h) * Lq + i) * D + d] * k[(from * Lk + j) * D + d];
          score = score * scale;
          if (desc.softcap > 0) score = apply_unary("tanh", score / T(desc.softcap)) * T(desc.softcap);
          if (in.size() > 3) score += mask_at(j);
          scores.push_back(score);
        }
        softmax_row(scores, weights, sees);
        for (std::int64_t d = 0; d < Dv; ++d) {
          T sum;
          for (std::int64_t j = 0; j < Lk; ++j)
            if (sees(static_cast<std::size_t>(j))) sum += weights[static_cast<std::size_t>(j)] * v[(from * Lk + j) * Dv + d];
          y[((b * H + h) * Lq + i) * Dv + d] = sum;
        }
      }
  return y;
}

bool propose_additive_score(Maker& maker, Node& node) {
  const auto q = maker.pick_rank(2, 4);
  if (!q) return false;
  const Shape shape = maker.shape_of(*q);
  Shape keys = shape;
  keys[shape.rank() - 2] = maker.extent();
  const std::int64_t A = shape.at(-1);
  node.in = {*q, maker.one_in(3) ? *q : maker.floats(keys),
             maker.floats(shape.rank() > 2 && maker.one_in(2) ? Shape{shape.at(-3), A} : Shape{A})};
  if (maker.one_in(2)) node.attributes.set("activation", maker.word(node, "activation"));
  return true;
}

template <class In>
auto additively_scored(const Node& node, const In& in) {
  const auto &q = in[0], &k = in[1], &v = in[2];
  Shape shape = q.shape;
  shape[shape.rank() - 1] = k.shape.at(-2);
  const std::int64_t Lq = shape.at(-2), Lk = shape.at(-1), A = q.shape.at(-1);
  const std::string activation = node.attributes.word("activation", "tanh");
  ArrayOf<In> y(shape);
  for (std::int64_t e = 0; e < y.size(); ++e) {
    const std::int64_t j = e % Lk, row = e / Lk, outer = row / Lq;
    const std::int64_t head = v.shape.rank() == 2 ? outer % v.shape[0] : 0;
    for (std::int64_t a = 0; a < A; ++a)
      y[e] += apply_unary(activation, q[row * A + a] + k[(outer * Lk + j) * A + a]) * v[head * A + a];
  }
  return y;
}

constexpr Operator operators[] = {
    {"matmul", 2, 3, "transpose_a:true transpose_b:true activation:Activation:relu|sigmoid|tanh|gelu|gelu_tanh|silu alpha",
     propose_matmul,
     [](const Node& node, std::span<const Tensor> in) {
       return matmul(in[0], in[1], {.transpose_a = node.attributes.flag("transpose_a"),
                                    .transpose_b = node.attributes.flag("transpose_b"),
                                    .bias = in.size() > 2 ? in[2] : Tensor(),
                                    .activation = named(node.attributes.word("activation", "none"), Activation::silu),
                                    .alpha = static_cast<float>(node.attributes.number("alpha", 1))});
     },
     [](const Node& node, const auto& in) { return product(node, in); }, "matmul($0, $1, {$.transpose_a$.transpose_b[.bias = $2, ]$*})"},
    {"attention", 3, 4, "causal:true align:CausalAlign:top_left|bottom_right window_left window_right scale softcap", propose_attention,
     [](const Node& node, std::span<const Tensor> in) { return attention(in[0], in[1], in[2], attention_of(node, in)); },
     [](const Node& node, const auto& in) { return attended(node, in); }, "attention($0, $1, $2, {[.mask = $3, ]$*})"},
    {"additive_score", 3, 3, "activation:Unary:tanh|relu|elu", propose_additive_score,
     [](const Node& node, std::span<const Tensor> in) {
       return additive_score(in[0], in[1], in[2], {.activation = named(node.attributes.word("activation", "tanh"), Unary::log2)});
     },
     [](const Node& node, const auto& in) { return additively_scored(node, in); }, "additive_score($0, $1, $2, {$*})"}};

}  // namespace

std::span<const Operator> product_operators() { return operators; }

}  // namespace fovea::conformance
