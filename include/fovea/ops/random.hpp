#pragma once
// Numbers by chance. Included by ops.hpp.
//
// Philox-4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the numbers are a function of a
// state that the caller gives as a tensor, so a recorded plan draws anew when the host changes it. The same state gives the
// same words and uniform numbers on every device; normal and gumbel numbers go through its sine and square root, and agree
// to some ulp. The state is i32 [6]: the key in two words (the seed), the counter in four. Group g
// of four numbers is Philox of the counter plus {g, stream, 0, 0}, word by word, modulo 2^32: the host counts steps in
// the last two words and leaves the first two zero.
//
// Two draws of one state and one stream are made of the same words, whatever they are drawn for: two masks of one dropout
// are one mask, and a normal number goes with the uniform one in its place. That is how a draw is repeated on purpose, and
// nothing warns of it: draws that are to be independent need a stream each, those of attention's dropout among them, or a
// state each. (The streams stand in Graph::to_text.) No gradient goes through a draw.
//
// Errors of them all: a state that is not i32 [6], a stream outside [0, 2^31).

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
// f32 (bits: i32) of this shape. Error: a negative extent.
Tensor random(Random kind, Tensor state, const Shape& shape, const RandomDesc& desc = {}, CallSite site = CallSite::here());
// boolean: true with this probability, to within 2^-23. Error: a probability outside [0, 1].
Tensor bernoulli(Tensor state, const Shape& shape, float probability, const RandomDesc& desc = {}, CallSite site = CallSite::here());
struct CategoricalDesc {
  Tensor mask{};  // boolean, broadcasts to the logits: true = may be drawn
  std::int64_t stream = 0;
};
// i32 [...]: for each row of logits [..., K] a class, with the probabilities softmax(logits) (Gumbel's trick). K, one past
// the end, where none may be drawn. Errors: K = 0, a mask that does not broadcast.
Tensor categorical(Tensor logits, Tensor state, const CategoricalDesc& desc = {}, CallSite site = CallSite::here());

struct GumbelSoftmaxDesc {
  float temperature = 1;  // > 0, finite
  bool hard = false;      // the value is one-hot at the largest; the gradient is the soft one's (straight through)
  Tensor mask{};          // boolean, broadcasts to the logits: true = take part. A row without any is zeros
  std::int64_t stream = 0;
};
// softmax((logits + gumbel)/temperature) along the innermost axis. Errors: as categorical; a temperature out of range.
// (Jang, Gu & Poole 2017; Maddison et al. 2017)
Tensor gumbel_softmax(Tensor logits, Tensor state, const GumbelSoftmaxDesc& desc = {}, CallSite site = CallSite::here());
// x/(1 - p) with probability 1 - p, else 0. What was kept is drawn again for the gradient, not stored. Error: p outside
// [0, 1]. (Srivastava et al. 2014)
Tensor dropout(Tensor x, Tensor state, float p, const RandomDesc& desc = {}, CallSite site = CallSite::here());

}  // namespace fovea
