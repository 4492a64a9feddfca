#ifndef FOVEA_QUANTIZE_ROWS_H
#define FOVEA_QUANTIZE_ROWS_H
#include "lib/quantized.h"
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define QUANTIZE_ROWS_SPEC(X) X(0, WG, 128) X(1, QUANTIZED, 1)
FOVEA_SPEC(QuantizeRowsSpec, QUANTIZE_ROWS_SPEC)

struct QuantizeRowsParams {
  uint n;     // rows, or words of codes
  uint size;  // elements of a row
};

FOVEA_SHADER_END
#endif
