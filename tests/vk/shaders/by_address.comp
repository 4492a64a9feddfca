#version 450
#extension GL_EXT_buffer_reference : require
layout(local_size_x = 1) in;
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer In { float x[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Out { float x[]; };
layout(push_constant) uniform Push {
  uint n;
  In x;
  Out y;
};
layout(set = 0, binding = 0) readonly buffer X { float bound_x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float bound_y[]; };
void main() {
  if (gl_GlobalInvocationID.x < n) y.x[gl_GlobalInvocationID.x] = 2.0 * x.x[gl_GlobalInvocationID.x];
}
