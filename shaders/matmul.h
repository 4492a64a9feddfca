// What the kernels of matmul share: y[m,n] = activation(alpha * sum_k a[m,k] b[k,n] + beta * bias[m,n]) for every batch.
#ifndef FOVEA_MATMUL_H
#define FOVEA_MATMUL_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// Constants of every kernel; a kernel's own follow from id 8.
#define MATMUL_COMMON_SPEC(X) \
  X(0, WG, 128) \
  X(1, A_TRANSPOSED, 0) /* a is [K,M] */ \
  X(2, B_TRANSPOSED, 0) /* b is [N,K] */ \
  X(3, RANK, 0)         /* batch axes */ \
  X(4, BIAS, 0)         /* binding 2 is a bias */ \
  X(5, BIAS_N, 0)       /* step of the bias along n: 0 or 1 */ \
  X(6, ACTIVATION, 0)   /* of ops.hpp */ \
  X(7, PARTIAL, 0)      /* raw f32 sums over parts of K, [parts, batches, M, N]: matmul_sum makes y of them */

#define MATMUL_ROW_SPEC(X) \
  MATMUL_COMMON_SPEC(X) \
  X(8, SWAP, 0)   /* lanes along columns of b instead of rows of a: a and b change places, here and in Params */ \
  X(9, TI, 4)     /* lane items a lane; a multiple of 4 */ \
  X(10, TJ, 16)   /* uniform items a workgroup: a multiple of 4, or 1 where there is one */ \
  X(11, LANE_K_FAST, 0)    /* neighbours in memory are neighbours along k, not along the items */ \
  X(12, UNIFORM_K_FAST, 0) \
  X(13, VEC, 0)            /* the fast axes of both are multiples of 4: load vec4 */ \
  X(14, STORE_VEC, 0)      /* N is a multiple of 4: store vec4 */

#define MATMUL_TILE_SPEC(X) \
  MATMUL_COMMON_SPEC(X) \
  X(8, BM, 64)  /* rows of y a workgroup */ \
  X(9, BN, 64)  /* columns */ \
  X(10, BK, 16) /* k steps a turn */ \
  X(11, TM, 8)  /* rows an invocation; (BM/TM)·(BN/TN) = WG */ \
  X(12, TN, 4)

#define MATMUL_MATRIX_SPEC(X) \
  MATMUL_COMMON_SPEC(X) \
  X(8, SUBGROUP, 32)  /* lanes of a subgroup; the matrices that it multiplies are M x K and K x N */ \
  X(9, MATRIX_M, 16) \
  X(10, MATRIX_N, 16) \
  X(11, MATRIX_K, 16) \
  X(12, SM, 2)        /* subgroups a workgroup, along rows and columns of y; WG = SM SN SUBGROUP */ \
  X(13, SN, 2) \
  X(14, TM, 2)        /* matrices of y a subgroup */ \
  X(15, TN, 2) \
  X(16, BK, 32)       /* k steps a turn */ \
  X(17, VEC, 0)       /* the fast axes of both are multiples of 4: load vec4 */

#ifdef __cplusplus
FOVEA_SPEC(MatmulRowSpec, MATMUL_ROW_SPEC)
FOVEA_SPEC(MatmulTileSpec, MATMUL_TILE_SPEC)
FOVEA_SPEC(MatmulMatrixSpec, MATMUL_MATRIX_SPEC)
FOVEA_SPEC(MatmulSumSpec, MATMUL_COMMON_SPEC)
#endif

#define MATMUL_BATCH_AXES 6

// Matrices are dense: a's rows are K apart (A_TRANSPOSED: its columns are M apart), and so on.
struct MatmulParams {
  uint M;
  uint N;
  uint K;
  float alpha, beta;
  uint bias_m;   // step of the bias along m
  uint batches;
  uint k_part;   // length of a part of K; without PARTIAL it is K
  uint groups;   // workgroups that have work; matmul_sum: parts of K
  // RANK - 1 extents of the batch axes (the outermost needs none), then RANK strides each of a, b and the bias.
  uint words[MATMUL_BATCH_AXES - 1 + 3 * MATMUL_BATCH_AXES];
};

FOVEA_SHADER_END
#endif
