// What the attention kernels share: shapes, the band of visible keys, the mask.
#ifndef FOVEA_ATTENTION_H
#define FOVEA_ATTENTION_H
#include "lib/quantized.h"
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// Values of MASK: none, words (true = attend), f32 added to the score, the storage type added to the score.
#define ATTENTION_MASK_NONE 0
#define ATTENTION_MASK_BOOLEAN 1
#define ATTENTION_MASK_F32 2
#define ATTENTION_MASK_STORAGE 3

// attention_tile: a workgroup's lanes, and keys a step.
#define ATTENTION_TILE_LANES 128
#define ATTENTION_TILE_KEYS 32

// Values of MODE: the modified score; the gradient of the score; what a read takes of the gradient; the index of a read, flat;
// the factor of a weight.
#define ATTENTION_MOD_SCORE 0
#define ATTENTION_MOD_SLOPE 1
#define ATTENTION_MOD_SITE 2
#define ATTENTION_MOD_INDEX 3
#define ATTENTION_MOD_FACTOR 4
// Specialisation constants from here on: the extents of an author's buffers, axis by axis.
#define ATTENTION_MOD_EXTENTS 29
// Rows of the other side in a block that an author's mask may exclude whole; a multiple of every step (KEYS).
#define ATTENTION_BLOCK 32
// Values of BLOCKS: all are walked; lists say which, one for all pairs; a list each pair.
#define ATTENTION_BLOCKS_ALL 0
#define ATTENTION_BLOCKS_SHARED 1
#define ATTENTION_BLOCKS_BY_PAIR 2
// Values of MODE in attention_blocks: what mask_mod says of each block; lists of those that some pair is seen in.
#define ATTENTION_BLOCKS_FIND 0
#define ATTENTION_BLOCKS_PACK 1

// Values of MODE in attention_row: the last step of KEYS keys passes the end of the keys, or it may.
#define ATTENTION_STEPS_MAY_PASS_END 0
#define ATTENTION_STEPS_WHOLE 1

// Values of MODE in attention_backward_mask: what the pairs give; parts of that.
#define ATTENTION_MASK_OF_PAIRS 0
#define ATTENTION_MASK_OF_PARTS 1

// Values of MODE in attention_backward_queries: makes the pairs; sums dq from them.
#define ATTENTION_QUERIES_PAIRS 0
#define ATTENTION_QUERIES_SUM 1

// Values of EDGE: there is no neighbourhood; its windows are clipped, or shifted (fovea/ops/neighbourhood.hpp).
#define ATTENTION_EDGE_NONE 0
#define ATTENTION_EDGE_CLIPPED 1
#define ATTENTION_EDGE_SHIFTED 2

// Values of SIDE: dq, or dk and dv.
#define ATTENTION_BACKWARD_QUERIES 0
#define ATTENTION_BACKWARD_KEYS 1

#define ATTENTION_SPEC(X) \
  X(0, WG, 128) \
  X(1, D, 64)       /* head size of q and k */ \
  X(2, DV, 64)      /* head size of v */ \
  X(3, ROWS, 1)     /* query rows a lane; attention_blocks: owned rows in a block */ \
  X(4, KEYS, 4)     /* keys a step (attention_row); rows of the other side (attention_backward) */ \
  X(5, MASK, 0) \
  X(6, BAND, 0)     /* causal or windowed: band_low and band_high hold */ \
  X(7, SOFTCAP, 0) \
  X(8, LSE, 0)      /* binding 5 takes the log-sum-exp; attention_backward: binding 6 takes dq or dk */ \
  X(9, SIDE, 0)     /* attention_backward: what a lane owns, and so which gradients it sums */ \
  X(10, FULL_AXES, 0) /* attention_backward_mask: bit n: the mask is not broadcast along axis n of [B,H,Lq,Lk]; attention_mod */ \
  X(11, NORMALIZE, 1) /* 0: the weights are the scores themselves, 0 where a key is excluded */ \
  X(12, MODE, 0)      /* attention_mod: what it computes; attention_backward_mask: what it adds up; attention_backward_queries: which of its two; attention_row: the last step */ \
  X(13, SITE, 0)      /* attention_mod, attention_backward_mask: a read of an author's buffer, from 1; 0: the mask */ \
  X(14, BLOCKS, 0) \
  X(15, PARTS, 1)     /* attention_parts, attention_merge: of the keys; attention_backward_mask: of an element's sum */ \
  X(16, SUBGROUP, 32) /* attention_matrix: lanes of a subgroup; the matrices that it multiplies are M x K and K x N */ \
  X(17, MATRIX_M, 16) \
  X(18, MATRIX_N, 16) \
  X(19, MATRIX_K, 16) \
  X(20, RANGES, 0)    /* attention_backward: the statistics hold a row's range of keys; with pages: there are ranges */ \
  X(21, QUANTIZED, 0) /* k and v are words of codes (lib/quantized.glsl) */ \
  X(22, TEAM, 1)      /* attention_split: that share a row */ \
  X(23, EDGE, 0)      /* and, of a neighbourhood (lib/neighbourhood.glsl): */ \
  X(24, BIAS, 0)      /* the mask is a table of the window */ \
  X(25, RADIUS_Y, 0) \
  X(26, RADIUS_X, 0) \
  X(27, TILE_Y, 1)    /* owned rows that lie together */ \
  X(28, TILE_X, 1)
FOVEA_SPEC(AttentionSpec, ATTENTION_SPEC)

// Query heads that share a key head lie one after another in q, so that they are one matrix of
// rows = heads / key_heads * queries rows beside one of keys; `pairs` counts such matrices: batch * key_heads.
struct AttentionParams {
  uint pairs, row_blocks;  // workgroups: pairs * row_blocks, blocks of what the lanes own
  uint rows, queries, keys;
  uint heads, key_heads;
  float scale, softcap;
  int band_low, band_high;  // query i sees keys i + band_low <= j <= i + band_high
  uint mask_b, mask_h, mask_i, mask_j;  // elements from one batch, head, query, key to the next
  float keep_probability;  // of a weight, under dropout
  uint stream;             // of its draws
  uint range_b, range_h, range_i;  // numbers from one batch, head, query to the next
  uint page, pages;        // keys a page, and pages in all; attention_backward_queries, _keys: the launch's first row, and first pair;
                           // attention_backward_mask: in `pages`, the parts of an element's sum that the launch before left
  // A neighbourhood, beside which there are neither ranges nor pages, has in their places the columns of the queries' grid (range_b) and
  // of the keys' (range_h), and its offset, by two's complement (y: range_i, x: page): push constants have no room for more, for
  // addresses follow these 88 bytes.
};

FOVEA_SHADER_END
#endif
