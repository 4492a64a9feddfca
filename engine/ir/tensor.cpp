#include <fovea/tensor.hpp>

#include "base/enum_name.hpp"
#include "base/text.hpp"
#include "ir/graph.hpp"

#include <algorithm>
#include <climits>
#include <iterator>

namespace fovea {

const char* to_string(DType dtype) {
  static constexpr const char* names[] = {"f32", "f16", "bf16", "i32", "boolean"};
  static_assert(std::size(names) == static_cast<std::size_t>(DType::boolean) + 1);
  return enum_name(names, dtype);
}

std::size_t size_of(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16 ? 2 : 4; }

Shape::Shape(std::span<const std::int64_t> extents) {
  const bool fits = extents.size() <= static_cast<std::size_t>(max_rank);
  rank_ = static_cast<int>(std::min<std::size_t>(extents.size(), INT_MAX - 1));
  if (fits) std::ranges::copy(extents, extents_.begin());
  if (!fits || std::ranges::any_of(extents, [](std::int64_t extent) { return extent < 0; })) rank_ = -1 - rank_;
}

std::int64_t Shape::elements() const {
  std::int64_t count = 1;
  bool overflow = false;
  for (std::int64_t extent : extents()) {
    if (extent == 0) return 0;
    overflow |= __builtin_mul_overflow(count, extent, &count);
  }
  return overflow ? INT64_MAX : count;
}

std::string to_string(const Shape& shape) {
  const int rank = shape.valid() ? shape.rank_ : -1 - shape.rank_;
  if (rank > max_rank) return std::to_string(rank) + " axes";
  std::string text = "[";
  for (int axis = 0; axis < rank; ++axis) {
    if (axis > 0) text += ',';
    text += std::to_string(shape[axis]);
  }
  return text + ']';
}

namespace {
const ir::Type failed_type{Shape{0}, DType::f32};
}

const Shape& Tensor::shape() const { return id_ == ir::none ? failed_type.shape : graph_->value(id_).type.shape; }
std::int64_t Tensor::dim(int axis, CallSite site) const {
  const int rank = shape().rank();
  if (graph_ && !graph_->error && axis >= -rank && axis < rank) return shape().at(axis);
  if (graph_) graph_->fail(cat("dim: no axis ", axis, " in ", to_string(dtype()), to_string(shape())), site);
  return 1;
}
DType Tensor::dtype() const { return id_ == ir::none ? failed_type.dtype : graph_->value(id_).type.dtype; }

}  // namespace fovea
