// y = softmax(scale q kᵀ + mask) v by tiles in shared memory, for GPUs; right on any device.
//
// A workgroup of 128 lanes takes 16 ROWS query rows and walks the keys 32 at a time. Its lanes stand in 16 rows and 8
// columns: a lane holds ROWS x 4 scores, for keys 8 apart, and of the same ROWS rows every eighth vec4 of the sum of
// values, so that the running maximum of a row is the same in its 8 lanes and each keeps a part of the running sum.
//   scores: q and k come through shared memory 16 elements of the head at a time: 2 loads a multiply-add of vec4s per 4
//   values: the weights lie in shared memory, v comes 32 elements at a time
// Shared: 16 ROWS (5 + 8) + 160 vec4s and a word, 15,876 bytes with ROWS = 4. Rows of q and k are 5 vec4s apart, not 4: the lanes
// that read one column of 8 rows meet 8 different banks.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_memory_scope_semantics : require  // else an atomic is of the whole device, which needs a feature
#pragma variant WEIGHTS whole dropped ranged paged
#pragma variant DTYPE f32 f16 bf16
#define ATTENTION_STATE 6
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/online_softmax.glsl"
#include "lib/attention.glsl"

const uint LANES = ATTENTION_TILE_LANES, COLUMNS = 8;  // lanes that share a row
const uint TILE_ROWS = LANES / COLUMNS * ROWS, TILE_KEYS = ATTENTION_TILE_KEYS;
const uint CHUNK = 4, PITCH = CHUNK + 1;  // vec4s of q and k at a time, and from row to row
const uint K_AT = TILE_ROWS * PITCH, QK_SIZE = K_AT + TILE_KEYS * PITCH, V_SIZE = TILE_KEYS * COLUMNS;
const uint SUMS = (V_QUADS + COLUMNS - 1) / COLUMNS, MOST_SUMS = 8;  // vec4s of a row's sum in one lane

shared vec4 tile[QK_SIZE > V_SIZE ? QK_SIZE : V_SIZE];  // q and k, then v
shared uint not_finite_slice;  // the last slice of values that held a NaN or an infinity, counted from 1
shared vec4 weights[TILE_ROWS * COLUMNS];  // [row][g]: keys g, g + 8, g + 16, g + 24; before that .x carries a maximum

#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)
#define EACH_KEY [[unroll]] for (uint c = 0; c < 4; ++c)

// Of a neighbourhood, the rows of q that this lane loads.
const uint LOADS = (TILE_ROWS * CHUNK + LANES - 1) / LANES;
uint row_of_load[NEIGHBOURS ? LOADS : 1];

void load_chunk(uint pair, uint first, uint last, uint j0, uint chunk) {
  uint quad = chunk * CHUNK + gl_LocalInvocationID.x % CHUNK;
  bool inside = quad < QUADS;
  [[unroll]] for (uint n = 0; n < TILE_ROWS; n += LANES / CHUNK) {
    uint row = n + gl_LocalInvocationID.x / CHUNK;
    vec4 x = vec4(0.0);
    uint stored = NEIGHBOURS ? row_of_load[n * CHUNK / LANES] : first + row;
    if (inside && row < TILE_ROWS && first + row <= last) x = load_q(pair * p.rows + stored, quad) * p.scale;
    if (row < TILE_ROWS) tile[row * PITCH + gl_LocalInvocationID.x % CHUNK] = x;
  }
  uint key = gl_LocalInvocationID.x / CHUNK;
  vec4 x = vec4(0.0);
  if (inside && j0 + key < p.keys) x = load_k(key_row(pair, j0 + key), quad);
  tile[K_AT + key * PITCH + gl_LocalInvocationID.x % CHUNK] = x;
}

void load_values(uint pair, uint j0, uint slice, uint number) {
  [[unroll]] for (uint n = 0; n < V_SIZE; n += LANES) {
    uint at = n + gl_LocalInvocationID.x, key = j0 + at / COLUMNS, quad = slice * COLUMNS + at % COLUMNS;
    vec4 x = vec4(0.0);
    if (quad < V_QUADS && key < p.keys) x = load_v(key_row(pair, key), quad);
    if (FORBIDS && not_finite(x)) atomicMax(not_finite_slice, number, gl_ScopeWorkgroup, 0, 0);
    tile[at] = x;
  }
}

// Slice t of the values: 32 keys by 8 vec4s. By hand, because a compiler that unrolls loops from the inside leaves one
// around a loop rolled, and the sums would then lie in memory.
#define ADD_VALUES(t, factor)                                 \
  [[dont_unroll]] for (uint g = 0; g < COLUMNS; ++g) {        \
    vec4 w[ROWS];                                             \
    EACH_ROW w[r] = weights[(own + r) * COLUMNS + g];         \
    EACH_KEY {                                                \
      vec4 x = tile[(g + COLUMNS * c) * COLUMNS + column];    \
      EACH_ROW sum[r][t] += w[r][c] * factor;                 \
    }                                                         \
  }
