#version 450
// counts[0..1]: how many iterations ran of two loops one after the other, counts[2]: of a nest. The count is read from a
// buffer, so that no compiler unrolls or folds a loop.
layout(local_size_x = 1) in;
layout(push_constant) uniform Params {
  uint first, second;
  uint outer, inner;
};
layout(binding = 0) buffer Counts { uint one; uint counts[]; };

void main() {
  uint a = 0, b = 0, c = 0;
  for (uint i = 0; i < first; ++i) a += one;
  for (uint i = 0; i < second; ++i) b += one;
  for (uint i = 0; i < outer; ++i)
    for (uint j = 0; j < inner; ++j) c += one;
  counts[0] = a;
  counts[1] = b;
  counts[2] = c;
}
