// A ray-marched still life, with textures and edges of every size: the clean picture that denoising is measured against.
// One invocation a pixel; SAMPLES² rays each. Output [3,H,W] as f32, display-referred (sRGB-encoded, 0..1).
#version 450
layout(local_size_x = 8, local_size_y = 8) in;
layout(set = 0, binding = 0) writeonly buffer Picture { float picture[]; };
layout(push_constant) uniform Camera {
  vec4 eye;      // xyz
  vec4 right;    // xyz, scaled by the half width of the image plane
  vec4 up;       // xyz, scaled by its half height
  vec4 forward;  // xyz
  uint width;
  uint height;
} camera;

const int SAMPLES = 4;
const float FAR = 20.0;

float sphere(vec3 p, vec3 c, float r) { return length(p - c) - r; }
float box(vec3 p, vec3 c, vec3 half_extent, float edge) {
  vec3 q = abs(p - c) - half_extent + edge;
  return length(max(q, 0.0)) + min(max(q.x, max(q.y, q.z)), 0.0) - edge;
}
float torus(vec3 p, vec3 c, float major, float minor) {
  p -= c;
  return length(vec2(length(p.xz) - major, p.y)) - minor;
}

// Distance and material of the nearest surface.
vec2 nearest(vec3 p) {
  vec2 hit = vec2(p.y, 0.0);                                                        // floor
  vec2 wall = vec2(2.6 - p.z, 1.0);
  vec2 ball = vec2(sphere(p, vec3(-1.1, 0.8, 0.6), 0.8), 2.0);
  vec2 small_ball = vec2(sphere(p, vec3(0.15, 0.35, -0.7), 0.35), 3.0);
  vec2 crate = vec2(box(p, vec3(1.2, 0.6, 0.7), vec3(0.6, 0.6, 0.5), 0.03), 4.0);
  vec2 ring = vec2(torus(p, vec3(1.0, 0.16, -0.75), 0.42, 0.15), 5.0);
  if (wall.x < hit.x) hit = wall;
  if (ball.x < hit.x) hit = ball;
  if (small_ball.x < hit.x) hit = small_ball;
  if (crate.x < hit.x) hit = crate;
  if (ring.x < hit.x) hit = ring;
  return hit;
}

vec3 normal_at(vec3 p) {
  const vec2 e = vec2(0.0005, 0.0);
  return normalize(vec3(nearest(p + e.xyy).x - nearest(p - e.xyy).x, nearest(p + e.yxy).x - nearest(p - e.yxy).x,
                        nearest(p + e.yyx).x - nearest(p - e.yyx).x));
}

float stripes(float x) { return smoothstep(-0.06, 0.06, sin(x)); }

vec3 albedo(float material, vec3 p) {
  if (material < 0.5) {  // checkerboard, and thin lines between the tiles
    vec2 cell = floor(p.xz * 2.0), within = abs(fract(p.xz * 2.0) - 0.5);
    float line = smoothstep(0.46, 0.48, max(within.x, within.y));
    vec3 tile = mod(cell.x + cell.y, 2.0) < 0.5 ? vec3(0.72, 0.68, 0.60) : vec3(0.20, 0.24, 0.30);
    return mix(tile, vec3(0.08), line);
  }
  if (material < 1.5) {  // bricks
    vec2 at = p.xy * vec2(1.6, 3.2);
    at.x += mod(floor(at.y), 2.0) * 0.5;
    vec2 within = abs(fract(at) - 0.5);
    float mortar = smoothstep(0.44, 0.46, max(within.x + 0.02, within.y));
    float shade = 0.85 + 0.15 * sin(floor(at.x) * 12.9898 + floor(at.y) * 78.233);
    return mix(vec3(0.55, 0.25, 0.18) * shade, vec3(0.62, 0.60, 0.56), mortar);
  }
  if (material < 2.5) {
    vec3 q = p - vec3(-1.1, 0.8, 0.6);
    return mix(vec3(0.85, 0.75, 0.15), vec3(0.10, 0.25, 0.55), stripes(atan(q.z, q.x) * 8.0 + q.y * 4.0));
  }
  if (material < 3.5) return vec3(0.75, 0.12, 0.10);
  if (material < 4.5) {
    vec3 grain = fract(p * 6.0);
    return mix(vec3(0.55, 0.36, 0.18), vec3(0.40, 0.25, 0.12), smoothstep(0.4, 0.6, abs(grain.y - 0.5) * 2.0));
  }
  vec3 q = p - vec3(1.0, 0.16, -0.75);
  return mix(vec3(0.10, 0.45, 0.25), vec3(0.85, 0.85, 0.80), stripes(atan(q.z, q.x) * 12.0));
}

