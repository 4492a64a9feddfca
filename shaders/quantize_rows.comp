// A row as a scale, with four bits its least element too, and codes: the nearest of x / scale, or of (x - least) / scale.
//
// A lane a row.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "quantize_rows.h"
#include "lib/dtype.glsl"
#include "lib/quantized.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { QuantizeRowsParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { uint y[]; };

bool not_finite(float value) { return (floatBitsToUint(value) & 0x7fffffffu) >= 0x7f800000u; }

void main() {
  uint row = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (row >= p.n) return;
  uint first = row * p.size, to = row * (NUMBERS_A_ROW + p.size / CODES_A_WORD);
  float least = 0.0, most = 0.0;
  bool broken = false;
  for (uint d = 0; d < p.size; ++d) {
    float value = LOAD(x, first + d);
    if (QUANTIZED == QUANTIZED_INT8) value = abs(value);
    broken = broken || not_finite(value);
    least = d == 0 ? value : min(least, value);
    most = d == 0 ? value : max(most, value);
  }
  float scale = QUANTIZED == QUANTIZED_INT8 ? most / 127.0 : (most - least) / 15.0;
  if (broken || not_finite(scale)) scale = QUIET_NAN;
  y[to] = floatBitsToUint(scale);
  if (QUANTIZED == QUANTIZED_INT4) y[to + 1] = floatBitsToUint(least);
  for (uint d = 0; d < p.size; d += CODES_A_WORD) {
    uint word = 0;
    for (uint n = 0; n < CODES_A_WORD; ++n) {
      float value = LOAD(x, first + d + n);
      if (QUANTIZED == QUANTIZED_INT4) value -= least;
      int code = scale > 0.0 ? int(roundEven(value / scale)) : 0;
      code = QUANTIZED == QUANTIZED_INT8 ? clamp(code, -127, 127) : clamp(code, 0, 15);
      word |= (uint(code) & (QUANTIZED == QUANTIZED_INT8 ? 255u : 15u)) << (n * (32 / CODES_A_WORD));
    }
    y[to + NUMBERS_A_ROW + d / CODES_A_WORD] = word;
  }
}
