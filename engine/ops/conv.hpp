#pragma once
// What conv and conv_transpose share: geometry over one to three axes, operands, and the rewrites to fewer axes.

#include "ops/vjp.hpp"

#include <functional>

namespace fovea::ops {

// One entry a spatial axis, outermost first.
struct ConvGeometry {
  std::vector<std::int64_t> stride{}, begin{}, end{}, dilation{};
  std::vector<std::int64_t> extra{};  // output_padding of conv_transpose
  std::int64_t groups = 1;

  std::int64_t reach(std::size_t k, std::int64_t kernel) const { return dilation[k] * (kernel - 1) + 1; }
};
template <class F>
void describe(const ConvGeometry& geometry, F&& field) {
  field("stride", geometry.stride);
  field("begin", geometry.begin);
  field("end", geometry.end);
  field("dilation", geometry.dilation);
  field("extra", geometry.extra);
  field("groups", geometry.groups);
}
// The lists of a Desc, and what stands for those not given.
ConvGeometry conv_geometry(Tensor x, const std::vector<std::int64_t>& stride, const std::vector<std::int64_t>& begin,
                           const std::vector<std::int64_t>& end, const std::vector<std::int64_t>& dilation, std::int64_t groups);
ConvDesc conv_desc(const ConvGeometry& geometry, Tensor bias);
ConvTransposeDesc conv_transpose_desc(const ConvGeometry& geometry, Tensor bias);

// Whether weights have an axis of samples in front.
inline bool per_sample(const Shape& x, const Shape& weight) { return weight.rank() == x.rank() + 1; }
// The weight's axis k without that of samples: 0 and 1 are its channels.
inline std::int64_t weight_axis(const Shape& x, const Shape& weight, int k) { return weight[k + per_sample(x, weight)]; }

// Operands and lists, as far as both check them alike; `layout` is the weight's in words. Channels and extents are left.
bool conv_operands_are_right(InferContext& context, const ConvGeometry& geometry, const char* layout);
// The bias, once the channels of the result are known.
bool conv_bias_is_right(InferContext& context, std::int64_t channels);

// The bias [O] or [N,O], or zeros, as large as the result `y`: the result where x or the weight is empty.
Tensor bias_alone(ir::Graph& graph, Tensor bias, const ir::Type& y, CallSite site);

using ConvCall = std::function<Tensor(Tensor x, Tensor weight, Tensor bias, const ConvGeometry& geometry)>;
// Samples with weights of their own as groups of one sample.
Tensor conv_by_groups(Tensor x, Tensor weight, Tensor bias, ConvGeometry geometry, const Shape& y, CallSite site, const ConvCall& call);
// A line as a picture of height 1.
Tensor conv_as_picture(Tensor x, Tensor weight, Tensor bias, ConvGeometry geometry, const Shape& y, CallSite site, const ConvCall& call);

}  // namespace fovea::ops
