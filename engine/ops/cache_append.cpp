// cache_append and page_append: rows written into a cache of keys or values, at a position that is data.

#include "shaders/cache_append.h"

#include "ops/attention.hpp"
#include "ops/compose.hpp"
#include "ops/vjp.hpp"

#include <fovea/kv_cache.hpp>

namespace fovea {
namespace ops {
namespace {

struct CacheAppendAttrs {};
template <class F>
void describe(const CacheAppendAttrs&, F&&) {}

// Of both: what is appended to, by its name and its letters, and the axes that it shares with the rows.
void check_rows(InferContext& context, const char* name, const char* letters, std::initializer_list<int> axes) {
  const Shape &to = context.shape(0), &rows = context.shape(1), &position = context.shape(2);
  if (to.rank() != 4) return context.fail(name, " has shape ", to_string(to), ", not ", letters);
  if (rows.rank() != 4) return context.fail("rows has shape ", to_string(rows), ", not [B,Hk,n,D]");
  if (context.dtype(1) != context.dtype(0))
    return context.fail("rows is ", to_string(context.dtype(1)), " and ", name, " is ", to_string(context.dtype(0)));
  for (const int axis : axes)
    if (rows[axis] != to[axis]) return context.fail("rows has ", rows[axis], " along axis ", axis, " and ", name, " has ", to[axis]);
  if (context.dtype(2) != DType::i32) return context.fail("position is ", to_string(context.dtype(2)), ", not i32");
  if (position.rank() != 0 && position != Shape{rows[0]})
    return context.fail("position has shape ", to_string(position), ", not [] or [B] = [", rows[0], ']');
  context.out = {{to, context.dtype(0)}};
}

void infer(InferContext& context) { check_rows(context, "cache", "[B,Hk,S,D]", {0, 1, 3}); }

// The row of the new ones that would stand at each place of the cache, i32 [B or 1,1,S,1]: outside of [0, n) there is none.
Tensor row_at(ir::Graph& graph, Tensor position, const Shape& cache, CallSite site) {
  const std::int64_t items = position.shape().elements();
  const Tensor first = reshape(position, {items, 1, 1, 1}, site);
  return binary(Binary::sub, iota_i32(graph, {1, 1, cache[2], 1}), first, site);
}
Tensor is_new(Tensor row, std::int64_t n, CallSite site) {
  ir::Graph& graph = *row.graph();
  return binary(Binary::logical_and, binary(Binary::greater_equal, row, constant_i32(graph, 0), site),
                binary(Binary::less, row, constant_i32(graph, n), site), site);
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const CallSite site = builder.site;
  const Shape cache = in[0].shape();
  const std::int64_t n = in[1].dim(2);
  if (n == 0 || cache.elements() == 0 || !ir::is_float(node.in(0).dtype)) return false;
  const Tensor row = row_at(builder.graph, in[2], cache, site);
  out[0] = select(is_new(row, n, site), take_along(in[1], row, 2, site), in[0], site);
  return true;
}

bool supports(const NodeView& node, const DeviceCaps&) { return node.in(1).shape.elements() < (std::int64_t{1} << 32) - 1024; }

void infer_pages(InferContext& context) {
  check_rows(context, "pages", "[P,Hk,page,D]", {1, 3});
  if (!context.error.empty()) return;
  if (const std::string fault = page_table_fault(context.shape(3), context.dtype(3), context.shape(1)[0], context.shape(0)[2]); !fault.empty()) context.fail(fault);
}

bool supports_pages(const NodeView& node, const DeviceCaps& caps) {
  return supports(node, caps) && node.in(3).shape[1] * node.in(0).shape[2] <= INT32_MAX;
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const Shape &rows = node.in(1).shape, &cache = node.in(0).shape;
  shader::CacheAppendSpec spec;
  spec.PAGED = node.has(3);
  shader::CacheAppendParams params{};
  params.n = u32(rows.elements());
  params.size = u32(rows[3]), params.rows = u32(rows[2]), params.heads = u32(rows[1]), params.places = u32(cache[2]);
  params.position_b = node.in(2).shape.rank() == 0 ? 0 : 1;
  if (node.has(3)) params.page = u32(cache[2]), params.pages = u32(cache[0]), params.places = u32(cache[2] * node.in(3).shape[1]);
  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader(size_of(node.in(0).dtype) == 2 ? "cache_append.half" : "cache_append.word");
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(1), in(2), out(0), node.has(3) ? in(3) : unused()};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

// What was overwritten takes nothing; what was written takes what arrives at its place, and what was dropped nothing.
bool vjp(Vjp& vjp) {
  const CallSite site = vjp.site;
  const Shape cache = vjp.in_shape(0), rows = vjp.in_shape(1);
  const Tensor d = vjp.d(), position = vjp.in(2), zero = cast(constant_i32(vjp.graph, 0), d.dtype(), site);
  if (cache.elements() == 0 || rows.elements() == 0) {
    if (vjp.wants(0)) vjp.give(0, d);
    return true;
  }
  if (vjp.wants(0)) vjp.give(0, select(is_new(row_at(vjp.graph, position, cache, site), rows[2], site), zero, d, site));
  if (vjp.wants(1)) {
    const Tensor first = reshape(position, {position.shape().elements(), 1, 1, 1}, site);
    const Tensor place = binary(Binary::add, iota_i32(vjp.graph, {1, 1, rows[2], 1}), first, site);
    vjp.give(1, select(is_new(place, cache[2], site), take_along(d, place, 2, site), zero, site));
  }
  return true;
}

constexpr Kernel kernels[] = {{"cache_append", supports, plan}};
constexpr Kernel page_kernels[] = {{"page_append", supports_pages, plan}};

}  // namespace

extern constexpr OpDef cache_append_op{.name = "cache_append",
                                       .infer = infer,
                                       .required_inputs = all_inputs,
                                       .operands = {"cache", "rows", "position"},
                                       .decompose = decompose,
                                       .kernels = kernels,
                                       .vjp = vjp,
                                       .overwrites = true};
extern constexpr OpDef page_append_op{.name = "page_append",
                                      .infer = infer_pages,
                                      .required_inputs = all_inputs,
                                      .operands = {"pages", "rows", "position"},
                                      .kernels = page_kernels,
                                      .no_gradient = "items may share pages",
                                      .overwrites = true};

}  // namespace ops

Tensor cache_append(Tensor cache, Tensor rows, Tensor position, CallSite site) {
  return ops::append_one(ops::cache_append_op, {cache, rows, position}, ir::Attrs::of(ops::CacheAppendAttrs{}), site);
}

Tensor page_append(Tensor pages, Tensor rows, Tensor position, Tensor page_table, CallSite site) {
  return ops::append_one(ops::page_append_op, {pages, rows, position, page_table}, ir::Attrs::of(ops::CacheAppendAttrs{}), site);
}

}  // namespace fovea
