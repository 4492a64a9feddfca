// Stored type and computed type are two words: buffers hold STORE_T, arithmetic is float, LOAD and STORE cross.
// The axis is declared in the .comp: `#pragma variant DTYPE f32 f16 bf16`, which defines DTYPE_f32, DTYPE_f16 or DTYPE_bf16.
#ifndef FOVEA_DTYPE_GLSL
#define FOVEA_DTYPE_GLSL

#if defined(DTYPE_f16)
#extension GL_EXT_shader_16bit_storage : require
#define STORE_T float16_t
#define STORE_T4 f16vec4
#define STORE_BYTES 2
#define LOAD(buffer, i) float(buffer[i])
#define LOAD4(buffer, i) vec4(buffer[i])
#define STORE(buffer, i, x) buffer[i] = float16_t(x)
#define STORE4(buffer, i, x) buffer[i] = f16vec4(x)
#elif defined(DTYPE_bf16)
#extension GL_EXT_shader_16bit_storage : require
#include "bfloat.glsl"
#define STORE_T uint16_t
#define STORE_T4 uvec2
#define STORE_BYTES 2
#define LOAD(buffer, i) float_of_bfloat(uint(buffer[i]))
#define LOAD4(buffer, i) floats_of_bfloats(buffer[i])
#define STORE(buffer, i, x) buffer[i] = uint16_t(bfloat_of(x))
#define STORE4(buffer, i, x) buffer[i] = bfloats_of(x)
#else
#define STORE_T float
#define STORE_T4 vec4
#define STORE_BYTES 4
#define LOAD(buffer, i) buffer[i]
#define LOAD4(buffer, i) buffer[i]
#define STORE(buffer, i, x) buffer[i] = (x)
#define STORE4(buffer, i, x) buffer[i] = (x)
#endif

#define POSITIVE_INFINITY uintBitsToFloat(0x7f800000u)
#define NEGATIVE_INFINITY uintBitsToFloat(0xff800000u)
#define QUIET_NAN uintBitsToFloat(0x7fc00000u)

#endif
