#pragma once
// Rows of few bits: how many words they take.

#include <fovea/ops/quantize.hpp>

#include <cstdint>

namespace fovea::ops {

constexpr std::int64_t codes_a_word(Quantized kind) { return kind == Quantized::int4 ? 8 : 4; }
constexpr std::int64_t numbers_a_row(Quantized kind) { return kind == Quantized::int4 ? 2 : 1; }
constexpr std::int64_t words_of_row(Quantized kind, std::int64_t size) { return numbers_a_row(kind) + size / codes_a_word(kind); }
constexpr std::int64_t size_of_row(Quantized kind, std::int64_t words) { return (words - numbers_a_row(kind)) * codes_a_word(kind); }

}  // namespace fovea::ops
