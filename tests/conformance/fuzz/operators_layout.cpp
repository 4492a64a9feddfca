// What only moves elements, in random graphs.

#include "tests/conformance/fuzz/maker.hpp"
#include <fovea/ops.hpp>

#include <algorithm>
#include <numeric>

namespace fovea::conformance {
namespace {

// The first `keep` axes as they are, the rest as one.
std::vector<std::int64_t> joined(const Node& node, const Shape& x) {
  const auto keep = std::clamp<std::int64_t>(node.attributes.integer("keep", 0), 0, x.rank());
  std::vector<std::int64_t> extents(x.extents().begin(), x.extents().begin() + keep);
  std::int64_t rest = 1;
  for (int axis = static_cast<int>(keep); axis < x.rank(); ++axis) rest *= x[axis];
  extents.push_back(rest);
  return extents;
}

// An axis in front, of `copies` of x.
Shape repeated(const Node& node, const Shape& x) {
  std::vector<std::int64_t> extents = extents_of(x);
  extents.insert(extents.begin(), node.attributes.integer("copies", 1));
  return shape_from(extents);
}

std::vector<int> order_of(const Node& node) {
  const std::vector<std::int64_t> order = node.attributes.integers("order");
  return {order.begin(), order.end()};
}

bool propose_permute(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  std::vector<std::int64_t> order(static_cast<std::size_t>(maker.shape_of(node.in[0]).rank()));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[maker.below(i + 1)]);
  node.attributes.set("order", order);
  return order.size() > 1;
}

bool propose_slice(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape& x = maker.shape_of(node.in[0]);
  if (x.rank() == 0) return false;
  const int axis = maker.axis_of(node.in[0]);
  const std::int64_t extent = x[axis], start = maker.number(-extent, extent);
  node.attributes.set("axis", axis);
  node.attributes.set("start", static_cast<double>(start));
  if (maker.one_in(2)) node.attributes.set("stop", static_cast<double>(maker.number(-extent, extent)));
  node.attributes.set("step", static_cast<double>(maker.number(1, 3) * (maker.one_in(2) ? 1 : -1)));
  return true;
}

SliceDesc slice_of(const Node& node) {
  SliceDesc desc{.axis = node.attributes.integer("axis", 0), .start = node.attributes.integer("start", 0)};
  desc.stop = node.attributes.integer("stop", desc.stop);
  desc.step = node.attributes.integer("step", 1);
  return desc;
}

// The indices of Python's range(extent)[start:stop:step].
std::vector<std::int64_t> sliced(const SliceDesc& desc, std::int64_t extent) {
  const auto place = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
    return std::clamp(at < 0 ? at + extent : at, low, high);
  };
  const bool forward = desc.step > 0, open = desc.stop == SliceDesc{}.stop;
  const std::int64_t start = forward ? place(desc.start, 0, extent) : place(desc.start, -1, extent - 1);
  const std::int64_t stop = open ? (forward ? extent : -1) : forward ? place(desc.stop, 0, extent) : place(desc.stop, -1, extent - 1);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = start; forward ? i < stop : i > stop; i += desc.step) indices.push_back(i);
  return indices;
}

bool propose_concat(Maker& maker, Node& node) {
  node.in = {maker.pick(), maker.pick()};
  if (maker.one_in(3)) node.in.push_back(maker.pick());
  if (maker.shape_of(node.in[0]).rank() == 0) return false;
  node.attributes.set("axis", maker.axis_of(node.in[0]));
  return true;
}

template <class In>
auto concatenated(const Node& node, const In& in) {
  Shape shape = in[0].shape;
  const int axis = axis_from(node.attributes.integer("axis", 0), shape);
  shape[axis] = 0;
  for (const auto& part : in) shape[axis] += part.shape[axis];
  ArrayOf<In> y(shape);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    auto index = test::unflatten(i, shape);
    std::int64_t& at = index[static_cast<std::size_t>(axis)];
    std::size_t part = 0;
    while (at >= in[part].shape[axis]) at -= in[part++].shape[axis];
    y[i] = in[part][test::broadcast_offset(index, in[part].shape)];
  }
  return y;
}

