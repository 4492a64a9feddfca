// y[output] = reduction of x over the reduced axes: sums, extrema, products, norms, log-sum-exp, variance, arg-extrema.
//
// LANES = 1: an invocation an output, or a chunk of one (CPU drivers; short rows; outputs along the innermost axis, where
// neighbouring invocations read neighbouring elements). LANES = WG: a workgroup an output or chunk, whose invocations
// stride over the elements and meet in shared memory. Long reductions to few outputs run twice: chunks to states in
// scratch, states to results.
//
// Accuracy: blocks of 64 elements are summed plainly, four sums side by side, and block sums with compensation (Kahan
// 1965, in Neumaier's order), so that the error does not grow with n. Variance takes two passes over a block, whose
// moments merge by Chan, Golub & LeVeque 1979. Everything is done in a fixed order: results repeat bit for bit.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "reduce.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { ReduceParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 0) readonly buffer X4 { STORE_T4 x4[]; };
layout(set = 0, binding = 0) readonly buffer States { uint states[]; };
layout(set = 0, binding = 1) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 1) writeonly buffer Words { uint words[]; };  // positions, and states of chunks

const bool ARG = OP == REDUCE_ARGMAX || OP == REDUCE_ARGMIN;
const bool FLIP = OP == REDUCE_MIN || OP == REDUCE_ARGMIN;  // min x = -max -x
const bool EXTREMUM = OP == REDUCE_MAX || OP == REDUCE_MIN;
const bool SUM = OP == REDUCE_SUM || OP == REDUCE_MEAN || OP == REDUCE_LOG_SUM || OP == REDUCE_L1 || OP == REDUCE_L2 ||
                 OP == REDUCE_SUM_SQUARE;
const uint NOWHERE = 0xffffffffu;

// Sums: a + b, b being what rounding lost. Extrema, product: a. Log-sum-exp: sum of exp(x - a) is b. Variance: mean a,
// squared deviations b, count n. Arg-extrema: a stands at n.
struct State { float a; float b; uint n; };

State identity() {
  float a = EXTREMUM || ARG || OP == REDUCE_LOGSUMEXP ? NEGATIVE_INFINITY : OP == REDUCE_PROD ? 1.0 : 0.0;
  return State(a, 0.0, ARG ? NOWHERE : 0);
}

// What log-sum-exp subtracts: inf - inf must not arise.
float shift_of(float m) { return abs(m) == POSITIVE_INFINITY ? 0.0 : m; }

// NaN beats numbers; of equals the first stays.
bool beats(float value, uint at, State s) {
  bool nan = is_nan(value), nan_before = is_nan(s.a);
  bool equal = nan ? nan_before : value == s.a;
  return equal ? at < s.n : nan || (!nan_before && value > s.a);
}

State merge(State s, State t) {
  if (SUM) {
    precise float sum = s.a + t.a;
    precise float lost = abs(s.a) >= abs(t.a) ? (s.a - sum) + t.a : (t.a - sum) + s.a;
    return State(sum, s.b + t.b + lost, 0);
  }
  if (OP == REDUCE_PROD) return State(s.a * t.a, 0.0, 0);
  if (OP == REDUCE_VARIANCE) {
    uint n = s.n + t.n;
    float delta = s.n == 0 || t.n == 0 ? 0.0 : t.a - s.a, share = float(t.n) / float(max(n, 1));
    return State(s.n == 0 ? t.a : s.a + delta * share, s.b + t.b + delta * delta * float(s.n) * share, n);
  }
  if (ARG) {
    if (beats(t.a, t.n, s)) return t;
    return s;
  }
  float m = max_nan(s.a, t.a);
  if (EXTREMUM) return State(m, 0.0, 0);
  float left = s.a == m ? s.b : s.b * exp(s.a - shift_of(m)), right = t.a == m ? t.b : t.b * exp(t.a - shift_of(m));
  return State(m, left + right, 0);
}

// ---- Where elements stand -----------------------------------------------------------------------------------------

