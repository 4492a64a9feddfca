#pragma once
// Rows of few bits, for caches of keys and values. Included by ops.hpp.

#include <fovea/tensor.hpp>

#include <cstdint>

namespace fovea {

// A row of x [...,D] becomes words, i32 [...,W]: numbers as the bits of f32, then codes, the first in the lowest bits.
enum class Quantized : std::uint8_t {
  none,
  int8,  // scale; D/4 words of codes -127 to 127:        x' = scale·code,          scale = max|x| / 127
  int4,  // scale, least; D/8 words of codes 0 to 15:     x' = least + scale·code,  scale = (max x - min x) / 15
};
const char* to_string(Quantized kind);

// Codes are the nearest: |x - x'| <= scale/2 (1 + 2^-12) + 2^-23 max|x|, the second term and the factor for arithmetic in f32, where
// the scale is a normal number; one that is less may count as 0, and the row becomes its least, or 0. A row with a NaN or an
// infinity, or an extent that overflows, becomes NaN. x is f32, f16 or bf16. No gradient.
// Errors: another type, `none`, no axis, D that is no multiple of the codes a word (4, 8).
Tensor quantize_rows(Tensor x, Quantized kind, CallSite site = CallSite::here());
// x' in f32, [...,D]. Errors: words that are not i32, `none`, fewer words than a row's numbers.
Tensor dequantize_rows(Tensor words, Quantized kind, CallSite site = CallSite::here());

}  // namespace fovea
