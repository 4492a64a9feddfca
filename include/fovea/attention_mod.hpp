#pragma once
// Attention of the author's own making: GLSL for the score, the visibility and the weight of every pair of a query and a key,
// inside the kernels of attention (AttentionDesc::mod), forward and backward. fovea::glsl::compile (glsl.hpp) makes one from
// text; the engine runs it, and needs no shader compiler.

#include <fovea/result.hpp>
#include <fovea/tensor.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fovea {

namespace ops {
class ModSource;
}

// A tensor that the text reads, as a function of one int an axis: `slope(h)`, `table(h, i - j)`. Indices past an end read the
// nearest element.
struct ModBuffer {
  std::string name;           // a GLSL identifier
  int axes = 1;               // of the tensor, 1 to 4
  DType dtype = DType::f32;   // f32, i32 or boolean: what the function returns (float, int, bool). f16 and bf16 tensors are read as f32
};

// Each text is one GLSL expression, or, where it has a `return`, the body of a function. It sees
//   float score     the score scale·q·k, soft-capped (score_mod alone)
//   int b, h, i, j  batch, query head, query and key, from 0
//   int B, H, Lq, Lk  how many there are of each
//   the buffers, and `functions`
// and GLSL 4.50 without any side effect. Score: score_mod, then mask_mod (false: the key is excluded, whatever score_mod made),
// then AttentionDesc's mask, causal and window. A score of -inf excludes too.
struct AttentionModDesc {
  std::string score_mod{};  // float; empty: score
  std::string mask_mod{};   // bool; empty: true
  // float, a factor of the pair's weight after the normalisation, as dropout is one; empty: 1. Not called where the weight is 0.
  std::string factor_mod{};
  std::string functions{};  // GLSL functions that the texts call
  // The derivative of score_mod by score, likewise a text. Empty: made from score_mod, where that is an expression of GLSL's
  // operators and functions; int(), floor() and comparisons have derivative 0, abs, min, max and clamp take a side at a tie
  // as GLSL's own do. Where none can be made, attention has no gradient, and says why.
  std::string score_slope{};
  // The gradient reaches an f32 buffer where the texts are such expressions: through each place that reads it.
  std::vector<ModBuffer> buffers{};
};

// Cheap to copy; copies share what is compiled. An empty one leaves attention as it is.
class AttentionMod {
 public:
  AttentionMod() = default;
  explicit AttentionMod(std::shared_ptr<const ops::ModSource> source) : source_(std::move(source)) {}
  explicit operator bool() const { return static_cast<bool>(source_); }

  const std::vector<ModBuffer>& buffers() const;
  // Every shader of it as SPIR-V, for a program that ships without a compiler. Compiles those not compiled yet.
  std::vector<std::byte> save() const;
  // Error: invalid_argument for bytes that save() of this version of Fovea did not make.
  static Result<AttentionMod> load(std::span<const std::byte> bytes);

  const std::shared_ptr<const ops::ModSource>& source() const { return source_; }

 private:
  std::shared_ptr<const ops::ModSource> source_;
};
void append_text(std::string& out, const AttentionMod& mod);  // its texts

}  // namespace fovea
