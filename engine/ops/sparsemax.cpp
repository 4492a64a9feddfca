// Sparse alternatives to softmax: sparsemax and 1.5-entmax.

#include "ops/compose.hpp"
#include "ops/term.hpp"
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
  bool zero_empty_rows = false;
};
template <class F>
void describe(const SparsemaxAttrs& attrs, F&& field) {
  field("kind", attrs.kind);
  field("axis", attrs.axis);
  field("zero_empty_rows", attrs.zero_empty_rows);
}

std::string title(const ir::Attrs& attrs) { return to_string(attrs.as<SparsemaxAttrs>().kind); }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<SparsemaxAttrs>();
  const auto& [x, dtype] = *context.in[0];
  if (!ir::is_float(dtype)) return context.fail("x is ", to_string(dtype), ", not ", ir::float_types);
  if (!ir::normalize_axis(attrs.axis, x.rank())) return context.fail("axis ", attrs.axis, " is out of range for x ", to_string(x));
  if (context.has(1))
    if (const std::string fault = ir::mask_fault(context.shape(1), context.dtype(1), "x", x); !fault.empty()) return context.fail(fault);
  context.out = {{x, dtype}};
}

// The threshold of the sorted row z (z_1 the largest): that of the longest prefix which it leaves positive.
Term threshold(SparseKind kind, Term z, std::int64_t axis, ir::Graph& graph) {
  const auto running = [&](Term x) { return Term{cumulative_sum(x.tensor, {.axis = axis}, z.site), z.site}; };
  Shape places(std::vector<std::int64_t>(static_cast<std::size_t>(z.tensor.shape().rank()), 1));
  places[static_cast<int>(axis)] = z.tensor.dim(static_cast<int>(axis));
  const Term j = Term{cast(iota_i32(graph, places), DType::f32, z.site), z.site} + 1;
  Term t = (running(z) + -1) / j;
  if (kind == SparseKind::entmax15) {
    const Term mean = running(z) / j, square = running(of(Unary::square, z)) / j;
    const Term inside = of(Unary::reciprocal, j) - (square - of(Unary::square, mean));
    t = mean - of(Unary::sqrt, of(Unary::relu, inside));
  }
  // k prefixes qualify, the first k; at least one does, but for NaN, which has none and whose threshold is NaN anyway.
  const Term k = of(Reduce::sum, in(DType::f32, of(Binary::less_equal, t, z)), {axis});
  return {take_along(t.tensor, cast((k + -1).tensor, DType::i32, z.site), axis, z.site), z.site};
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> operands, std::span<Tensor> out) {
  const auto& attrs = node.attrs<SparsemaxAttrs>();
  const CallSite site = builder.site;
  const std::int64_t axis = *ir::normalize_axis(attrs.axis, node.in(0).shape.rank());
  const bool entmax = attrs.kind == SparseKind::entmax15;
  if (node.in(0).shape.elements() == 0) return out[0] = filled(builder.graph, node.out(0), 0, site), true;
  constexpr double lowest = -std::numeric_limits<double>::infinity();
  Term z = in(DType::f32, {operands[0], site});
  if (node.has(1)) z = choose({operands[1], site}, z, lowest);
  const Term most = of(Reduce::max, z, {axis}), empty = of(Binary::equal, most, lowest);
  z = z - (attrs.zero_empty_rows ? choose(empty, Term{scalar(most.tensor, 0, site), site}, most) : most);  // else NaN
  if (entmax) z = z * 0.5;
  // What is 1 or more below the largest has weight 0 wherever it stands: no large numbers in the sums.
  z = of(Binary::max, z, -2);
  const Term sorted{sort(z.tensor, {.axis = axis, .descending = true}, site).values, site};
  Term p = of(Unary::relu, z - threshold(attrs.kind, sorted, axis, builder.graph));
  if (entmax) p = of(Unary::square, p);
  if (attrs.zero_empty_rows) p = choose(empty, Term{scalar(p.tensor, 0, site), site}, p);
  if (node.has(1)) p = choose({operands[1], site}, p, 0);
  out[0] = in(node.out(0).dtype, p).tensor;
  return true;
}

// With weights s = 1 (sparsemax) or sqrt(p) (entmax) on the support: s (d - sum(s d)/sum(s)). Nothing for an empty row.
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<SparsemaxAttrs>();
  if (vjp.in_shape(0).elements() == 0) return true;
  const Term p = in(DType::f32, {vjp.out(), vjp.site}), d = in(DType::f32, {vjp.d(), vjp.site});
  const auto root = [](Term x) { return of(Unary::sqrt, x); };
  const Term s = attrs.kind == SparseKind::entmax15 ? unless_zero(p, root) : of(Unary::sign, p);
  const Term total = of(Reduce::sum, s, {attrs.axis}), divisor = choose(of(Binary::equal, total, 0), total + 1, total);
  vjp.give(0, (s * (d - of(Reduce::sum, s * d, {attrs.axis}) / divisor)).tensor);
  return true;
}

}  // namespace

extern constexpr OpDef sparsemax_op{.name = "sparsemax", .infer = infer, .title = title, .decompose = decompose, .vjp = vjp};

}  // namespace ops

static Tensor append_sparsemax(Tensor x, const SparsemaxDesc& desc, ops::SparseKind kind, CallSite site) {
  const ops::SparsemaxAttrs attrs{kind, desc.axis, desc.zero_empty_rows};
  return ops::append_one(ops::sparsemax_op, {x, desc.mask}, ir::Attrs::of(attrs), site);
}
Tensor sparsemax(Tensor x, const SparsemaxDesc& desc, CallSite site) { return append_sparsemax(x, desc, ops::SparseKind::sparsemax, site); }
Tensor entmax15(Tensor x, const SparsemaxDesc& desc, CallSite site) { return append_sparsemax(x, desc, ops::SparseKind::entmax15, site); }

}  // namespace fovea
