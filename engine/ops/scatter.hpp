#pragma once
// Scattering as other operators' gradients need it.

#include "ops/op_def.hpp"

namespace fovea::ops {

enum class ScatterMode : std::uint8_t { add, replace };
const char* to_string(ScatterMode mode);

struct ScatterAttrs {
  ScatterMode mode = ScatterMode::add;
  std::int64_t axis = 0;
  std::int64_t extent = 0;  // of the result along the axis
  bool shared = false;      // index [n] serves every line along the axis; else it has the shape of updates
};

// Updates onto x, or onto zeros where x is absent. No index is negative; one from `extent` on writes nowhere.
Tensor scatter_onto(Tensor x, Tensor index, Tensor updates, const ScatterAttrs& attrs, CallSite site);

// Negative indices counted from the end; what is out of range becomes `extent`.
Tensor wrapped_index(Tensor index, std::int64_t extent, CallSite site);

}  // namespace fovea::ops
