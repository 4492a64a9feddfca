// Included by C++ and by GLSL: how a kernel's .h declares its parameter struct and its specialisation constants once.
//
//   #define SOFTMAX_SPEC(X) X(0, WG, 128) X(1, HAS_MASK, 0)      // constant_id, name, default; ids count up from 0
//   FOVEA_SPEC(SoftmaxSpec, SOFTMAX_SPEC)                        // C++: struct; GLSL: the constants
//   struct SoftmaxParams { uint rows; uint n; float scale; };    // push constants: 32-bit members and arrays of them
#ifndef FOVEA_SHARED_H
#define FOVEA_SHARED_H

#ifdef __cplusplus

#include <cstdint>
namespace fovea::shader {
using uint = std::uint32_t;
}
#define FOVEA_SPEC_MEMBER(id, name, value) std::uint32_t name = static_cast<std::uint32_t>(value);
#define FOVEA_SPEC(type, list) \
  struct type {                \
    list(FOVEA_SPEC_MEMBER)    \
  };
#define FOVEA_SHADER_BEGIN namespace fovea::shader {
#define FOVEA_SHADER_END }

#else

#define FOVEA_SPEC_CONSTANT(id, name, value) layout(constant_id = id) const uint name = value;
#define FOVEA_SPEC(type, list) list(FOVEA_SPEC_CONSTANT)
#define FOVEA_SHADER_BEGIN
#define FOVEA_SHADER_END

// The number of this workgroup in a launch made by flat_groups().
#define FLAT_GROUP (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x)

#endif
#endif
