#pragma once
// Public functions as rows, from which tests make what a caller can get wrong: of each a right call, whose operands are made
// wrong (tests/compile/bad_calls.cpp), and calls with wrong extents and attributes (bad_values.cpp). A file keeps its own:
//   const Rows rows{{{"fold", {real({1, 8, 9})}, [](auto& in) { fold(in[0], {...}); }}},
//                   {{"fold", [](Source& x) { fold(x({1, 5, 4}), {...}); }, {"fold", "5"}}}};

#include <fovea/fovea.hpp>

#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea::test::rows {

using Tensors = std::vector<Tensor>;

// ---- Right calls --------------------------------------------------------------------------------------------------

struct Slot {
  DType dtype;
  Shape shape;
  std::vector<DType> wrong;  // types that must be refused
  bool optional = false;
};
inline Slot real(Shape shape) { return {DType::f32, shape, {DType::i32, DType::boolean}}; }
inline Slot index(Shape shape) { return {DType::i32, shape, {DType::f32, DType::boolean}}; }
inline Slot boolean(Shape shape) { return {DType::boolean, shape, {DType::f32, DType::i32}}; }
inline Slot any(Shape shape) { return {DType::f32, shape, {}}; }
inline Slot number(Shape shape) { return {DType::f32, shape, {DType::boolean}}; }  // i32 too
inline Slot maybe(Slot operand) {
  operand.optional = true;
  return operand;
}

struct RightCall {
  const char* function;
  std::vector<Slot> operands;
  std::function<void(const Tensors& in)> make;
  const char* named = nullptr;  // what errors call it, where that is not `function`
  const char* file = nullptr;   // the file that the row stands in, which errors name: filled in
};

// ---- Wrong extents and attributes ---------------------------------------------------------------------------------

inline constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
inline constexpr std::int64_t far = std::int64_t{1} << 40;
template <class Enum>
inline constexpr Enum none = static_cast<Enum>(99);

// Inputs by shape and type.
struct Source {
  Graph graph{};
  int count = 0;
  Tensor make(const Shape& shape, DType dtype) { return graph.input("i" + std::to_string(count++), shape, dtype); }
  Tensor operator()(const Shape& shape) { return make(shape, DType::f32); }
  Tensor i32(const Shape& shape) { return make(shape, DType::i32); }
  Tensor boolean(const Shape& shape) { return make(shape, DType::boolean); }
};

struct WrongCall {
  const char* function;
  std::function<void(Source& x)> make;
  std::vector<std::string> texts;  // that the error must hold
  const char* file = nullptr;      // as RightCall has it
};

// ---- All rows of the program --------------------------------------------------------------------------------------

inline std::vector<RightCall>& right_calls() {
  static std::vector<RightCall> calls;
  return calls;
}
inline std::vector<WrongCall>& wrong_calls() {
  static std::vector<WrongCall> calls;
  return calls;
}

struct Rows {
  Rows(std::vector<RightCall> right, std::vector<WrongCall> wrong, const char* file = __builtin_FILE()) {
    file += std::string_view(file).rfind('/') + 1;
    const auto keep = [&](auto& from, auto& to) {
      for (auto& row : from) {
        row.file = file;
        to.push_back(std::move(row));
      }
    };
    keep(right, right_calls());
    keep(wrong, wrong_calls());
  }
};

}  // namespace fovea::test::rows