// before and after of the innermost axis, and then those of the axis before it.
bool propose_pad(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape& x = maker.shape_of(node.in[0]);
  if (x.rank() == 0) return false;
  const std::string mode = maker.word(node, "mode");
  std::vector<std::int64_t> amounts;
  for (int axis = x.rank() - 1; axis >= std::max(0, x.rank() - 2); --axis) {
    if (axis < x.rank() - 1 && maker.one_in(2)) break;
    const std::int64_t most = mode == "reflect" ? std::min<std::int64_t>(x[axis] - 1, 3) : 3;
    if (most < 0) return false;
    for (int side = 0; side < 2; ++side) amounts.push_back(maker.number(std::max<std::int64_t>(-1, -x[axis] / 2), most));
  }
  node.attributes.set("amounts", amounts);
  node.attributes.set("mode", mode);
  if (mode == "constant" && maker.one_in(2)) node.attributes.set("value", 0.5);
  return true;
}

PadDesc pad_of(const Node& node, int rank) {
  PadDesc desc{.mode = named(node.attributes.word("mode", "constant"), PadMode::circular),
               .value = static_cast<float>(node.attributes.number("value", 0))};
  const std::vector<std::int64_t> amounts = node.attributes.integers("amounts");
  for (std::size_t i = 0; i + 1 < amounts.size(); i += 2) desc.amounts.insert(desc.amounts.begin(), {amounts[i], amounts[i + 1]});
  if (static_cast<int>(desc.amounts.size()) > rank || amounts.size() % 2 != 0) desc.amounts.resize(9);  // Fovea refuses it
  return desc;
}

template <class Array>
Array padded(const Node& node, const Array& x) {
  const PadDesc desc = pad_of(node, x.shape.rank());
  Shape shape = x.shape;
  const int first = shape.rank() - static_cast<int>(desc.amounts.size());
  for (std::size_t i = 0; i < desc.amounts.size(); ++i) shape[first + static_cast<int>(i)] += desc.amounts[i][0] + desc.amounts[i][1];
  return moved(
      x, shape,
      [&](std::vector<std::int64_t>& index) {
        for (std::size_t i = 0; i < desc.amounts.size(); ++i) {
          const auto [before, after] = desc.amounts[i];
          // Crops come first: of what is left, `low` is the first index and n the count.
          const std::int64_t low = std::max<std::int64_t>(-before, 0), extent = x.shape[first + static_cast<int>(i)];
          const std::int64_t n = extent - low - std::max<std::int64_t>(-after, 0);
          std::int64_t& at = index[static_cast<std::size_t>(first) + i];
          at -= std::max<std::int64_t>(before, 0);
          if (at < 0 || at >= n) {
            if (desc.mode == PadMode::constant) return false;
            if (desc.mode == PadMode::replicate) at = std::clamp<std::int64_t>(at, 0, n - 1);
            if (desc.mode == PadMode::reflect) at = at < 0 ? -at : 2 * (n - 1) - at;
            if (desc.mode == PadMode::circular) at = ((at % n) + n) % n;
          }
          at += low;
        }
        return true;
      },
      static_cast<double>(desc.value));
}