// Offset of element i of the kept or (first_axis = REDUCE_AXES) of the reduced index space.
uint offset_of(uint i, uint first_axis, uint axes) {
  uint offset = 0, rest = i;
  [[unroll]] for (uint k = 0; k < axes; ++k) {
    uint axis = first_axis + axes - 1 - k, at = rest;
    if (k + 1 < axes) at = rest % p.extents[axis], rest /= p.extents[axis];
    offset += at * p.strides[axis];
  }
  return offset;
}

// An invocation walks units of one element, or of four with VEC: unit k stands at `start + k * hop` of the reduced index
// space. Within a block units are evenly spaced in x too, unless GATHER.
const bool GATHER = LANES > 1 && REDUCED > 1;
const uint UNIT = VEC != 0 ? 4 : 1;
const uint FOUR = VEC != 0 ? 1 : 4;      // units of a vec4
const uint BLOCK_UNITS = VEC != 0 ? 16 : 64;  // 64 elements

// ---- A block ------------------------------------------------------------------------------------------------------

// Four elements of the block's units [k, stop); those past the end are `beyond`.
vec4 load4(uint k, uint stop, uint position, uint hop, uint offset, float beyond) {
  vec4 v = vec4(beyond);
  if (VEC != 0) {
    v = LOAD4(x4, (GATHER ? offset + offset_of(position + k * hop, REDUCE_AXES, REDUCED) : offset + k * hop) / 4);
  } else {
    [[unroll]] for (uint c = 0; c < 4; ++c) {
      uint at = min(k + c, stop - 1) * hop;
      float element = LOAD(x, offset + (GATHER ? offset_of(position + at, REDUCE_AXES, REDUCED) : at));
      if (k + c < stop) v[c] = element;
    }
  }
  return v;
}

// The state of `units` >= 1 units from `position` of the reduced index space on, `hop` apart there. `offset` is where
// they start in x and `step` how far they are apart there; with GATHER, where the kept coordinates lead, and hop again.
State block_state(uint units, uint position, uint hop, uint offset, uint step_) {
  const uint PASSES = OP == REDUCE_VARIANCE || OP == REDUCE_LOGSUMEXP ? 2 : 1;
  const bool MAXIMUM = EXTREMUM || OP == REDUCE_LOGSUMEXP;
  State s = identity();
  vec4 total;
  float centre = 0.0;
  for (uint pass = 0; pass < PASSES; ++pass) {
    bool second = PASSES == 2 && pass == 1;
    // The second pass adds (v - mean)^2 or exp(v - max): nothing, at v = mean or -inf.
    float neutral = second ? 0.0 : s.a, beyond = !second ? s.a : OP == REDUCE_VARIANCE ? centre : NEGATIVE_INFINITY;
    if (FLIP) beyond = -beyond;
    total = vec4(neutral);
    uvec4 magnitude = uvec4(0);
    for (uint k = 0; k < units; k += FOUR) {
      vec4 v = load4(k, units, position, step_, offset, beyond);
      if (FLIP) v = -v;
      if (OP == REDUCE_L1) v = abs(v);
      if (OP == REDUCE_L2 || OP == REDUCE_SUM_SQUARE) v *= v;
      if (ARG) {
        [[unroll]] for (uint c = 0; c < 4; ++c) {
          uint at = VEC != 0 ? position + k * hop + c : k + c < units ? position + (k + c) * hop : NOWHERE;
          if (beats(v[c], at, s)) s.a = v[c], s.n = at;
        }
      } else if (OP == REDUCE_PROD) {
        total *= v;
      } else if (MAXIMUM && !second) {
        total = max(total, v);
        magnitude = max(magnitude, floatBitsToUint(v) & 0x7fffffffu);
      } else if (second) {
        v -= centre;
        total += OP == REDUCE_VARIANCE ? v * v : exp(v);
      } else {
        total += v;
      }
    }
    if (OP == REDUCE_PROD) {
      s.a = (total.x * total.y) * (total.z * total.w);
    } else if (MAXIMUM && !second) {
      // A NaN shows in the largest magnitude, taken as an integer; max() may drop it.
      uint largest = max(max(magnitude.x, magnitude.y), max(magnitude.z, magnitude.w));
      s.a = largest > 0x7f800000u ? QUIET_NAN : max(max(total.x, total.y), max(total.z, total.w));
      centre = shift_of(s.a);
    } else if (second) {
      s.b = (total.x + total.y) + (total.z + total.w);
    } else if (!ARG) {
      s.a = (total.x + total.y) + (total.z + total.w);
      if (OP == REDUCE_VARIANCE) s.n = units * UNIT, s.a /= float(s.n), centre = s.a;
    }
  }
  return s;
}