float march(vec3 origin, vec3 direction, float start, float end) {
  float t = start;
  for (int i = 0; i < 160 && t < end; ++i) {
    float d = nearest(origin + direction * t).x;
    if (d < 0.0005 * t + 0.0002) return t;
    t += d * 0.9;
  }
  return end;
}

float shadow(vec3 origin, vec3 light) {
  float lit = 1.0, t = 0.02;
  for (int i = 0; i < 48 && t < 6.0; ++i) {
    float d = nearest(origin + light * t).x;
    lit = min(lit, 10.0 * d / t);
    if (lit < 0.002) return 0.0;
    t += clamp(d, 0.02, 0.25);
  }
  return lit;
}

float occlusion(vec3 p, vec3 n) {
  float sum = 0.0, weight = 1.0;
  for (int i = 1; i <= 5; ++i) {
    float h = 0.06 * float(i);
    sum += weight * (h - nearest(p + n * h).x);
    weight *= 0.7;
  }
  return clamp(1.0 - 1.6 * sum, 0.0, 1.0);
}

vec3 shade(vec3 origin, vec3 direction) {
  float t = march(origin, direction, 0.05, FAR);
  if (t >= FAR) return mix(vec3(0.65, 0.75, 0.9), vec3(0.25, 0.4, 0.7), clamp(direction.y, 0.0, 1.0));
  vec3 p = origin + direction * t, n = normal_at(p), light = normalize(vec3(-0.5, 0.9, -0.7));
  float material = nearest(p).y;
  float sun = max(dot(n, light), 0.0) * shadow(p + n * 0.002, light);
  float sky = 0.5 + 0.5 * n.y;
  vec3 color = albedo(material, p) * (2.2 * sun * vec3(1.0, 0.93, 0.82) + 0.75 * sky * occlusion(p, n) * vec3(0.75, 0.85, 1.0));
  if (material > 1.5 && material < 3.5)  // the balls shine
    color += 0.6 * sun * pow(max(dot(reflect(-light, n), -direction), 0.0), 40.0);
  return color;
}

vec3 encode_srgb(vec3 c) {
  c = clamp(c, 0.0, 1.0);
  return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

void main() {
  uvec2 pixel = gl_GlobalInvocationID.xy;
  if (pixel.x >= camera.width || pixel.y >= camera.height) return;
  vec3 sum = vec3(0.0);
  for (int s = 0; s < SAMPLES * SAMPLES; ++s) {
    vec2 within = (vec2(s % SAMPLES, s / SAMPLES) + 0.5) / float(SAMPLES);
    vec2 at = (vec2(pixel) + within) / vec2(camera.width, camera.height) * 2.0 - 1.0;
    vec3 direction = normalize(camera.forward.xyz + at.x * camera.right.xyz - at.y * camera.up.xyz);
    sum += clamp(shade(camera.eye.xyz, direction), 0.0, 1.0);
  }
  vec3 color = encode_srgb(sum / float(SAMPLES * SAMPLES));
  uint plane = camera.width * camera.height, i = pixel.y * camera.width + pixel.x;
  picture[i] = color.x;
  picture[plane + i] = color.y;
  picture[2 * plane + i] = color.z;
}
