#pragma once
// The one elementwise operator: a straight-line program over its operands. The fuse pass merges such programs.

#include "ops/op_def.hpp"
#include "shaders/elementwise.h"

#include <string>
#include <vector>

namespace fovea::ops {

struct ElementwiseStep {
  std::uint8_t code = shader::CODE_COPY;
  std::array<std::uint8_t, 3> operands{};  // register numbers, as shaders/elementwise.h counts them
};

struct ElementwiseAttrs {
  std::vector<ElementwiseStep> steps{{}};
  std::vector<float> scalars{};
  DType result = DType::f32;
  static constexpr std::size_t undescribed = 1;  // the expression tells steps and scalars
};

// Number of operands a code takes.
int arity(std::uint8_t code);
// "gelu(add(x0, x1))"
std::string expression(const ElementwiseAttrs& attrs);

template <class F>
void describe(const ElementwiseAttrs& attrs, F&& field) {
  field("y", expression(attrs));
  field("result", attrs.result);
}

// Whether one launch can do it: operands, scalars, steps and axes within the shader's registers and words.
bool fits(const ElementwiseAttrs& attrs, const Shape& out, std::span<const Shape> in);

// The gradient of a node of one step.
bool elementwise_vjp(Vjp& vjp);

// A value of the same bytes in storage of its own.
Tensor copy(Tensor x);

}  // namespace fovea::ops