constexpr Operator operators[] = {
    {"join", 1, 1, "keep",
     [](Maker& maker, Node& node) {
       node.in = {maker.pick()};
       node.attributes.set("keep", static_cast<double>(maker.below(static_cast<std::size_t>(maker.shape_of(node.in[0]).rank()) + 1)));
       return true;
     },
     [](const Node& node, std::span<const Tensor> in) { return reshape(in[0], joined(node, in[0].shape())); },
     [](const Node& node, const auto& in) {
       auto y = in[0];
       y.shape = shape_from(joined(node, y.shape));
       return y;
     },
     "reshape($0, {$shape})"},
    {"repeat", 1, 1, "copies",
     [](Maker& maker, Node& node) {
       node.in = {maker.pick()};
       node.attributes.set("copies", static_cast<double>(maker.number(1, 4)));
       return true;
     },
     [](const Node& node, std::span<const Tensor> in) { return broadcast_to(in[0], repeated(node, in[0].shape())); },
     [](const Node& node, const auto& in) { return moved(in[0], repeated(node, in[0].shape), [](auto&) { return true; }); },
     "broadcast_to($0, {$shape})"},
    {"permute", 1, 1, "order[]", propose_permute,
     [](const Node& node, std::span<const Tensor> in) { return permute(in[0], order_of(node)); },
     [](const Node& node, const auto& in) {
       const std::vector<int> order = order_of(node);
       Shape shape = in[0].shape;
       for (int i = 0; i < shape.rank(); ++i) shape[i] = in[0].shape.at(order[static_cast<std::size_t>(i)]);
       return moved(in[0], shape, [&](std::vector<std::int64_t>& index) {
         auto from = index;
         for (std::size_t k = 0; k < order.size(); ++k) from[static_cast<std::size_t>(axis_from(order[k], shape))] = index[k];
         index = from;
         return true;
       });
     },
     "permute($0, $order)"},
    {"slice", 1, 1, "axis start stop step", propose_slice,
     [](const Node& node, std::span<const Tensor> in) { return slice(in[0], slice_of(node)); },
     [](const Node& node, const auto& in) {
       const SliceDesc desc = slice_of(node);
       Shape shape = in[0].shape;
       const int axis = axis_from(desc.axis, shape);
       const auto indices = sliced(desc, shape[axis]);
       shape[axis] = static_cast<std::int64_t>(indices.size());
       return moved(in[0], shape, [&](std::vector<std::int64_t>& index) {
         std::int64_t& at = index[static_cast<std::size_t>(axis)];
         at = indices[static_cast<std::size_t>(at)];
         return true;
       });
     },
     "slice($0, {$*})"},
    {"flip", 1, 1, "axes[]",
     [](Maker& maker, Node& node) {
       node.in = {maker.pick()};
       std::vector<std::int64_t> axes;
       for (int axis = 0; axis < maker.shape_of(node.in[0]).rank(); ++axis)
         if (maker.one_in(2)) axes.push_back(axis);
       node.attributes.set("axes", axes);
       return !axes.empty();
     },
     [](const Node& node, std::span<const Tensor> in) { return flip(in[0], node.attributes.integers("axes")); },
     [](const Node& node, const auto& in) {
       const Shape shape = in[0].shape;
       return moved(in[0], shape, [&](std::vector<std::int64_t>& index) {
         for (const std::int64_t a : node.attributes.integers("axes")) {
           const int axis = axis_from(a, shape);
           index[static_cast<std::size_t>(axis)] = shape[axis] - 1 - index[static_cast<std::size_t>(axis)];
         }
         return true;
       });
     },
     "flip($0, $axes)"},
    {"concat", 2, 3, "axis", propose_concat,
     [](const Node& node, std::span<const Tensor> in) { return concat(in, node.attributes.integer("axis", 0)); },
     [](const Node& node, const auto& in) { return concatenated(node, in); }, "concat({$0, $1[, $2]}, $axis)"},
    {"pad", 1, 1, "amounts[] mode:PadMode:constant|reflect|replicate|circular value", propose_pad,
     [](const Node& node, std::span<const Tensor> in) { return pad(in[0], pad_of(node, in[0].shape().rank())); },
     [](const Node& node, const auto& in) { return padded(node, in[0]); }, "pad($0, {.amounts = {$pairs}, $*})"}};

}  // namespace

std::span<const Operator> layout_operators() { return operators; }

}  // namespace fovea::conformance
