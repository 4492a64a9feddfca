// Convolutions, pooling and sampling of random graphs.

#include "tests/conformance/fuzz/maker.hpp"
#include <fovea/ops.hpp>

#include <algorithm>
#include <limits>

namespace fovea::conformance {
namespace {

// One number an axis, `otherwise` where the list is left out.
std::vector<std::int64_t> per_axis(const Node& node, std::string_view name, std::size_t axes, std::int64_t otherwise) {
  std::vector<std::int64_t> list = node.attributes.integers(name);
  if (list.empty()) list.assign(axes, otherwise);
  return list;
}

// Windows over the axes from the third on.
struct Windows {
  std::vector<std::int64_t> kernel, stride, begin, end, dilation;

  Windows(const Node& node, const std::vector<std::int64_t>& taps, std::int64_t default_stride = 1)
      : kernel(taps),
        stride(per_axis(node, "stride", taps.size(), default_stride)),
        begin(per_axis(node, "padding_begin", taps.size(), 0)),
        end(node.attributes.integers("padding_end").empty() ? begin : node.attributes.integers("padding_end")),
        dilation(per_axis(node, "dilation", taps.size(), 1)) {}

  std::int64_t reach(std::size_t axis) const { return dilation[axis] * (kernel[axis] - 1) + 1; }
  Shape kernel_shape() const { return shape_from(kernel); }
  // Where tap `tap` of window `window` reads; may be outside.
  std::vector<std::int64_t> at(const std::vector<std::int64_t>& window, const std::vector<std::int64_t>& tap) const {
    std::vector<std::int64_t> place(kernel.size());
    for (std::size_t a = 0; a < kernel.size(); ++a) place[a] = window[a] * stride[a] - begin[a] + tap[a] * dilation[a];
    return place;
  }
};

std::vector<std::int64_t> spatial(const Shape& shape) { return {shape.extents().begin() + 2, shape.extents().end()}; }

bool inside(const std::vector<std::int64_t>& place, const std::vector<std::int64_t>& extents) {
  for (std::size_t a = 0; a < place.size(); ++a)
    if (place[a] < 0 || place[a] >= extents[a]) return false;
  return true;
}

std::int64_t flat(std::int64_t outer, const std::vector<std::int64_t>& place, const std::vector<std::int64_t>& extents) {
  for (std::size_t a = 0; a < place.size(); ++a) outer = outer * extents[a] + place[a];
  return outer;
}

// Lists for some of the windows' attributes.
void propose_windows(Maker& maker, Node& node, std::size_t axes, std::int64_t most_padding) {
  const auto list = [&](std::string_view name, std::int64_t low, std::int64_t high) {
    std::vector<std::int64_t> numbers(axes);
    for (std::int64_t& number : numbers) number = maker.number(low, high);
    node.attributes.set(name, numbers);
  };
  if (maker.one_in(2)) list("stride", 1, 3);
  if (maker.one_in(2)) list("padding_begin", 0, most_padding);
  if (maker.one_in(4)) list("padding_end", 0, most_padding);
  if (maker.one_in(3)) list("dilation", 1, 2);
}

bool propose_conv(Maker& maker, Node& node) {
  const bool transposed = node.op->name == "conv_transpose";
  const auto x = maker.pick_rank(3, 5);
  if (!x) return false;
  const Shape shape = maker.shape_of(*x);
  const std::int64_t C = shape[1];
  std::int64_t groups = maker.one_in(3) ? C : maker.one_in(2) ? 2 : 1;
  if (groups == 0 || C % groups != 0) groups = 1;
  const std::int64_t O = groups * maker.number(1, 4);
  std::vector<std::int64_t> extents = transposed ? std::vector{C, O / groups} : std::vector{O, C / groups};
  for (int axis = 2; axis < shape.rank(); ++axis) extents.push_back(maker.number(1, 3));
  propose_windows(maker, node, extents.size() - 2, 2);
  node.in = {*x, maker.floats(shape_from(extents))};
  if (maker.one_in(2)) node.in.push_back(maker.floats({O}));
  if (groups > 1) node.attributes.set("groups", static_cast<double>(groups));
  if (!transposed && maker.one_in(3)) node.attributes.set("padding_mode", maker.word(node, "padding_mode"));
  return true;
}

ConvDesc conv_of(const Node& node, std::span<const Tensor> in) {
  const Attributes& attributes = node.attributes;
  return {.stride = attributes.integers("stride"),
          .padding_begin = attributes.integers("padding_begin"),
          .padding_end = attributes.integers("padding_end"),
          .dilation = attributes.integers("dilation"),
          .padding_mode = named(attributes.word("padding_mode", "constant"), PadMode::circular),
          .groups = attributes.integer("groups", 1),
          .bias = in.size() > 2 ? in[2] : Tensor()};
}

// Where padding repeats x; false where it is zeros.
bool fold_into(std::vector<std::int64_t>& place, const std::vector<std::int64_t>& extents, std::string_view mode) {
  if (inside(place, extents)) return true;
  if (mode == "constant") return false;
  for (std::size_t a = 0; a < place.size(); ++a) {
    const std::int64_t n = extents[a];
    std::int64_t& at = place[a];
    if (at >= 0 && at < n) continue;
    if (mode == "replicate") at = std::clamp<std::int64_t>(at, 0, n - 1);
    else if (mode == "reflect") at = at < 0 ? -at : 2 * (n - 1) - at;
    else at = ((at % n) + n) % n;
  }
  return true;
}

template <class In>
auto convolved(const Node& node, const In& in) {
  const auto &x = in[0], &w = in[1];
  const Windows windows(node, spatial(w.shape));
  const std::vector<std::int64_t> from = spatial(x.shape);
  const std::int64_t C = x.dim(1), O = w.dim(0), per_group = w.dim(1), groups = C / std::max<std::int64_t>(per_group, 1);
  std::vector<std::int64_t> extents{x.dim(0), O}, to;
  for (std::size_t a = 0; a < from.size(); ++a)
    to.push_back((from[a] + windows.begin[a] + windows.end[a] - windows.reach(a)) / windows.stride[a] + 1);
  extents.insert(extents.end(), to.begin(), to.end());
  const Shape window_shape = shape_from(to), kernel = windows.kernel_shape();
  ArrayOf<In> y(shape_from(extents));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t o = i / window_shape.elements() % O, n = i / window_shape.elements() / O;
    const auto window = test::unflatten(i % window_shape.elements(), window_shape);
    for (std::int64_t tap = 0; tap < kernel.elements(); ++tap) {
      auto place = windows.at(window, test::unflatten(tap, kernel));
      if (!fold_into(place, from, node.attributes.word("padding_mode", "constant"))) continue;
      for (std::int64_t c = 0; c < per_group; ++c)
        y[i] += x[flat(n * C + o / (O / groups) * per_group + c, place, from)] * w[(o * per_group + c) * kernel.elements() + tap];
    }
    if (in.size() > 2) y[i] += in[2][o];
  }
  return y;
}

// Every element of x is spread over its window.
template <class In>
auto convolved_back(const Node& node, const In& in) {
  const auto &x = in[0], &w = in[1];
  const Windows windows(node, spatial(w.shape));
  const std::vector<std::int64_t> from = spatial(x.shape);
  const std::int64_t C = x.dim(1), groups = node.attributes.integer("groups", 1), per_group = w.dim(1), O = per_group * groups;
  std::vector<std::int64_t> extents{x.dim(0), O}, to;
  for (std::size_t a = 0; a < from.size(); ++a)
    to.push_back((from[a] - 1) * windows.stride[a] + windows.reach(a) - windows.begin[a] - windows.end[a]);
  extents.insert(extents.end(), to.begin(), to.end());
  const Shape from_shape = shape_from(from), kernel = windows.kernel_shape();
  ArrayOf<In> y(shape_from(extents));
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t c = i / from_shape.elements() % C, n = i / from_shape.elements() / C;
    const auto window = test::unflatten(i % from_shape.elements(), from_shape);
    for (std::int64_t tap = 0; tap < kernel.elements(); ++tap) {
      const auto place = windows.at(window, test::unflatten(tap, kernel));
      if (!inside(place, to)) continue;
      for (std::int64_t o = 0; o < per_group; ++o)
        y[flat(n * O + c / (C / groups) * per_group + o, place, to)] += x[i] * w[(c * per_group + o) * kernel.elements() + tap];
    }
  }
  const std::int64_t plane = shape_from(to).elements();
  for (std::int64_t i = 0; i < y.size() && in.size() > 2; ++i) y[i] += in[2][i / plane % O];
  return y;
}

