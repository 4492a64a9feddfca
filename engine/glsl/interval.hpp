#pragma once
// What an expression may be over ranges of its names, as GLSL (shaders/lib/interval.glsl): a mask over a block of pairs.

#include "glsl/expression.hpp"

#include <map>

namespace fovea::glsl {

enum class Type { integer, real, boolean };

// A buffer that may be read: the function of GLSL that gives its range over ranges of indices.
struct RangeOf {
  Type type;
  std::string function;
  std::size_t axes;
};

// GLSL of type ivec2, the least and the most of 0 and 1 that a boolean expression takes while its names run over ranges, which
// `integers` gives as GLSL. Empty: nothing better than both is known.
std::string boolean_range(const Expression& expression, const std::map<std::string, std::string>& integers,
                          const std::map<std::string, RangeOf>& buffers);

}  // namespace fovea::glsl
