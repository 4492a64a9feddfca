#include "ops/strided_copy.hpp"

#include "ops/strided.hpp"
#include "shaders/strided_copy.h"

#include <numeric>

namespace fovea::ops {

namespace {

// The copy in as few axes and as wide units as possible. Sides: x, y.
struct Walk {
  std::vector<std::int64_t> extents;
  std::array<std::vector<std::int64_t>, 2> strides;
  std::array<std::int64_t, 2> offsets;
};

// The widest unit of 2, 4 or 16 bytes, in elements: it divides the innermost extent, every offset, and every stride but
// the innermost ones, which are 1.
std::int64_t widest_unit(const Walk& walk, std::int64_t element_bytes) {
  std::int64_t unit = std::gcd(16 / element_bytes, walk.extents.back());
  for (std::size_t side = 0; side < 2; ++side) {
    if (walk.strides[side].back() != 1) return 1;
    unit = std::gcd(unit, walk.offsets[side]);
    for (std::size_t axis = 0; axis + 1 < walk.extents.size(); ++axis) unit = std::gcd(unit, walk.strides[side][axis]);
  }
  return unit * element_bytes == 8 ? unit / 2 : unit;
}

void divide(Walk& walk, std::int64_t unit) {
  if (unit == 1) return;
  walk.extents.back() /= unit;
  for (std::size_t side = 0; side < 2; ++side) {
    walk.offsets[side] /= unit;
    for (std::size_t axis = 0; axis + 1 < walk.extents.size(); ++axis) walk.strides[side][axis] /= unit;
  }
}

bool walks_in_order(const Walk& walk, std::size_t side) {
  std::int64_t stride = 1;
  for (std::size_t axis = walk.extents.size(); axis-- > 0; stride *= walk.extents[axis])
    if (walk.extents[axis] != 1 && walk.strides[side][axis] != stride) return false;
  return walk.offsets[side] == 0;
}

}  // namespace

Region dense_region(const Shape& shape) {
  return {0, ir::strides_of(shape)};
}

Launch strided_copy(const Shape& shape, DType dtype, const CopySide& from, const CopySide& to, const DeviceCaps& caps) {
  const ir::Strides both[] = {from.region.strides, to.region.strides};
  StridedWalk collapsed = collapse(shape, both);
  Walk walk{collapsed.extents, {collapsed.strides[0], collapsed.strides[1]}, {from.region.offset, to.region.offset}};
  const auto element_bytes = static_cast<std::int64_t>(size_of(dtype));
  const std::int64_t unit = widest_unit(walk, element_bytes), unit_bytes = unit * element_bytes;
  divide(walk, unit);

  shader::StridedCopySpec spec;
  spec.RANK = static_cast<shader::uint>(walk.extents.size());
  spec.DENSE = walks_in_order(walk, 1);
  shader::StridedCopyParams params{u32(shape.elements() / unit), u32(walk.offsets[0]), u32(walk.offsets[1]), {}};
  PushWords words(params.words);
  const std::size_t rank = walk.extents.size();
  spec.DIVISOR_WORDS = words.divisor_words(rank - 1, spec.DENSE ? rank : 2 * rank);
  for (std::size_t axis = 1; axis < rank; ++axis) words.put_divisor(walk.extents[axis], spec.DIVISOR_WORDS);
  for (std::size_t side = 0; side < (spec.DENSE ? 1 : 2); ++side)
    for (std::int64_t stride : walk.strides[side]) words.put(stride);

  Launch launch;
  launch.shader = find_shader(unit_bytes == 16  ? "strided_copy.quad"
                              : unit_bytes == 4 ? "strided_copy.word"
                                                : "strided_copy.half");
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {from.operand, to.operand};
  launch.groups = flat_groups(params.n, spec.WG, caps);
  return launch;
}

}  // namespace fovea::ops
