// attention: shapes, errors, work, and the public functions.

#include "base/enum_name.hpp"
#include "ops/attention.hpp"
#include "ops/compose.hpp"
#include "ops/random_state.hpp"
#include "ops/vjp.hpp"

#include <cmath>

namespace fovea {

const char* to_string(CausalAlign align) {
  static constexpr const char* names[] = {"top_left", "bottom_right"};
  return enum_name(names, align);
}

const char* to_string(NeighbourhoodEdge edge) {
  static constexpr const char* names[] = {"clipped", "shifted"};
  return enum_name(names, edge);
}

namespace ops {

AttentionShape::AttentionShape(const NodeView& node)
    : B(node.in(0).shape[0]), H(node.in(0).shape[1]), Hk(node.in(1).shape[1]), Lq(node.in(0).shape[2]),
      Lk(node.in(1).shape[2]), D(node.in(0).shape[3]), Dv(node.in(2).shape[3]) {
  if (node.node.op != &attention_op) return;
  if (node.has(attention_pages)) Lk *= node.in(attention_pages).shape[1];
  if (const Quantized kind = node.attrs<AttentionAttrs>().quantized; kind != Quantized::none) Dv = size_of_row(kind, Dv);
}

std::string band_fault(CausalAlign align, std::int64_t window_left, std::int64_t window_right) {
  if (!is_enumerator(align)) return no_enumerator("align", align);
  if (window_left < -1) return cat("window_left is ", window_left, "; -1 is open, 0 or more a width");
  if (window_right < -1) return cat("window_right is ", window_right, "; -1 is open, 0 or more a width");
  return {};
}

std::string page_table_fault(const Shape& table, DType dtype, std::int64_t items, std::int64_t page) {
  if (dtype != DType::i32) return cat("page_table is ", to_string(dtype), ", not i32");
  if (table.rank() != 2 || table[0] != items) return cat("page_table has shape ", to_string(table), ", not [B,M] with B = ", items);
  if (table[1] > INT32_MAX || page > INT32_MAX) return cat("page_table has shape ", to_string(table), " for pages of ", page, " keys");
  return {};
}

AttentionBand band_of(const AttentionAttrs& attrs, const AttentionShape& shape) {
  const std::int64_t shift = attrs.align == CausalAlign::bottom_right ? shape.Lk - shape.Lq : 0;
  const std::int64_t beyond = shape.Lq + shape.Lk;  // a window twice as wide sees all that its side has
  AttentionBand band{-beyond, beyond, true};
  if (attrs.window_left >= 0)
    band.low = std::max(-beyond, shift - std::min(attrs.window_left, 2 * beyond)), band.open = false;
  if (attrs.window_right >= 0)
    band.high = std::min(beyond, shift + std::min(attrs.window_right, 2 * beyond)), band.open = false;
  if (attrs.causal) band.high = std::min(band.high, shift), band.open = false;
  return band;
}

namespace {

void check_mask(InferContext& context, const Shape& scores, const Grids& grids) {
  const DType dtype = context.dtype(3);
  if (dtype != DType::boolean && dtype != DType::f32 && dtype != context.dtype(0))
    return context.fail(grids.biased ? "neighbourhood.bias is " : "the mask is ", to_string(dtype), ", not boolean, f32 or q's ", to_string(context.dtype(0)));
  if (grids.biased) {
    if (const std::string fault = bias_fault(grids, context.shape(3), scores[1]); !fault.empty()) context.fail(fault);
    return;
  }
  if (!ir::broadcasts_to(context.shape(3), scores))
    return context.fail("mask ", to_string(context.shape(3)), " does not broadcast to [B,H,Lq,Lk] = ", to_string(scores));
}

// Gives v's.
std::int64_t check_head_sizes(InferContext& context, Quantized kind) {
  const std::int64_t size = context.shape(0)[3], of_k = context.shape(1)[3], of_v = context.shape(2)[3];
  if (kind == Quantized::none) {
    if (of_k != size) context.fail("k has head size ", of_k, " (axis 3) and q has ", size);
    return of_v;
  }
  if (size % codes_a_word(kind) != 0) context.fail("q has head size ", size, ", not a multiple of the ", codes_a_word(kind), " codes in a word of ", to_string(kind));
  if (of_k != words_of_row(kind, size)) context.fail("k has rows of ", of_k, " words (axis 3), and ", to_string(kind), " of q's head size ", size, " has ", words_of_row(kind, size));
  if (of_v < numbers_a_row(kind)) context.fail("v has rows of ", of_v, " words (axis 3), and ", to_string(kind), " begins with ", numbers_a_row(kind));
  return size_of_row(kind, of_v);
}

void check_ranges(InferContext& context, const Shape& q) {
  const Shape& ranges = context.shape(attention_ranges);
  if (context.dtype(attention_ranges) != DType::i32) return context.fail("key_ranges is ", to_string(context.dtype(attention_ranges)), ", not i32");
  const Shape all{q[0], q[1], q[2], 2};
  if (ranges.rank() == 0 || ranges.at(-1) != 2 || !ir::broadcasts_to(ranges, all))
    return context.fail("key_ranges ", to_string(ranges), " does not broadcast to [B,H,Lq,2] = ", to_string(all));
}

// Of keys in pages, how many an item has.
void check_pages(InferContext& context, const AttentionAttrs& attrs) {
  const Shape &table = context.shape(attention_pages), &q = context.shape(0), &k = context.shape(1), &v = context.shape(2);
  if (const std::string fault = page_table_fault(table, context.dtype(attention_pages), q[0], k[2]); !fault.empty()) return context.fail(fault);
  if (v[0] != k[0]) return context.fail("v has ", v[0], " pages (axis 0) and k has ", k[0]);
  if (k[0] == 0 && table.elements() > 0) return context.fail("k has no pages (axis 0) and page_table has shape ", to_string(table));
  if (attrs.dropout > 0) return context.fail("dropout is ", attrs.dropout, " and keys are in pages, which have none");
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<AttentionAttrs>();
  if (!is_enumerator(attrs.quantized)) return context.fail(no_enumerator("quantized", attrs.quantized));
  static constexpr const char* names[] = {"q", "k", "v"};
  static constexpr const char* layouts[] = {"[B,H,Lq,D]", "[B,Hk,Lk,D]", "[B,Hk,Lk,Dv]"};
  for (std::size_t i = 0; i < 3; ++i) {
    if (context.shape(i).rank() != 4)
      return context.fail(names[i], " has shape ", to_string(context.shape(i)), ", not ", layouts[i]);
    if (i > 0 && attrs.quantized != Quantized::none) {
      if (context.dtype(i) != DType::i32) return context.fail(names[i], " is ", to_string(context.dtype(i)), ", not i32, and quantized is ", to_string(attrs.quantized));
      continue;
    }
    if (!ir::is_float(context.dtype(i)))
      return context.fail(names[i], " is ", to_string(context.dtype(i)), ", not ", ir::float_types);
    if (context.dtype(i) != context.dtype(0))
      return context.fail(names[i], " is ", to_string(context.dtype(i)), " and q is ", to_string(context.dtype(0)));
  }
  const Shape &q = context.shape(0), &k = context.shape(1), &v = context.shape(2);
  const bool paged = context.has(attention_pages);
  for (std::size_t i = 1; i < 3 && !paged; ++i)
    if (context.shape(i)[0] != q[0])
      return context.fail(names[i], " has batch ", context.shape(i)[0], " (axis 0) and q has ", q[0]);
  if (k[1] == 0 ? q[1] != 0 : q[1] % k[1] != 0)
    return context.fail("k has ", k[1], " heads (axis 1), which does not divide q's ", q[1]);
  if (v[1] != k[1]) return context.fail("v has ", v[1], " heads (axis 1) and k has ", k[1]);
  if (v[2] != k[2]) return context.fail("v has ", v[2], " keys (axis 2) and k has ", k[2]);
  const std::int64_t size_of_v = check_head_sizes(context, attrs.quantized);
  if (!context.error.empty()) return;
  if (const std::string fault = band_fault(attrs.align, attrs.window_left, attrs.window_right); !fault.empty()) return context.fail(fault);
  if (!(attrs.softcap >= 0 && std::isfinite(attrs.softcap)))
    return context.fail("softcap is ", attrs.softcap, "; 0 is off, else it is positive and finite");
  if (!std::isfinite(attrs.scale)) return context.fail("scale is ", attrs.scale, ", not a finite number");

  if (!(attrs.dropout >= 0 && attrs.dropout < 1)) return context.fail("dropout is ", attrs.dropout, ", not in [0, 1)");
  if (attrs.dropout > 0 && !context.has(4)) return context.fail("dropout is ", attrs.dropout, " and no random state is given");
  if (context.has(4))
    if (const std::string fault = state_fault(context.shape(4), context.dtype(4)); !fault.empty()) return context.fail("the random ", fault);
  if (const std::string fault = mod_fault(context, attrs.mod, attention_buffers); !fault.empty()) return context.fail(fault);
  if (attrs.lse && !attrs.normalize) return context.fail("return_lse is true and normalize false: nothing is summed");
  if (attrs.stream < 0 || attrs.stream > INT32_MAX) return context.fail("dropout_stream ", attrs.stream, " is out of range");

  if (paged) check_pages(context, attrs);
  if (!context.error.empty()) return;
  const Shape scores{q[0], q[1], q[2], paged ? context.shape(attention_pages)[1] * k[2] : k[2]};
  if (const std::string fault = neighbourhood_fault(attrs.grids, scores[2], scores[3]); !fault.empty()) return context.fail(fault);
  if (attrs.grids && paged) return context.fail("keys are in pages, and a neighbourhood is given: pages have no grid");
  if (attrs.grids && context.has(attention_ranges)) return context.fail("key_ranges and a neighbourhood are given: a key is seen by one of them");
  if (context.has(3)) check_mask(context, scores, attrs.grids);
  if (context.has(attention_ranges)) check_ranges(context, q);
  context.out = {{{q[0], q[1], q[2], size_of_v}, context.dtype(0)}};
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

// Two products of the pairs of query and key that causal and the window, or a neighbourhood, leave; those of a mask or of ranges are
// counted.
double flops(const NodeView& node) {
  const AttentionShape shape(node);
  const auto& attrs = node.attrs<AttentionAttrs>();
  const AttentionBand band = band_of(attrs, shape);
  double pairs = std::max(0.0, sum_clamped(shape.Lq, band.high + 1, shape.Lk) - sum_clamped(shape.Lq, band.low, shape.Lk));
  if (attrs.grids) pairs = std::min(pairs, pairs_of_neighbours(attrs.grids));
  return 2 * static_cast<double>(shape.B * shape.H) * pairs * static_cast<double>(shape.D + shape.Dv);
}

// By the saved log-sum-exp, which the forward node is made to give; through the weights where those are asked for.
bool vjp(Vjp& vjp) {
  AttentionAttrs attrs = vjp.attrs<AttentionAttrs>();
  if (attrs.weights) return false;
  const CallSite site = vjp.site;
  if (vjp.has(attention_pages) || attrs.quantized != Quantized::none) {
    const char* why = vjp.has(attention_pages) ? "its keys are in pages, which items may share" : "its keys and values are codes";
    vjp.graph.fail(cat("attention has no gradient: ", why), site, ErrorCode::unsupported);
    return true;
  }
  if (!mod_has_gradient(vjp, attrs.mod, attention_buffers)) return true;
  const Shape rows{vjp.in_shape(0)[0], vjp.in_shape(0)[1], vjp.in_shape(0)[2]};
  const bool had_lse = attrs.normalize && std::exchange(attrs.lse, true);
  const Tensor lse = !attrs.normalize ? filled(vjp.graph, {rows, DType::f32}, 0, site)
                     : had_lse        ? vjp.out(1)
                                      : vjp.add_result(ir::Attrs::of(attrs), {rows, DType::f32});
  const Tensor out = vjp.out(0), d_out = vjp.d(0) ? vjp.d(0) : filled(vjp.graph, {out.shape(), out.dtype()}, 0, site);
  const auto wide = [&](Tensor x) { return cast(x, DType::f32, site); };
  const Tensor d_lse = had_lse && vjp.d(1) ? vjp.d(1) : filled(vjp.graph, {rows, DType::f32}, 0, site);
  const Tensor both = reduce(Reduce::sum, binary(Binary::mul, wide(d_out), wide(out), site), {.axes = {-1}}, site);
  const auto column = [&](Tensor x) { return reshape(x, {rows[0], rows[1], rows[2], 1}, site); };
  std::vector<Tensor> stats{column(lse), column(binary(Binary::sub, both, d_lse, site)), column(d_lse)};
  if (const Tensor ranges = vjp.in(attention_ranges))
    stats.push_back(broadcast_to(wide(clamp_i32(ranges, vjp.in_shape(1)[2], site)), {rows[0], rows[1], rows[2], 2}, site));

  AttentionBackwardAttrs backward{attrs, vjp.wants(0), vjp.wants(1) || vjp.wants(2), vjp.wants(3)};
  std::vector<Tensor> in{vjp.in(0), vjp.in(1), vjp.in(2), vjp.in(3), vjp.in(4), concat(stats, -1, site), d_out, vjp.in(attention_ranges)}, buffers;
  for (std::uint32_t n = 0; n < attrs.mod.buffers().size(); ++n) buffers.push_back(vjp.in(attention_buffers + n));
  in.insert(in.end(), buffers.begin(), buffers.end());
  if (attrs.mod)
    for (std::size_t s = 0; s < facts_of(attrs.mod).sites.size(); ++s)
      if (vjp.wants(attention_buffers + facts_of(attrs.mod).sites[s].buffer)) backward.sites.push_back(static_cast<std::int64_t>(s));
  const std::vector<Tensor> d = append(attention_backward_op, in, ir::Attrs::of(backward), site);
  std::size_t next = 0;
  if (backward.d_q) vjp.give(0, d[next++]);
  if (backward.d_kv) vjp.give(1, d[next]), vjp.give(2, d[next + 1]), next += 2;
  if (backward.d_mask) vjp.give(3, d[next++]);
  const ModCall call{attrs.mod, {rows[0], rows[1], rows[2], vjp.in_shape(1)[2]}, buffers, site};
  std::vector<Taken> taken;
  for (std::int64_t site_of_text : backward.sites) taken.push_back({static_cast<std::size_t>(site_of_text), d[next++]});
  give_to_buffers(vjp, call, attention_buffers, taken);
  return true;
}

}  // namespace

extern constexpr OpDef attention_op{.name = "attention",
                                    .infer = infer,
                                    .required_inputs = 3,
                                    .operands = {"q", "k", "v"},
                                    .decompose = decompose_attention,
                                    .kernels = attention_kernels,
                                    .vjp = vjp,
                                    .flops = flops};

}  // namespace ops

AttentionResult attention_full(Tensor q, Tensor k, Tensor v, const AttentionDesc& desc, CallSite site) {
  ops::AttentionAttrs attrs{desc.causal, desc.align, desc.window_left, desc.window_right, 1, desc.softcap,
                            desc.return_lse, desc.return_weights, desc.dropout, desc.dropout_stream, desc.mod, desc.normalize, desc.quantized, ops::grids_of(desc.neighbourhood)};
  const std::int64_t size = q && q.shape().rank() == 4 ? q.dim(3) : 0;  // other ranks are infer's to refuse
  if (size > 0) attrs.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
  if (desc.scale) attrs.scale = *desc.scale;
  const Tensor bias = desc.neighbourhood.bias;
  if (desc.mask && bias) {
    const Tensor none = ops::refuse(desc.mask, site, "attention: a mask ", to_string(desc.mask.shape()), " and neighbourhood.bias ", to_string(bias.shape()),
                                    " are given, of which there is one");
    return {none, attrs.lse ? none : Tensor(), attrs.weights ? none : Tensor()};
  }
  std::vector<Tensor> in{q, k, v, bias ? bias : desc.mask, desc.dropout_state, desc.key_ranges, desc.page_table};
  for (Tensor buffer : desc.mod_buffers) in.push_back(buffer && ir::is_float(buffer.dtype()) ? cast(buffer, DType::f32, site) : buffer);
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
