#pragma once
// Windows of a picture, as unfold and fold count them.

#include "ops/op_def.hpp"

namespace fovea {

// Beside the Desc itself, where Attrs looks for it.
template <class F>
void describe(const UnfoldDesc& desc, F&& field) {
  field("kernel", desc.kernel);
  field("stride", desc.stride);
  field("dilation", desc.dilation);
  field("padding", desc.padding);
}

namespace ops {

// Windows along y (0) or x (1) of a picture of that extent; 0 when none fits.
inline std::int64_t windows(const UnfoldDesc& desc, std::int64_t extent, std::size_t k) {
  const std::int64_t padded = extent + desc.padding[k] + desc.padding[k + 2];
  const std::int64_t reach = desc.dilation[k] * (desc.kernel[k] - 1) + 1;
  return padded < reach ? 0 : (padded - reach) / desc.stride[k] + 1;
}

// Attributes in range, and at least one window on each axis of the picture `x`, which errors name.
inline bool windows_are_right(InferContext& context, const UnfoldDesc& desc, std::int64_t H, std::int64_t W, const char* x) {
  const auto in_range = [&](const auto& values, const char* name, std::int64_t least) {
    for (std::int64_t value : values)
      if (value < least || value > INT32_MAX) context.fail(name, ' ', value, " is not in [", least, ", 2^31)");
  };
  in_range(desc.kernel, "kernel", 1);
  in_range(desc.stride, "stride", 1);
  in_range(desc.dilation, "dilation", 1);
  in_range(desc.padding, "padding", 0);
  if (!context.error.empty()) return false;
  for (std::size_t k = 0; k < 2; ++k)
    if (const std::int64_t extent = k ? W : H; windows(desc, extent, k) == 0)
      context.fail("no window fits: axis ", 2 + k, " of ", x, " has ", extent, " elements and ", desc.padding[k] + desc.padding[k + 2],
                   " of padding, a window reaches over ", desc.dilation[k] * (desc.kernel[k] - 1) + 1);
  return context.error.empty();
}

}  // namespace ops
}  // namespace fovea