bool propose_pool(Maker& maker, Node& node) {
  const auto x = maker.pick_rank(3, 5);
  if (!x) return false;
  node.in = {*x};
  node.attributes.set("op", maker.word(node, "op"));
  std::vector<std::int64_t> kernel(static_cast<std::size_t>(maker.shape_of(*x).rank() - 2));
  for (std::int64_t& k : kernel) k = maker.number(2, 3);
  node.attributes.set("kernel", kernel);
  propose_windows(maker, node, kernel.size(), 1);
  maker.maybe_flag(node, "ceil_mode");
  maker.maybe_flag(node, "count_include_pad");
  return true;
}

PoolDesc pool_of(const Node& node) {
  const Attributes& attributes = node.attributes;
  return {.kernel = attributes.integers("kernel"),
          .stride = attributes.integers("stride"),
          .padding_begin = attributes.integers("padding_begin"),
          .padding_end = attributes.integers("padding_end"),
          .dilation = attributes.integers("dilation"),
          .ceil_mode = attributes.flag("ceil_mode"),
          .count_include_pad = attributes.flag("count_include_pad")};
}

template <class In>
auto pooled(const Node& node, const In& in) {
  using T = ElementOf<In>;
  const auto& x = in[0];
  Windows windows(node, node.attributes.integers("kernel"));
  if (node.attributes.integers("stride").empty()) windows.stride = windows.kernel;
  const std::vector<std::int64_t> from = spatial(x.shape);
  std::vector<std::int64_t> extents{x.dim(0), x.dim(1)}, to;
  for (std::size_t a = 0; a < from.size(); ++a) {
    const std::int64_t room = from[a] + windows.begin[a] + windows.end[a] - windows.reach(a), stride = windows.stride[a];
    std::int64_t n = room / stride + 1;
    if (node.attributes.flag("ceil_mode") && room % stride != 0 && n * stride < from[a] + windows.begin[a]) ++n;
    to.push_back(n);
  }
  extents.insert(extents.end(), to.begin(), to.end());
  const Shape window_shape = shape_from(to), kernel = windows.kernel_shape();
  ArrayOf<In> y(shape_from(extents));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto window = test::unflatten(i % window_shape.elements(), window_shape);
    T most(-std::numeric_limits<double>::infinity()), sum;
    std::int64_t taps = 0, counted = 0;
    for (std::int64_t tap = 0; tap < kernel.elements(); ++tap) {
      const auto place = windows.at(window, test::unflatten(tap, kernel));
      bool padded = true;  // within the padded input
      for (std::size_t a = 0; a < from.size(); ++a) padded = padded && place[a] < from[a] + windows.end[a];
      counted += padded;
      if (!inside(place, from)) continue;
      const T value = x[flat(i / window_shape.elements(), place, from)];
      ++taps;
      most = larger(most, value), sum += value;
    }
    const bool with_padding = node.attributes.flag("count_include_pad");
    y[i] = node.attributes.word("op", "max") == "max" ? most : sum / static_cast<double>(with_padding ? counted : taps);
  }
  return y;
}

