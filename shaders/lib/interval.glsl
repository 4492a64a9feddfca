// Ranges [x, y] of what an expression may be: of integers and reals, and of booleans as 0 and 1. Each contains every value that
// the operands' ranges allow, whatever is lost in between.
#ifndef FOVEA_INTERVAL_GLSL
#define FOVEA_INTERVAL_GLSL

// Any integer at all. Sums and products stay sound by going no further than half of 32 bits.
const ivec2 ANY_INTEGER = ivec2(-0x7fffffff, 0x7fffffff);
const int MOST_INTEGER = 0x1fffffff;
bool is_large(ivec2 a) { return a.x < -MOST_INTEGER || a.y > MOST_INTEGER; }

ivec2 range_not(ivec2 a) { return 1 - a.yx; }
ivec2 range_and(ivec2 a, ivec2 b) { return min(a, b); }
ivec2 range_or(ivec2 a, ivec2 b) { return max(a, b); }

ivec2 range_equal(ivec2 a, ivec2 b) { return ivec2(int(a.x == a.y && b.x == b.y && a.x == b.x), int(a.x <= b.y && b.x <= a.y)); }
ivec2 range_equal(vec2 a, vec2 b) { return ivec2(int(a.x == a.y && b.x == b.y && a.x == b.x), int(!(a.x > b.y || b.x > a.y))); }
ivec2 range_xor(ivec2 a, ivec2 b) { return range_not(range_equal(a, b)); }
ivec2 range_less(ivec2 a, ivec2 b) { return ivec2(int(a.y < b.x), int(a.x < b.y)); }
ivec2 range_less(vec2 a, vec2 b) { return ivec2(int(a.y < b.x), int(!(a.x >= b.y))); }

ivec2 range_negative(ivec2 a) { return -a.yx; }
vec2 range_negative(vec2 a) { return -a.yx; }
ivec2 range_sum(ivec2 a, ivec2 b) { return is_large(a) || is_large(b) ? ANY_INTEGER : a + b; }
// A product and a sum may be rounded once or twice.
vec2 widened(vec2 a) { return a + vec2(-4e-7, 4e-7) * abs(a); }
vec2 range_sum(vec2 a, vec2 b) { return widened(a + b); }

ivec2 least_and_most(ivec4 x) { return ivec2(min(min(x.x, x.y), min(x.z, x.w)), max(max(x.x, x.y), max(x.z, x.w))); }
ivec2 range_product(ivec2 a, ivec2 b) {
  vec2 most = vec2(max(abs(float(a.x)), abs(float(a.y))), max(abs(float(b.x)), abs(float(b.y))));
  return most.x * most.y > float(MOST_INTEGER) ? ANY_INTEGER : least_and_most(a.xxyy * b.xyxy);
}
vec2 range_product(vec2 a, vec2 b) {
  vec4 x = a.xxyy * b.xyxy;
  return widened(vec2(min(min(x.x, x.y), min(x.z, x.w)), max(max(x.x, x.y), max(x.z, x.w))));
}
// Towards zero; so it grows with the dividend, and is monotonous in a divisor of one sign.
ivec2 range_quotient(ivec2 a, ivec2 b) { return b.x <= 0 && b.y >= 0 || is_large(a) ? ANY_INTEGER : least_and_most(a.xxyy / b.xyxy); }
// By one positive divisor; else, and of a negative dividend, GLSL says nothing.
ivec2 range_remainder(ivec2 a, ivec2 b) {
  if (a.x < 0 || b.x <= 0 || b.x != b.y) return ANY_INTEGER;
  return a.x / b.x == a.y / b.x ? a % b : ivec2(0, b.x - 1);
}

ivec2 range_abs(ivec2 a) { return a.x >= 0 ? a : a.y <= 0 ? -a.yx : ivec2(0, max(-a.x, a.y)); }
vec2 range_abs(vec2 a) { return a.x >= 0.0 ? a : a.y <= 0.0 ? -a.yx : vec2(0.0, max(-a.x, a.y)); }
ivec2 range_min(ivec2 a, ivec2 b) { return min(a, b); }
vec2 range_min(vec2 a, vec2 b) { return min(a, b); }
ivec2 range_max(ivec2 a, ivec2 b) { return max(a, b); }
vec2 range_max(vec2 a, vec2 b) { return max(a, b); }
ivec2 range_int(vec2 a) { return a.x >= -float(MOST_INTEGER) && a.y <= float(MOST_INTEGER) ? ivec2(a) : ANY_INTEGER; }

ivec2 range_choice(ivec2 condition, ivec2 a, ivec2 b) {
  return condition.x == 1 ? a : condition.y == 0 ? b : ivec2(min(a.x, b.x), max(a.y, b.y));
}
vec2 range_choice(ivec2 condition, vec2 a, vec2 b) {
  return condition.x == 1 ? a : condition.y == 0 ? b : vec2(min(a.x, b.x), max(a.y, b.y));
}

#endif
