// Pictures as columns of windows, columns as pictures, and pictures of another size, in random graphs.

#include "tests/conformance/fuzz/maker.hpp"
#include "tests/support/resize.hpp"
#include <fovea/ops.hpp>

#include <array>

namespace fovea::conformance {
namespace {

// The list, or `otherwise` in each place where it is left out.
template <std::size_t n>
std::array<std::int64_t, n> array_of(const Node& node, std::string_view name, std::int64_t otherwise) {
  const std::vector<std::int64_t> list = node.attributes.integers(name);
  std::array<std::int64_t, n> numbers;
  numbers.fill(list.empty() ? otherwise : -1);  // of another length: Fovea refuses it
  if (list.size() == n) std::copy(list.begin(), list.end(), numbers.begin());
  return numbers;
}

UnfoldDesc unfold_of(const Node& node) {
  return {.kernel = array_of<2>(node, "kernel", 1),
          .stride = array_of<2>(node, "stride", 1),
          .dilation = array_of<2>(node, "dilation", 1),
          .padding = array_of<4>(node, "padding", 0)};
}

FoldDesc fold_of(const Node& node) {
  const UnfoldDesc windows = unfold_of(node);
  return {.size = array_of<2>(node, "size", 1), .kernel = windows.kernel, .stride = windows.stride, .dilation = windows.dilation,
          .padding = windows.padding};
}

// How many windows stand along an axis of this extent.
std::int64_t windows_along(std::size_t axis, std::int64_t extent, const UnfoldDesc& desc) {
  return (extent + desc.padding[axis] + desc.padding[axis + 2] - desc.dilation[axis] * (desc.kernel[axis] - 1) - 1) / desc.stride[axis] + 1;
}

// Calls f(element of the columns, element of the pictures) for each tap of each window that is on its picture.
template <class F>
void each_tap(std::int64_t planes, std::int64_t H, std::int64_t W, const UnfoldDesc& desc, const F& f) {
  const std::int64_t rows = windows_along(0, H, desc), columns = windows_along(1, W, desc);
  std::int64_t column = 0;
  for (std::int64_t plane = 0; plane < planes; ++plane)
    for (std::int64_t ky = 0; ky < desc.kernel[0]; ++ky)
      for (std::int64_t kx = 0; kx < desc.kernel[1]; ++kx)
        for (std::int64_t window = 0; window < rows * columns; ++window, ++column) {
          const std::int64_t y = window / columns * desc.stride[0] - desc.padding[0] + ky * desc.dilation[0];
          const std::int64_t x = window % columns * desc.stride[1] - desc.padding[1] + kx * desc.dilation[1];
          if (y >= 0 && y < H && x >= 0 && x < W) f(column, (plane * H + y) * W + x);
        }
}

void propose_lists(Maker& maker, Node& node) {
  if (maker.one_in(2)) node.attributes.set("stride", std::vector{maker.number(1, 3), maker.number(1, 3)});
  if (maker.one_in(3)) node.attributes.set("dilation", std::vector{maker.number(1, 2), maker.number(1, 2)});
  if (maker.one_in(2)) node.attributes.set("padding", std::vector{maker.number(0, 2), maker.number(0, 2), maker.number(0, 2), maker.number(0, 2)});
}

bool propose_unfold(Maker& maker, Node& node) {
  const auto x = maker.pick_rank(4, 4);
  if (!x) return false;
  node.in = {*x};
  node.attributes.set("kernel", std::vector{maker.number(1, 3), maker.number(1, 3)});
  propose_lists(maker, node);
  return true;
}

// A size that has as many windows as x has columns.
bool propose_fold(Maker& maker, Node& node) {
  const auto x = maker.pick_rank(3, 3);
  if (!x) return false;
  node.in = {*x};
  const std::int64_t taps = maker.number(1, 3), across = maker.number(1, 3), windows = maker.shape_of(*x)[2], rows = maker.number(1, 3);
  if (maker.shape_of(*x)[1] % (taps * across) != 0 || windows == 0 || windows % rows != 0) return false;
  Node lists{.op = node.op};
  lists.attributes.set("kernel", std::vector{taps, across});
  propose_lists(maker, lists);
  const UnfoldDesc desc = unfold_of(lists);
  const auto extent = [&](std::size_t axis, std::int64_t count) {
    return (count - 1) * desc.stride[axis] + desc.dilation[axis] * (desc.kernel[axis] - 1) + 1 - desc.padding[axis] - desc.padding[axis + 2];
  };
  node.attributes.set("size", std::vector{extent(0, rows), extent(1, windows / rows)});
  for (const Attribute& attribute : lists.attributes.all) node.attributes.all.push_back(attribute);
  return true;
}

bool propose_resize(Maker& maker, Node& node) {
  const auto x = maker.pick_rank(1, 5);
  if (!x) return false;
  node.in = {*x};
  std::vector<std::int64_t> size(1 + maker.below(static_cast<std::size_t>(std::min(3, maker.shape_of(*x).rank()))));
  for (std::int64_t& extent : size) extent = maker.extent();
  node.attributes.set("size", size);
  node.attributes.set("interpolation", maker.word(node, "interpolation"));
  node.attributes.set("coordinates", maker.word(node, "coordinates"));
  if (maker.one_in(2)) node.attributes.set("rounding", maker.word(node, "rounding"));
  if (node.attributes.word("interpolation", "") != "nearest") maker.maybe_flag(node, "antialias");
  maker.maybe_flag(node, "exclude_outside");
  return true;
}

ResizeDesc resize_of(const Node& node) {
  const Attributes& attributes = node.attributes;
  return {.size = attributes.integers("size"),
          .interpolation = named(attributes.word("interpolation", "linear"), Interpolation::cubic),
          .coordinates = named(attributes.word("coordinates", "half_pixel"), ResizeCoordinates::asymmetric),
          .rounding = named(attributes.word("rounding", "prefer_floor"), ResizeRounding::ceil),
          .antialias = attributes.flag("antialias"),
          .exclude_outside = attributes.flag("exclude_outside")};
}

// One axis after the other.
template <class In>
auto resized(const Node& node, const In& in) {
  const ResizeDesc desc = resize_of(node);
  auto from = in[0];
  const int outer = from.shape.rank() - static_cast<int>(desc.size.size());
  for (int axis = outer; axis < from.shape.rank(); ++axis) {
    const std::int64_t n = from.shape[axis], m = desc.size[static_cast<std::size_t>(axis - outer)];
    Shape shape = from.shape;
    shape[axis] = m;
    std::vector<std::vector<double>> weights;
    for (std::int64_t pixel = 0; pixel < m; ++pixel)
      weights.push_back(test::resize_weights(test::resize_place(pixel, n, m, desc.coordinates), n, m, desc));
    ArrayOf<In> to(shape);
    for (std::int64_t i = 0; i < to.size(); ++i) {
      auto index = test::unflatten(i, shape);
      std::int64_t& at = index[static_cast<std::size_t>(axis)];
      const std::vector<double>& of_pixel = weights[static_cast<std::size_t>(at)];
      for (at = 0; at < n; ++at)
        if (const double weight = of_pixel[static_cast<std::size_t>(at)]; weight != 0)
          to[i] += from[test::broadcast_offset(index, from.shape)] * weight;
    }
    from = to;
  }
  return from;
}

constexpr Operator operators[] = {
    {"unfold", 1, 1, "kernel[] stride[] dilation[] padding[]", propose_unfold,
     [](const Node& node, std::span<const Tensor> in) { return unfold(in[0], unfold_of(node)); },
     [](const Node& node, const auto& in) {
       const auto& x = in[0];
       const UnfoldDesc desc = unfold_of(node);
       const std::int64_t N = x.dim(0), C = x.dim(1), H = x.dim(2), W = x.dim(3);
       ArrayOf<decltype(in)> y(Shape{N, C * desc.kernel[0] * desc.kernel[1], windows_along(0, H, desc) * windows_along(1, W, desc)});
       each_tap(N * C, H, W, desc, [&](std::int64_t column, std::int64_t pixel) { y[column] = x[pixel]; });
       return y;
     },
     "unfold($0, {$*})"},
    {"fold", 1, 1, "size[] kernel[] stride[] dilation[] padding[]", propose_fold,
     [](const Node& node, std::span<const Tensor> in) { return fold(in[0], fold_of(node)); },
     [](const Node& node, const auto& in) {
       const FoldDesc desc = fold_of(node);
       const std::int64_t N = in[0].dim(0), C = in[0].dim(1) / (desc.kernel[0] * desc.kernel[1]), H = desc.size[0], W = desc.size[1];
       ArrayOf<decltype(in)> y(Shape{N, C, H, W});
       each_tap(N * C, H, W, unfold_of(node), [&](std::int64_t column, std::int64_t pixel) { y[pixel] += in[0][column]; });
       return y;
     },
     "fold($0, {$*})"},
    {"resize", 1, 1,
     "size[] interpolation:Interpolation:nearest|linear|cubic"
     " coordinates:ResizeCoordinates:half_pixel|half_pixel_symmetric|pytorch_half_pixel|align_corners|asymmetric"
     " rounding:ResizeRounding:prefer_floor|prefer_ceil|floor|ceil antialias:true exclude_outside:true",
     propose_resize, [](const Node& node, std::span<const Tensor> in) { return resize(in[0], resize_of(node)); },
     [](const Node& node, const auto& in) { return resized(node, in); }, "resize($0, {$*})"}};

}  // namespace

std::span<const Operator> picture_operators() { return operators; }

}  // namespace fovea::conformance
