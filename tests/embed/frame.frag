#version 450
// Each pixel tells where it is: column + 256 * row.
layout(location = 0) out float value;
void main() {
  vec2 pixel = floor(gl_FragCoord.xy);
  value = pixel.x + 256 * pixel.y;
}