bool propose_grid_sample(Maker& maker, Node& node) {
  const auto x = maker.pick_rank(4, 4);
  if (!x) return false;
  node.in = {*x, maker.floats({maker.shape_of(*x)[0], maker.extent(), maker.extent(), 2})};
  node.attributes.set("interpolation", maker.word(node, "interpolation"));
  node.attributes.set("padding", maker.word(node, "padding"));
  maker.maybe_flag(node, "align_corners");
  return true;
}

// A coordinate of [-1, 1] in texels, clipped or folded as the padding says.
template <class T>
T texel_place(const Node& node, T at, std::int64_t extent) {
  const double n = static_cast<double>(extent);
  const bool aligned = node.attributes.flag("align_corners");
  T place = aligned ? (at + 1) * (0.5 * (n - 1)) : ((at + 1) * n - 1) * 0.5;
  const std::string padding = node.attributes.word("padding", "zeros");
  if (padding == "zeros") return place;
  if (padding == "reflection") {
    const double low = aligned ? 0 : -0.5, span = aligned ? n - 1 : n;
    if (span == 0) return T(0);
    place = magnitude(place - low);
    const double turns = std::floor(place.exact() / span);
    const T rest = place - turns * span;
    place = std::fmod(turns, 2) == 0 ? rest + low : T(span) - rest + low;
  }
  // Without a slope where it is clipped, on the edge too.
  return place.exact() <= 0 ? T(0) : place.exact() >= n - 1 ? T(n - 1) : place;
}

