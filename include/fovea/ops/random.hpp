#pragma once
// Numbers by chance. Included by ops.hpp.
//
// Philox-4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the numbers are a function of a
// state that the caller gives as a tensor, so a recorded plan draws anew when the host changes it. The same state gives the
// same words and uniform numbers on every device; normal and gumbel numbers go through its sine and square root, and agree
// to some ulp. The state is i32 [6]: the key in two words (the seed), the counter in four. Group g
// of four numbers is Philox of the counter plus {g, stream, 0, 0}, word by word, modulo 2^32: the host counts steps in
// the last two words and leaves the first two zero. Draws of one graph that share a state need a stream each, or they
// are the same numbers. No gradient goes through a draw.

#include <fovea/tensor.hpp>

#include <cstdint>

namespace fovea {

enum class Random : std::uint8_t {
  bits,     // i32: the words themselves
  uniform,  // (r + 1/2) / 2^23 of the upper 23 bits r: never 0 or 1 (all 32 bits would round to 1), the same bits everywhere
  normal,   // mean 0, deviation 1: two from two uniform ones (Box & Muller 1958)
  gumbel,   // -log(-log u), u uniform
};
const char* to_string(Random kind);

struct RandomDesc {
  std::int64_t stream = 0;  // 0 up to 2^31 - 1
};
// f32 (bits: i32) of this shape. Errors: a state that is not i32 [6], a stream out of range.
Tensor random(Random kind, Tensor state, const Shape& shape, const RandomDesc& desc = {}, CallSite site = CallSite::here());
// boolean: true with this probability, to within 2^-23.
Tensor bernoulli(Tensor state, const Shape& shape, float probability, const RandomDesc& desc = {}, CallSite site = CallSite::here());
struct CategoricalDesc {
  Tensor mask{};  // boolean, broadcasts to the logits: true = may be drawn
  std::int64_t stream = 0;
};
// i32 [...]: for each row of logits [..., K] a class, with the probabilities softmax(logits) (Gumbel's trick). K, one past
// the end, where none may be drawn.
Tensor categorical(Tensor logits, Tensor state, const CategoricalDesc& desc = {}, CallSite site = CallSite::here());

struct GumbelSoftmaxDesc {
  float temperature = 1;  // > 0, finite
  bool hard = false;      // the value is one-hot at the largest; the gradient is the soft one's (straight through)
  Tensor mask{};          // boolean, broadcasts to the logits: true = take part. A row without any is zeros
  std::int64_t stream = 0;
};
// softmax((logits + gumbel)/temperature) along the innermost axis. (Jang, Gu & Poole 2017; Maddison et al. 2017)
Tensor gumbel_softmax(Tensor logits, Tensor state, const GumbelSoftmaxDesc& desc = {}, CallSite site = CallSite::here());
// x/(1 - p) with probability 1 - p, else 0; p in [0, 1]. What was kept is drawn again for the gradient, not stored.
// (Srivastava et al. 2014)
Tensor dropout(Tensor x, Tensor state, float p, const RandomDesc& desc = {}, CallSite site = CallSite::here());

}  // namespace fovea
