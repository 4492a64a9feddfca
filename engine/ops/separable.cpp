#include "ops/separable.hpp"

#include "ops/compose.hpp"
#include "ops/vjp.hpp"
#include "shaders/separable.h"

#include <fovea/ops.hpp>

#include <algorithm>
#include <bit>
#include <numeric>

namespace fovea::ops {

const char* to_string(Choice choice) {
  static constexpr const char* names[] = {"all", "points_here", "pointed_at"};
  static_assert(static_cast<int>(Choice::points_here) == SEPARABLE_POINTS_HERE &&
                static_cast<int>(Choice::pointed_at) == SEPARABLE_POINTED_AT);
  return names[static_cast<std::size_t>(choice)];
}

void AxisMap::add(std::int64_t at, double w) {
  if (w == 0) return;
  column.push_back(at);
  weight.push_back(w);
}

AxisMap transposed(const AxisMap& map) {
  std::vector<std::int64_t> next(static_cast<std::size_t>(map.columns) + 1, 0);
  for (std::int64_t column : map.column) ++next[static_cast<std::size_t>(column) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  AxisMap result{.columns = map.rows(), .first = next, .column = map.column, .weight = map.weight};
  for (std::int64_t row = 0; row < map.rows(); ++row)
    for (auto tap = map.first[static_cast<std::size_t>(row)]; tap < map.first[static_cast<std::size_t>(row) + 1]; ++tap) {
      const auto from = static_cast<std::size_t>(tap);
      const auto to = static_cast<std::size_t>(next[static_cast<std::size_t>(map.column[from])]++);
      result.column[to] = row;
      result.weight[to] = map.weight[from];
    }
  return result;
}

namespace {

struct SeparableAttrs {
  std::vector<AxisMap> maps{};  // outermost first
  Choice choice = Choice::all;
};
template <class F>
void describe(const SeparableAttrs& attrs, F&& field) {
  // The table is a constant operand, which tells maps of one size apart.
  std::vector<std::int64_t> rows, taps;
  for (const AxisMap& map : attrs.maps) rows.push_back(map.rows()), taps.push_back(map.first.back());
  field("rows", rows);
  field("taps", taps);
  field("choice", attrs.choice);
}

// Operands: x, the table, the index. Its callers have checked what a user can get wrong.
void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<SeparableAttrs>();
  Shape y = context.shape(0);
  const int outer = y.rank() - static_cast<int>(attrs.maps.size());
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  for (std::size_t i = 0; i < attrs.maps.size(); ++i) {
    std::int64_t& extent = y[outer + static_cast<int>(i)];
    if (extent != attrs.maps[i].columns)
      return context.fail("x ", to_string(context.shape(0)), " has ", extent, " elements at axis ", outer + static_cast<int>(i),
                          " and the map ", attrs.maps[i].columns, " columns");
    extent = attrs.maps[i].rows();
  }
  if (attrs.choice != Choice::all) {
    const Shape& expected = attrs.choice == Choice::points_here ? context.shape(0) : y;
    if (!context.has(2) || context.dtype(2) != DType::i32 || context.shape(2) != expected)
      return context.fail("the index is not i32", to_string(expected));
  }
  context.out = {{y, context.dtype(0)}};
}

double mean_taps(const AxisMap& map) {
  return static_cast<double>(map.first.back()) / static_cast<double>(std::max<std::int64_t>(map.rows(), 1));
}
std::int64_t most_taps(const AxisMap& map) {
  std::int64_t most = 0;
  for (std::size_t row = 1; row < map.first.size(); ++row) most = std::max(most, map.first[row] - map.first[row - 1]);
  return most;
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  const auto& maps = node.attrs<SeparableAttrs>().maps;
  return loops_fit(caps, nested_loops({most_taps(maps[0]), most_taps(maps[1]), most_taps(maps[2])}));
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<SeparableAttrs>();
  shader::SeparableSpec spec;
  spec.CHOICE = static_cast<shader::uint>(attrs.choice);
  shader::SeparableParams params{};
  params.n = u32(node.out(0).shape.elements());
  std::int64_t at = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const AxisMap& map = attrs.maps[i];
    params.size[i] = u32(map.columns);
    params.out_size[i] = u32(map.rows());
    params.rows[i] = u32(at);
    params.taps[i] = u32(at + map.rows() + 1);
    at += map.rows() + 1 + 2 * map.first.back();
  }
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("separable", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), attrs.choice == Choice::all ? unused() : in(2), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

constexpr Kernel kernels[] = {{"separable", supports, plan}};

Tensor table_of(ir::Graph& graph, const std::vector<AxisMap>& maps) {
  std::vector<std::uint32_t> words;
  for (const AxisMap& map : maps) {
    for (std::int64_t first : map.first) words.push_back(u32(first));
    for (std::size_t tap = 0; tap < map.column.size(); ++tap) {
      words.push_back(u32(map.column[tap]));
      words.push_back(std::bit_cast<std::uint32_t>(static_cast<float>(map.weight[tap])));
    }
  }
  const Shape shape{static_cast<std::int64_t>(words.size())};
  return constant(graph, {shape, DType::i32}, std::as_bytes(std::span(words)));
}

// The identity along one axis.
AxisMap identity_map(std::int64_t extent) {
  AxisMap map{.columns = extent};
  for (std::int64_t i = 0; i < extent; ++i) map.add(i, 1), map.end_row();
  return map;
}
bool is_identity(const AxisMap& map) {
  if (map.rows() != map.columns || map.first.back() != map.rows()) return false;
  for (std::int64_t i = 0; i < map.rows(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (map.first[at] != i || map.column[at] != i || map.weight[at] != 1) return false;
  }
  return true;
}

// x with its last axes as three, absent ones of extent 1 in front of them; all others as one.
Tensor append_separable(Tensor x, std::vector<AxisMap> maps, CallSite site, Choice choice, Tensor index) {
  ir::Graph& graph = *x.graph();
  const Shape shape = x.shape();
  const int outer = shape.rank() - static_cast<int>(maps.size());
  Shape result = shape;
  for (std::size_t i = 0; i < maps.size(); ++i) result[outer + static_cast<int>(i)] = maps[i].rows();
  maps.insert(maps.begin(), 3 - maps.size(), identity_map(1));
  std::int64_t planes = 1;
  for (int axis = 0; axis < outer; ++axis) planes *= shape[axis];
  const Tensor cube = reshape(x, {planes, maps[0].columns, maps[1].columns, maps[2].columns}, site);
  if (index) {
    const bool as_x = choice == Choice::points_here;
    const auto extent = [&](std::size_t i) { return as_x ? maps[i].columns : maps[i].rows(); };
    index = reshape(index, {planes, extent(0), extent(1), extent(2)}, site);
  }
  const Tensor table = table_of(graph, maps);
  const Tensor y = append_one(separable_op, {cube, table, index}, ir::Attrs::of(SeparableAttrs{std::move(maps), choice}), site);
  return reshape(y, result.extents(), site);
}

// One axis after the other, in f32, first those that shrink most.
Tensor axis_by_axis(Tensor x, const std::vector<AxisMap>& maps, CallSite site) {
  std::vector<std::size_t> order(maps.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto growth = [&](std::size_t i) {
    return static_cast<double>(maps[i].rows()) / static_cast<double>(std::max<std::int64_t>(maps[i].columns, 1));
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return growth(a) < growth(b); });
  Tensor y = cast(x, DType::f32, site);
  for (std::size_t which : order) {
    if (is_identity(maps[which])) continue;
    std::vector<AxisMap> one;
    const int outer = y.shape().rank() - static_cast<int>(maps.size());
    for (std::size_t i = 0; i < maps.size(); ++i)
      one.push_back(i == which ? maps[i] : identity_map(y.shape()[outer + static_cast<int>(i)]));
    y = append_separable(y, std::move(one), site, Choice::all, {});
  }
  return cast(y, x.dtype(), site);
}

std::size_t mapped_axes(const std::vector<AxisMap>& maps) {
  return static_cast<std::size_t>(std::count_if(maps.begin(), maps.end(), [](const AxisMap& map) { return !is_identity(map); }));
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<SeparableAttrs>();
  if (attrs.choice != Choice::all || mapped_axes(attrs.maps) < 2) return false;
  out[0] = axis_by_axis(in[0], attrs.maps, builder.site);
  return true;
}

bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<SeparableAttrs>();
  std::vector<AxisMap> maps;
  for (const AxisMap& map : attrs.maps) maps.push_back(transposed(map));
  const Choice back = attrs.choice == Choice::points_here ? Choice::pointed_at
                      : attrs.choice == Choice::pointed_at ? Choice::points_here : Choice::all;
  vjp.give(0, separable(vjp.d(), std::move(maps), vjp.site, back, vjp.in(2)));
  return true;
}

double flops(const NodeView& node) {
  double taps = 1;
  for (const AxisMap& map : node.attrs<SeparableAttrs>().maps) taps *= mean_taps(map);
  return 2 * taps * static_cast<double>(node.out(0).shape.elements());
}

}  // namespace

extern constexpr OpDef separable_op{.name = "separable", .infer = infer, .required_inputs = 2, .decompose = decompose,
                                    .kernels = kernels, .vjp = vjp, .flops = flops};

Tensor separable(Tensor x, std::vector<AxisMap> maps, CallSite site, Choice choice, Tensor index) {
  if (x.graph()->error) return {x.graph(), ir::none};
  // Wide taps along two axes are cheaper one axis at a time.
  double together = 1, apart = 0;
  for (const AxisMap& map : maps) together *= mean_taps(map), apart += mean_taps(map);
  if (choice == Choice::all && together > 32 && together > 4 * apart) return axis_by_axis(x, maps, site);
  return append_separable(x, std::move(maps), site, choice, index);
}

}  // namespace fovea::ops
