// attention: shapes, errors, work, and the public functions.

#include "ops/attention.hpp"

#include <cmath>

namespace fovea {

const char* to_string(CausalAlign align) { return align == CausalAlign::top_left ? "top_left" : "bottom_right"; }

namespace ops {

AttentionShape::AttentionShape(const NodeView& node)
    : B(node.in(0).shape[0]), H(node.in(0).shape[1]), Hk(node.in(1).shape[1]), Lq(node.in(0).shape[2]),
      Lk(node.in(1).shape[2]), D(node.in(0).shape[3]), Dv(node.in(2).shape[3]) {}

AttentionBand band_of(const AttentionAttrs& attrs, const AttentionShape& shape) {
  const std::int64_t shift = attrs.align == CausalAlign::bottom_right ? shape.Lk - shape.Lq : 0;
  const std::int64_t beyond = shape.Lq + shape.Lk;
  AttentionBand band{-beyond, beyond, true};
  if (attrs.window_left >= 0) band.low = std::max(-beyond, shift - attrs.window_left), band.open = false;
  if (attrs.window_right >= 0) band.high = std::min(beyond, shift + attrs.window_right), band.open = false;
  if (attrs.causal) band.high = std::min(band.high, shift), band.open = false;
  return band;
}

namespace {

void check_mask(InferContext& context, const Shape& scores) {
  const DType dtype = context.dtype(3);
  if (dtype != DType::boolean && dtype != DType::f32 && dtype != context.dtype(0))
    return context.fail("the mask is ", to_string(dtype), ", not boolean, f32 or q's ", to_string(context.dtype(0)));
  if (!ir::broadcasts_to(context.shape(3), scores))
    return context.fail("mask ", to_string(context.shape(3)), " does not broadcast to [B,H,Lq,Lk] = ", to_string(scores));
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<AttentionAttrs>();
  static constexpr const char* names[] = {"q", "k", "v"};
  static constexpr const char* layouts[] = {"[B,H,Lq,D]", "[B,Hk,Lk,D]", "[B,Hk,Lk,Dv]"};
  for (std::size_t i = 0; i < 3; ++i) {
    if (context.shape(i).rank() != 4)
      return context.fail(names[i], " has shape ", to_string(context.shape(i)), ", not ", layouts[i]);
    if (context.dtype(i) != DType::f32 && context.dtype(i) != DType::f16)
      return context.fail(names[i], " is ", to_string(context.dtype(i)), ", not f32 or f16");
    if (context.dtype(i) != context.dtype(0))
      return context.fail(names[i], " is ", to_string(context.dtype(i)), " and q is ", to_string(context.dtype(0)));
  }
  const Shape &q = context.shape(0), &k = context.shape(1), &v = context.shape(2);
  for (std::size_t i = 1; i < 3; ++i)
    if (context.shape(i)[0] != q[0])
      return context.fail(names[i], " has batch ", context.shape(i)[0], " (axis 0) and q has ", q[0]);
  if (k[1] == 0 ? q[1] != 0 : q[1] % k[1] != 0)
    return context.fail("k has ", k[1], " heads (axis 1), which does not divide q's ", q[1]);
  if (v[1] != k[1]) return context.fail("v has ", v[1], " heads (axis 1) and k has ", k[1]);
  if (v[2] != k[2]) return context.fail("v has ", v[2], " keys (axis 2) and k has ", k[2]);
  if (k[3] != q[3]) return context.fail("k has head size ", k[3], " (axis 3) and q has ", q[3]);
  if (attrs.window_left < -1) return context.fail("window_left is ", attrs.window_left, "; -1 is open, 0 or more a width");
  if (attrs.window_right < -1) return context.fail("window_right is ", attrs.window_right, "; -1 is open, 0 or more a width");
  if (!(attrs.softcap >= 0)) return context.fail("softcap is ", attrs.softcap, "; 0 is off, else it is positive");

  const Shape scores{q[0], q[1], q[2], k[2]};
  if (context.has(3)) check_mask(context, scores);
  context.out = {{{q[0], q[1], q[2], v[3]}, context.dtype(0)}};
  if (attrs.lse) context.out.push_back({{q[0], q[1], q[2]}, DType::f32});
  if (attrs.weights) context.out.push_back({scores, context.dtype(0)});
}

// Sum over i < n of clamp(i + shift, 0, limit).
double sum_clamped(std::int64_t n, std::int64_t shift, std::int64_t limit) {
  const auto up_to = [&](std::int64_t last) {  // sum over t <= last of clamp(t, 0, limit)
    if (last <= 0) return 0.0;
    const double ramp = static_cast<double>(std::min(last, limit)), flat = static_cast<double>(last) - ramp;
    return ramp * (ramp + 1) / 2 + flat * static_cast<double>(limit);
  };
  return up_to(n - 1 + shift) - up_to(shift - 1);
}

// Two products of the pairs of query and key that causal and the window leave; the mask's are counted.
double flops(const NodeView& node) {
  const AttentionShape shape(node);
  const AttentionBand band = band_of(node.attrs<AttentionAttrs>(), shape);
  const double pairs = std::max(0.0, sum_clamped(shape.Lq, band.high + 1, shape.Lk) - sum_clamped(shape.Lq, band.low, shape.Lk));
  return 2 * static_cast<double>(shape.B * shape.H) * pairs * static_cast<double>(shape.D + shape.Dv);
}

}  // namespace

extern constexpr OpDef attention_op{.name = "attention",
                                    .infer = infer,
                                    .required_inputs = 3,
                                    .decompose = decompose_attention,
                                    .kernels = attention_kernels,
                                    .flops = flops};

}  // namespace ops

AttentionResult attention_full(Tensor q, Tensor k, Tensor v, const AttentionDesc& desc, CallSite site) {
  ops::AttentionAttrs attrs{desc.causal, desc.align, desc.window_left, desc.window_right, 1, desc.softcap,
                            desc.return_lse, desc.return_weights};
  const std::int64_t size = q && q.shape().rank() == 4 ? q.dim(3) : 0;  // other ranks are infer's to refuse
  if (size > 0) attrs.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
  if (desc.scale) attrs.scale = *desc.scale;
  const Tensor in[] = {q, k, v, desc.mask};
  const std::vector<Tensor> out = ops::append(ops::attention_op, in, ir::Attrs::of(attrs), site);
  AttentionResult result;
  result.out = out[0];
  std::size_t next = 1;
  if (attrs.lse) result.lse = out[next++];
  if (attrs.weights) result.weights = out[next++];
  return result;
}

Tensor attention(Tensor q, Tensor k, Tensor v, const AttentionDesc& desc, CallSite site) {
  AttentionDesc one = desc;
  one.return_lse = one.return_weights = false;
  return attention_full(q, k, v, one, site).out;
}

}  // namespace fovea
