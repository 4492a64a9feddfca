#version 450
// A triangle over the upper left half of the picture.
const vec2 corners[3] = vec2[](vec2(-1, -1), vec2(1, -1), vec2(-1, 1));
void main() { gl_Position = vec4(corners[gl_VertexIndex], 0, 1); }