#define VALUES(t)                                             \
  if (t < SUMS) {                                             \
    barrier(); /* t = 0: the weights are written, too */      \
    load_values(pair, j0, t, ++slices);                       \
    barrier();                                                \
    if (FORBIDS && not_finite_slice == slices)                \
      ADD_VALUES(t, seen(x, w[r][c]))                         \
    else                                                      \
      ADD_VALUES(t, x)                                        \
  }

void attend(uint group) {
  uint pair = group / p.row_blocks;
  // The last rows first: under a causal mask they take longest.
  uint owner = p.row_blocks - 1 - group % p.row_blocks, first = owner * TILE_ROWS;
  uint last = min(first + TILE_ROWS, p.rows) - 1;
  uint column = gl_LocalInvocationID.x % COLUMNS, own = gl_LocalInvocationID.x / COLUMNS * ROWS;  // of the tile's rows
  QueryRow at[ROWS];
  OnlineSoftmax state[ROWS];
  vec4 sum[ROWS][MOST_SUMS];
  EACH_ROW {
    at[r] = query_row(pair, placed(min(first + own + r, last)));
    state[r] = online_softmax_start();
    [[unroll]] for (uint t = 0; t < SUMS; ++t) sum[r][t] = vec4(0.0);
  }

  if (NEIGHBOURS)
    [[unroll]] for (uint n = 0; n < LOADS; ++n) row_of_load[n] = placed(min(first + n * (LANES / CHUNK) + gl_LocalInvocationID.x / CHUNK, last));

  uint slices = 0;
  if (gl_LocalInvocationID.x == 0) not_finite_slice = 0;
  KeyRange keys = visible_keys(pair, first, last);
  Walk walk = walk_of(pair, owner, first, last, keys.begin, keys.end, p.keys, TILE_KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, TILE_KEYS);
    uint j0 = step.at;
    if (out_of_range(keys, j0, TILE_KEYS)) continue;
    EACH_ROW enter(at[r], step);
    vec4 score[ROWS];
    EACH_ROW score[r] = vec4(0.0);
    for (uint chunk = 0; chunk < (QUADS + CHUNK - 1) / CHUNK; ++chunk) {
      barrier();  // the tile's last readers are done
      load_chunk(pair, first, last, j0, chunk);
      barrier();
      [[dont_unroll]] for (uint d = 0; d < CHUNK; ++d) {
        vec4 x[4];
        EACH_KEY x[c] = tile[K_AT + (column + COLUMNS * c) * PITCH + d];
        EACH_ROW {
          vec4 query = tile[(own + r) * PITCH + d];
          EACH_KEY score[r][c] += dot(query, x[c]);
        }
      }
    }
    EACH_ROW EACH_KEY {
      uint key = j0 + column + COLUMNS * c;
      float s = changed(capped(score[r][c]), at[r], min(key, p.keys - 1));
      score[r][c] = key < p.keys && in_band(at[r], key) ? s : NEGATIVE_INFINITY;
    }

    EACH_ROW weights[(own + r) * COLUMNS + column].x = max(max(score[r].x, score[r].y), max(score[r].z, score[r].w));
    barrier();
    float to[ROWS];
    EACH_ROW to[r] = state[r].m;
    [[dont_unroll]] for (uint g = 0; g < COLUMNS; ++g) EACH_ROW to[r] = max(to[r], weights[(own + r) * COLUMNS + g].x);
    barrier();  // the maxima are read, the weights take their place
    EACH_ROW {
      float keep = raise_to(state[r], to[r]);
      EACH_KEY score[r][c] = weight_of(state[r], score[r][c]);
      state[r].l += (score[r].x + score[r].y) + (score[r].z + score[r].w);
      EACH_KEY score[r][c] = used(score[r][c], at[r], min(j0 + column + COLUMNS * c, p.keys - 1));
      weights[(own + r) * COLUMNS + column] = score[r];
      [[unroll]] for (uint t = 0; t < SUMS; ++t) sum[r][t] *= keep;
    }

    VALUES(0) VALUES(1) VALUES(2) VALUES(3) VALUES(4) VALUES(5) VALUES(6) VALUES(7)
  }

  EACH_ROW settle(state[r]);
  barrier();
  EACH_ROW weights[(own + r) * COLUMNS + column].x = state[r].l;
  barrier();
  EACH_ROW state[r].l = 0.0;
  [[dont_unroll]] for (uint g = 0; g < COLUMNS; ++g) EACH_ROW state[r].l += weights[(own + r) * COLUMNS + g].x;
  EACH_ROW {
    uint row = pair * p.rows + placed(first + own + r);
    if (first + own + r <= last) {
      [[unroll]] for (uint t = 0; t < SUMS; ++t)
        if (t * COLUMNS + column < V_QUADS) store_y(row, t * COLUMNS + column, result_of(state[r], sum[r][t]));
      if (LSE != 0 && column == 0) lse[row] = log_sum_exp(state[r]);
    }
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) attend(FLAT_GROUP);  // the whole workgroup
}
