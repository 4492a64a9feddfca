#pragma once
// Shapes, element types, and the handle that stands for a value in a Graph.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace fovea {

namespace ir {
struct Graph;
}

// Element types as they are stored in a buffer. Kernels accumulate in f32 whatever the storage.
enum class DType : std::uint8_t {
  f32,
  f16,      // IEEE 754 binary16; needs a device with 16-bit storage
  bf16,     // bfloat16, the upper half of an f32; needs the same
  i32,      // indices
  boolean,  // one 32-bit word an element, 0 or 1: Vulkan 1.1 has no byte storage that every device offers
};

const char* to_string(DType dtype);
// Bytes of one element in a buffer.
std::size_t size_of(DType dtype);

inline constexpr int max_rank = 8;

// Extents of a dense row-major tensor, outermost first. Extents may be 0 (an empty tensor); a scalar has rank 0.
class Shape {
 public:
  Shape() = default;
  // More than max_rank extents, or a negative one, makes an invalid shape, which the operator that receives it reports.
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  bool valid() const { return rank_ >= 0; }
  // axis in [0, rank).
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  std::int64_t& operator[](int axis) { return extents_[static_cast<std::size_t>(axis)]; }
  // axis in [-rank, rank): -1 is the innermost.
  std::int64_t at(int axis) const { return (*this)[axis < 0 ? axis + rank_ : axis]; }
  std::span<const std::int64_t> extents() const { return {extents_.data(), static_cast<std::size_t>(rank_ < 0 ? 0 : rank_)}; }
  // Number of elements; 1 for a scalar; saturates at INT64_MAX.
  std::int64_t elements() const;
  bool operator==(const Shape&) const = default;
  friend std::string to_string(const Shape& shape);

 private:
  int rank_ = 0;  // of an invalid shape -1 - rank, with the extents where they are not too many: for messages
  std::array<std::int64_t, max_rank> extents_{};
};

// "[2,8,128,64]"; of an invalid shape the extents as they were given, or "9 axes".
std::string to_string(const Shape& shape);

// Where in the caller's source an operator was asked for; errors and the Program name it. Filled in by default.
struct CallSite {
  const char* file = "";
  int line = 0;
  static constexpr CallSite here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

// A value in a Graph: a graph and a number, copied freely, valid while the Graph lives. A default-made Tensor is
// absent (an optional operand not given). After the graph's first error every Tensor it makes is f32[0].
class Tensor {
 public:
  Tensor() = default;
  Tensor(ir::Graph* graph, std::uint32_t id) : graph_(graph), id_(id) {}

  explicit operator bool() const { return graph_ != nullptr; }
  const Shape& shape() const;
  DType dtype() const;
  // The extent along an axis, which may be negative: -1 is the innermost. Of an axis that is not there, an error of the graph, and 1; 1
  // of every tensor of a graph that has an error, so that what is computed with it goes on to where the error is told.
  std::int64_t dim(int axis, CallSite site = CallSite::here()) const;

  ir::Graph* graph() const { return graph_; }
  std::uint32_t id() const { return id_; }
  bool operator==(const Tensor&) const = default;

 private:
  ir::Graph* graph_ = nullptr;
  std::uint32_t id_ = UINT32_MAX;
};

}  // namespace fovea
