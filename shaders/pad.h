#ifndef FOVEA_PAD_H
#define FOVEA_PAD_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define PAD_CONSTANT 0
#define PAD_REFLECT 1
#define PAD_REPLICATE 2
#define PAD_CIRCULAR 3

#define PAD_SPEC(X) \
  X(0, WG, 128) X(1, RANK, 1) X(2, DIVISOR_WORDS, 1) X(3, MODE, PAD_CONSTANT) \
  X(4, PADDED, 1) /* bit k: axis k is padded */ \
  X(5, FILL, 0)   /* the constant, as the element's own bits */
FOVEA_SPEC(PadSpec, PAD_SPEC)

// Words of the push constants: the extents of y on all axes but the outermost, as divisors; of x, cropped, on all axes;
// elements before x on all axes; the strides of x on all axes but the innermost, where it is 1.
#define PAD_WORDS 30

struct PadParams {
  uint n;       // elements of y
  uint x_from;  // offset of the first element that no crop removes
  uint words[PAD_WORDS];
};

FOVEA_SHADER_END
#endif
