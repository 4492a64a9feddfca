#version 450
// out[i] = WEIGHT * (a[i] + b[i]) + bias, for i < n
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint WEIGHT = 1;
layout(push_constant) uniform Params {
  uint n;
  float bias;
};
layout(binding = 0) readonly buffer A { float a[]; };
layout(binding = 1) readonly buffer B { float b[]; };
layout(binding = 2) writeonly buffer Out { float result[]; };

void main() {
  uint i = gl_GlobalInvocationID.x;
  if (i >= n) return;
  result[i] = float(WEIGHT) * (a[i] + b[i]) + bias;
}
