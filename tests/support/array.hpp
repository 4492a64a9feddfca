#pragma once
// Host arrays for tests: a shape and its values in a chosen arithmetic. References are templates over that arithmetic,
// so that the same naive loops give the double reference and, in float, the error that single precision makes.

#include <fovea/tensor.hpp>

#include <cstdint>
#include <random>
#include <vector>

namespace fovea::test {

template <class T>
struct Array {
  Shape shape{};
  std::vector<T> values{};

  Array() = default;
  explicit Array(Shape s, T fill = T(0)) : shape(s), values(static_cast<std::size_t>(s.elements()), fill) {}
  Array(Shape s, std::vector<T> v) : shape(s), values(std::move(v)) {}

  std::int64_t dim(int axis) const { return shape.at(axis); }
  std::int64_t size() const { return static_cast<std::int64_t>(values.size()); }
  // Row-major element: x.at({n, c, y, x}).
  T& at(std::initializer_list<std::int64_t> index) { return values[flat(index)]; }
  const T& at(std::initializer_list<std::int64_t> index) const { return values[flat(index)]; }
  T& operator[](std::int64_t i) { return values[static_cast<std::size_t>(i)]; }
  const T& operator[](std::int64_t i) const { return values[static_cast<std::size_t>(i)]; }

 private:
  std::size_t flat(std::initializer_list<std::int64_t> index) const {
    std::int64_t at = 0;
    int axis = 0;
    for (std::int64_t i : index) at = at * shape[axis++] + i;
    return static_cast<std::size_t>(at);
  }
};

// The multi-index of element i of a shape.
inline std::vector<std::int64_t> unflatten(std::int64_t i, const Shape& shape) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = i % shape[axis];
    i /= shape[axis];
  }
  return index;
}
// The flat offset of a multi-index in an array that broadcasts to it.
inline std::int64_t broadcast_offset(const std::vector<std::int64_t>& index, const Shape& from) {
  std::int64_t offset = 0;
  const int skip = static_cast<int>(index.size()) - from.rank();
  for (int axis = 0; axis < from.rank(); ++axis)
    offset = offset * from[axis] + (from[axis] == 1 ? 0 : index[static_cast<std::size_t>(axis + skip)]);
  return offset;
}

// A host operand: values kept as doubles (exact for every dtype), rounded to `dtype` when used.
struct Operand {
  Array<double> array;
  DType dtype = DType::f32;
  bool follows = true;  // f32 operands take the storage type under test (f32, f16, bf16); false: stays as it is
};

// Uniform in [low, high), rounded to f32; the same numbers for the same seed everywhere.
Operand random(Shape shape, double low = -1, double high = 1, std::uint32_t seed = 1);
// Whole numbers in [low, high].
Operand random_i32(Shape shape, std::int64_t low, std::int64_t high, std::uint32_t seed = 1);
// true with this probability.
Operand random_boolean(Shape shape, double probability = 0.5, std::uint32_t seed = 1);
Operand values(Shape shape, std::vector<double> values, DType dtype = DType::f32);

}  // namespace fovea::test
