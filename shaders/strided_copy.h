// Copies a region between buffers, each walked with strides of its own: permute, slice, broadcast_to, concat, unfold.
#ifndef FOVEA_STRIDED_COPY_H
#define FOVEA_STRIDED_COPY_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define STRIDED_COPY_SPEC(X) \
  X(0, WG, 128) X(1, RANK, 1) X(2, DIVISOR_WORDS, 1) X(3, DENSE, 1) /* y is written in order from its beginning */
FOVEA_SPEC(StridedCopySpec, STRIDED_COPY_SPEC)

// Words of the push constants: extents of all axes but the outermost, as divisors; the strides of x; those of y unless
// DENSE. All in units of the variant. Strides wrap: a negative one is its two's complement.
#define STRIDED_COPY_WORDS 29

struct StridedCopyParams {
  uint n;       // units to copy
  uint x_from;  // offsets of the first unit
  uint y_from;
  uint words[STRIDED_COPY_WORDS];
};

FOVEA_SHADER_END
#endif
