// of_lane(x, j): x as lane j of the subgroup has it, j being the counter of an unrolled loop. By shuffles, or by broadcasts: of the
// two, drivers that run shaders on a CPU make one cheap and the other dear (DeviceCaps::costly_shuffles). A broadcast wants a
// literal, so it is one of 16; unrolling leaves that one. The file that includes this enables the extension of its STREAM.
#ifndef FOVEA_LANES_GLSL
#define FOVEA_LANES_GLSL

#ifdef STREAM_broadcast
#define FOVEA_LANE(n) case n: return subgroupBroadcast(x, n);
#define FOVEA_OF_LANE(T)                                                                                          \
  T of_lane(T x, uint j) {                                                                                        \
    switch (j) {                                                                                                  \
      FOVEA_LANE(0) FOVEA_LANE(1) FOVEA_LANE(2) FOVEA_LANE(3) FOVEA_LANE(4) FOVEA_LANE(5) FOVEA_LANE(6)           \
      FOVEA_LANE(7) FOVEA_LANE(8) FOVEA_LANE(9) FOVEA_LANE(10) FOVEA_LANE(11) FOVEA_LANE(12) FOVEA_LANE(13)       \
      FOVEA_LANE(14) FOVEA_LANE(15)                                                                               \
    }                                                                                                             \
    return x;                                                                                                     \
  }
#elif defined(STREAM_shuffle)
#define FOVEA_OF_LANE(T) T of_lane(T x, uint j) { return subgroupShuffle(x, j); }
#else
#define FOVEA_OF_LANE(T) T of_lane(T x, uint j) { return x; }
#endif

FOVEA_OF_LANE(vec4)
FOVEA_OF_LANE(vec3)
FOVEA_OF_LANE(uint)
FOVEA_OF_LANE(int)

#endif
