// Sparse alternatives to softmax: sparsemax and 1.5-entmax.

#include "ops/compose.hpp"
#include "ops/vjp.hpp"

#include <limits>

namespace fovea {
namespace ops {
namespace {

enum class SparseKind : std::uint8_t { sparsemax, entmax15 };
const char* to_string(SparseKind kind) { return kind == SparseKind::sparsemax ? "sparsemax" : "entmax15"; }

struct SparsemaxAttrs {
  SparseKind kind = SparseKind::sparsemax;
  std::int64_t axis = -1;
};
template <class F>
void describe(const SparsemaxAttrs& attrs, F&& field) {
  field("kind", attrs.kind);
  field("axis", attrs.axis);
}

std::string title(const ir::Attrs& attrs) { return to_string(attrs.as<SparsemaxAttrs>().kind); }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<SparsemaxAttrs>();
  const auto& [x, dtype] = *context.in[0];
  if (dtype != DType::f32 && dtype != DType::f16) return context.fail("x is ", to_string(dtype), ", not f32 or f16");
  if (!ir::normalize_axis(attrs.axis, x.rank())) return context.fail("axis ", attrs.axis, " is out of range for x ", to_string(x));
  if (context.has(1)) {
    if (context.dtype(1) != DType::boolean) return context.fail("the mask is ", to_string(context.dtype(1)), ", not boolean");
    if (!ir::broadcasts_to(context.shape(1), x))
      return context.fail("mask ", to_string(context.shape(1)), " does not broadcast to x ", to_string(x));
  }
  context.out = {{x, dtype}};
}

// Arithmetic at one call site, so that the formulas read as such.
struct Formula {
  CallSite site;
  ReduceDesc along;
  Tensor add(Tensor a, Tensor b) const { return binary(Binary::add, a, b, site); }
  Tensor sub(Tensor a, Tensor b) const { return binary(Binary::sub, a, b, site); }
  Tensor mul(Tensor a, Tensor b) const { return binary(Binary::mul, a, b, site); }
  Tensor div(Tensor a, Tensor b) const { return binary(Binary::div, a, b, site); }
  Tensor sum(Tensor a) const { return reduce(Reduce::sum, a, along, site); }
  Tensor scaled(Tensor a, float factor) const { return fovea::Operand(a, site) * factor; }
  Tensor plus(Tensor a, float term) const { return fovea::Operand(a, site) + term; }
  // 1 where a <= b, else 0.
  Tensor at_most(Tensor a, Tensor b) const { return cast(binary(Binary::less_equal, a, b, site), DType::f32, site); }
};

// The threshold of the sorted row z (z_1 the largest): that of the longest prefix which it leaves positive.
Tensor threshold(SparseKind kind, const Formula& f, Tensor z, std::int64_t axis, ir::Graph& graph) {
  const CumulativeSumDesc running{.axis = axis};
  Shape places(std::vector<std::int64_t>(static_cast<std::size_t>(z.shape().rank()), 1));
  places[static_cast<int>(axis)] = z.dim(static_cast<int>(axis));
  const Tensor j = f.plus(cast(iota_i32(graph, places), DType::f32, f.site), 1);
  Tensor t;
  if (kind == SparseKind::sparsemax) {
    t = f.div(f.plus(cumulative_sum(z, running, f.site), -1), j);
  } else {
    const Tensor mean = f.div(cumulative_sum(z, running, f.site), j);
    const Tensor square = f.div(cumulative_sum(unary(Unary::square, z, f.site), running, f.site), j);
    const Tensor variance = f.sub(square, unary(Unary::square, mean, f.site));
    const Tensor inside = unary(Unary::relu, f.sub(unary(Unary::reciprocal, j, f.site), variance), f.site);
    t = f.sub(mean, unary(Unary::sqrt, inside, f.site));
  }
  // k prefixes qualify, the first k; at least one does, but for NaN, which has none and whose threshold is NaN anyway.
  const Tensor k = cast(f.plus(f.sum(f.at_most(t, z)), -1), DType::i32, f.site);
  return take_along(t, k, axis, f.site);
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<SparsemaxAttrs>();
  const std::int64_t axis = *ir::normalize_axis(attrs.axis, node.in(0).shape.rank());
  const Formula f{builder.site, {.axes = {axis}, .keep_dims = true}};
  Tensor z = cast(in[0], DType::f32, f.site);
  if (z.shape().elements() == 0) return out[0] = broadcast_to(in[0], node.out(0).shape, f.site), true;
  const Tensor zero = scalar(z, 0, f.site), lowest = scalar(z, -std::numeric_limits<float>::infinity(), f.site);
  if (in.size() > 1 && in[1]) z = select(in[1], z, lowest, f.site);
  Tensor most = reduce(Reduce::max, z, f.along, f.site);
  if (in.size() > 1 && in[1]) most = select(binary(Binary::equal, most, lowest, f.site), zero, most, f.site);
  z = f.sub(z, most);
  if (attrs.kind == SparseKind::entmax15) z = f.scaled(z, 0.5f);
  // What is 1 or more below the largest has weight 0 wherever it stands: no large numbers in the sums.
  z = binary(Binary::max, z, scalar(z, -2, f.site), f.site);
  const Tensor sorted = sort(z, {.axis = axis, .descending = true}, f.site).values;
  Tensor p = unary(Unary::relu, f.sub(z, threshold(attrs.kind, f, sorted, axis, builder.graph)), f.site);
  if (attrs.kind == SparseKind::entmax15) p = unary(Unary::square, p, f.site);
  if (in.size() > 1 && in[1]) p = select(in[1], p, zero, f.site);
  out[0] = cast(p, node.out(0).dtype, f.site);
  return true;
}

// With weights s = 1 (sparsemax) or sqrt(p) (entmax) on the support: s (d - sum(s d)/sum(s)). Nothing for an empty row.
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<SparsemaxAttrs>();
  const Formula f{vjp.site, {.axes = {attrs.axis}, .keep_dims = true}};
  if (vjp.in_shape(0).elements() == 0) return true;
  const Tensor p = cast(vjp.out(), DType::f32, f.site), d = cast(vjp.d(), DType::f32, f.site);
  const Tensor zero = scalar(p, 0, f.site), one = scalar(p, 1, f.site);
  const Tensor s = attrs.kind == SparseKind::entmax15 ? unary(Unary::sqrt, p, f.site)
                                                      : select(binary(Binary::greater, p, zero, f.site), one, zero, f.site);
  const Tensor total = f.sum(s), divisor = select(binary(Binary::equal, total, zero, f.site), one, total, f.site);
  vjp.give(0, f.mul(s, f.sub(d, f.div(f.sum(f.mul(s, d)), divisor))));
  return true;
}

}  // namespace

extern constexpr OpDef sparsemax_op{.name = "sparsemax", .infer = infer, .title = title, .decompose = decompose, .vjp = vjp};

}  // namespace ops

Tensor sparsemax(Tensor x, const SparsemaxDesc& desc, CallSite site) {
  return ops::append_one(ops::sparsemax_op, {x, desc.mask}, ir::Attrs::of(ops::SparsemaxAttrs{ops::SparseKind::sparsemax, desc.axis}), site);
}
Tensor entmax15(Tensor x, const SparsemaxDesc& desc, CallSite site) {
  return ops::append_one(ops::sparsemax_op, {x, desc.mask}, ir::Attrs::of(ops::SparsemaxAttrs{ops::SparseKind::entmax15, desc.axis}), site);
}

}  // namespace fovea