template <class In>
auto sampled(const Node& node, const In& in) {
  using T = ElementOf<In>;
  const auto &x = in[0], &grid = in[1];
  const std::int64_t N = x.dim(0), C = x.dim(1), H = x.dim(2), W = x.dim(3), Ho = grid.dim(1), Wo = grid.dim(2);
  const bool nearest = node.attributes.word("interpolation", "linear") == "nearest";
  ArrayOf<In> y(Shape{N, C, Ho, Wo});
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t p = 0; p < Ho * Wo; ++p) {
      const T u = texel_place(node, grid[(n * Ho * Wo + p) * 2], W), v = texel_place(node, grid[(n * Ho * Wo + p) * 2 + 1], H);
      const double left = nearest ? std::nearbyint(u.exact()) : std::floor(u.exact());
      const double top = nearest ? std::nearbyint(v.exact()) : std::floor(v.exact());
      const T right_part = u - left, bottom_part = v - top;
      for (std::int64_t c = 0; c < C; ++c) {
        T sum;
        for (int corner = 0; corner < (nearest ? 1 : 4); ++corner) {
          const auto column = static_cast<std::int64_t>(left) + corner % 2, row = static_cast<std::int64_t>(top) + corner / 2;
          if (column < 0 || row < 0 || column >= W || row >= H) continue;
          const T texel = x[((n * C + c) * H + row) * W + column];
          const T across = corner % 2 ? right_part : T(1) - right_part, down = corner / 2 ? bottom_part : T(1) - bottom_part;
          sum += nearest ? texel : texel * (across * down);
        }
        y[(n * C + c) * Ho * Wo + p] = sum;
      }
    }
  return y;
}

constexpr Operator operators[] = {
    {"conv", 2, 3,
     "stride[] padding_begin[] padding_end[] dilation[] padding_mode:PadMode:constant|reflect|replicate|circular groups", propose_conv,
     [](const Node& node, std::span<const Tensor> in) { return conv(in[0], in[1], conv_of(node, in)); },
     [](const Node& node, const auto& in) { return convolved(node, in); }, "conv($0, $1, {$*[.bias = $2]})"},
    {"conv_transpose", 2, 3, "stride[] padding_begin[] padding_end[] dilation[] groups", propose_conv,
     [](const Node& node, std::span<const Tensor> in) {
       const ConvDesc desc = conv_of(node, in);
       return conv_transpose(in[0], in[1], {.stride = desc.stride,
                                            .padding_begin = desc.padding_begin,
                                            .padding_end = desc.padding_end,
                                            .dilation = desc.dilation,
                                            .groups = desc.groups,
                                            .bias = desc.bias});
     },
     [](const Node& node, const auto& in) { return convolved_back(node, in); }, "conv_transpose($0, $1, {$*[.bias = $2]})"},
    {"pool", 1, 1,
     "op:Pool:max|average kernel[] stride[] padding_begin[] padding_end[] dilation[] ceil_mode:true count_include_pad:true",
     propose_pool,
     [](const Node& node, std::span<const Tensor> in) {
       return pool(named(node.attributes.word("op", "max"), Pool::average), in[0], pool_of(node));
     },
     [](const Node& node, const auto& in) { return pooled(node, in); }, "pool($op, $0, {$*})"},
    {"grid_sample", 2, 2,
     "interpolation:Interpolation:linear|nearest padding:SamplePadding:zeros|border|reflection align_corners:true", propose_grid_sample,
     [](const Node& node, std::span<const Tensor> in) {
       return grid_sample(in[0], in[1],
                          {.interpolation = named(node.attributes.word("interpolation", "linear"), Interpolation::linear),
                           .padding = named(node.attributes.word("padding", "zeros"), SamplePadding::reflection),
                           .align_corners = node.attributes.flag("align_corners")});
     },
     [](const Node& node, const auto& in) { return sampled(node, in); }, "grid_sample($0, $1, {$*})"}};

}  // namespace

std::span<const Operator> spatial_operators() { return operators; }

}  // namespace fovea::conformance
