#pragma once
// What pooling and its gradient share.

#include "ops/op_def.hpp"

namespace fovea::ops {

struct PoolAttrs {
  Pool kind = Pool::max;
  bool indices = false;
  std::vector<std::int64_t> adaptive{};  // output extents; not empty: the rest of the window does not matter
  // One entry a spatial axis, outermost first.
  std::vector<std::int64_t> kernel{}, stride{}, begin{}, end{}, dilation{};
  bool ceil_mode = false, count_include_pad = false;
  std::int64_t divisor = 0;
  float p = 2;
};
template <class F>
void describe(const PoolAttrs& attrs, F&& field) {
  field("kind", attrs.kind);
  field("indices", attrs.indices);
  field("adaptive", attrs.adaptive);
  field("kernel", attrs.kernel);
  field("stride", attrs.stride);
  field("begin", attrs.begin);
  field("end", attrs.end);
  field("dilation", attrs.dilation);
  field("ceil_mode", attrs.ceil_mode);
  field("count_include_pad", attrs.count_include_pad);
  field("divisor", attrs.divisor);
  field("p", attrs.p);
}

// As the kernels and the gradient see it: defaults filled in.
PoolAttrs pool_attrs(Pool kind, const PoolDesc& desc, bool indices);
// How many windows an axis of that many elements has; 0: none fits. Of attributes in range, not adaptive ones.
std::int64_t windows(const PoolAttrs& attrs, std::size_t axis, std::int64_t size);
bool pool_vjp(Vjp& vjp);

}  // namespace fovea::ops
