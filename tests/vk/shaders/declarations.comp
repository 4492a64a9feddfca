#version 450
#extension GL_EXT_shader_16bit_storage : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// One of each declaration that reflect() reads; some of them used by nothing.
layout(local_size_x_id = 0, local_size_y_id = 3) in;
layout(constant_id = 1) const uint COUNT = 4;
layout(constant_id = 2) const bool UNUSED = false;

struct Nested {
  uint extents[8];
  float scale;
};
layout(push_constant) uniform Params {
  uint n;
  Nested nested;
  uint last;
};
layout(binding = 0) readonly buffer In { float16_t values[]; };
layout(binding = 1) buffer Unused { float unused[]; };
layout(binding = 2) writeonly buffer Out { float result[]; };
layout(binding = 4) buffer Mixed { readonly uint header; float body[]; };
// The same bytes as binding 0, seen as words.
layout(binding = 0) readonly buffer InWords { uint words[]; };

void main() {
  uint i = gl_GlobalInvocationID.x;
  float sum = subgroupAdd(float(values[i]));
  result[i] = sum * nested.scale + float(COUNT + words[i] + header + last + n) + body[i];
}
