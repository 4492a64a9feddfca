// What the matmul kernels share: the offsets of a batch, and how a sum becomes a result. Include after FOVEA_SPEC.
#ifndef FOVEA_MATMUL_GLSL
#define FOVEA_MATMUL_GLSL

#ifndef MATMUL_ADDRESSES  // of operands, behind the parameters
#define MATMUL_ADDRESSES
#endif
layout(push_constant) uniform Push { MatmulParams p; MATMUL_ADDRESSES };
layout(set = 0, binding = 2) readonly buffer Bias { STORE_T bias[]; };
layout(set = 0, binding = 3) writeonly buffer Y { STORE_T y[]; };

// First elements of a batch.
struct Base {
  uint a, b, bias;
};

Base base_of(uint batch) {
  Base base = Base(0, 0, 0);
  [[unroll]] for (uint i = 0; i < RANK; ++i) {  // from the innermost axis
    uint axis = RANK - 1 - i, strides = RANK - 1 + axis, at = batch;
    if (axis > 0) {
      uint extent = p.words[axis - 1];
      at = batch % extent;
      batch /= extent;
    }
    base.a += at * p.words[strides];
    base.b += at * p.words[strides + RANK];
    base.bias += at * p.words[strides + 2 * RANK];
  }
  return base;
}

float finish(float sum, uint bias_at) {
  return activate(ACTIVATION, p.alpha * sum + (BIAS != 0 ? p.beta * LOAD(bias, bias_at) : 0.0));
}

#endif