// ---- Results ------------------------------------------------------------------------------------------------------

float result(State s) {
  if (OP == REDUCE_MIN) return -s.a;
  if (OP == REDUCE_MAX || OP == REDUCE_PROD) return s.a;
  if (OP == REDUCE_VARIANCE) return s.b * p.scale;
  if (OP == REDUCE_LOGSUMEXP) return is_nan(s.a) || abs(s.a) == POSITIVE_INFINITY ? s.a : s.a + log_ieee(s.b);
  // Beyond the largest float what rounding lost is NaN.
  float sum = (floatBitsToUint(s.a) & 0x7f800000u) == 0x7f800000u ? s.a : s.a + s.b;
  if (OP == REDUCE_MEAN) return sum * p.scale;
  if (OP == REDUCE_L2) return sqrt(sum);
  if (OP == REDUCE_LOG_SUM) return log_ieee(sum);
  return sum;
}

shared float shared_a[WG], shared_b[WG];
shared uint shared_n[WG];

void main() {
  uint row = LANES == 1 ? FLAT_GROUP * WG + gl_LocalInvocationID.x : FLAT_GROUP;
  uint lane = LANES == 1 ? 0 : gl_LocalInvocationID.x;
  uint states_in_all = p.outputs * p.chunks;
  if (row >= (STAGE == REDUCE_PARTIAL ? states_in_all : p.outputs)) return;  // LANES = WG: the whole workgroup
  uint begin = row / p.outputs * p.chunk, end = min(begin + p.chunk, p.n);
  uint kept = row % p.outputs, origin = STAGE == REDUCE_COMBINE ? 0 : offset_of(kept, 0, KEPT);

  // This invocation's units, or states: of those of the group, every LANES-th.
  uint all = STAGE == REDUCE_COMBINE ? p.chunks : (end - begin) / UNIT;
  uint units = lane < all ? (all - lane - 1) / LANES + 1 : 0;
  State s = identity();
  for (uint k = 0; k < units;) {
    State t;
    if (STAGE == REDUCE_COMBINE) {
      uint at = kept + (lane + k * LANES) * p.outputs;
      t = State(uintBitsToFloat(states[at]), uintBitsToFloat(states[at + states_in_all]), states[at + 2 * states_in_all]);
      ++k;
    } else {
      uint position = begin + (lane + k * LANES) * UNIT, hop = LANES * UNIT, count = min(BLOCK_UNITS, units - k);
      uint offset = origin, step_ = hop;
      if (!GATHER) {
        uint extent = p.extents[REDUCE_AXES + REDUCED - 1], inner = p.strides[REDUCE_AXES + REDUCED - 1];
        // Runs along the innermost reduced axis.
        if (REDUCED > 1) count = min(count, (extent - position % extent) / UNIT);
        offset += offset_of(position, REDUCE_AXES, REDUCED);
        step_ *= inner;
      }
      t = block_state(count, position, hop, offset, step_);
      k += count;
    }
    s = merge(s, t);
  }
  if (LANES > 1) {
    shared_a[lane] = s.a, shared_b[lane] = s.b, shared_n[lane] = s.n;
    barrier();
    for (uint half_lanes = WG / 2; half_lanes > 0; half_lanes /= 2) {
      if (lane < half_lanes) {
        uint other = lane + half_lanes;
        s = merge(s, State(shared_a[other], shared_b[other], shared_n[other]));
        shared_a[lane] = s.a, shared_b[lane] = s.b, shared_n[lane] = s.n;
      }
      barrier();
    }
    if (lane != 0) return;
  }
  if (STAGE == REDUCE_PARTIAL) {
    words[row] = floatBitsToUint(s.a);
    words[row + states_in_all] = floatBitsToUint(s.b);
    words[row + 2 * states_in_all] = s.n;
  } else if (ARG) {
    words[row] = s.n;
  } else {
    STORE(y, row, result(s));
  }
}
