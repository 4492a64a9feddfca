#pragma once
// What the kernels of attention need of an author's modification.

#include "ops/op_def.hpp"

#include <fovea/attention_mod.hpp>

namespace fovea::ops {

// A place of the texts that reads an f32 buffer.
struct ModSite {
  std::uint32_t buffer = 0;
  std::uint32_t axes = 0;  // bit n: its index depends on axis n of [B,H,Lq,Lk]
  bool of_factor = false;  // it stands in factor_mod
};

struct ModFacts {
  std::string text;  // the description, one line; equal texts are equal modifications
  std::vector<ModBuffer> buffers;
  std::vector<ModSite> sites;
  bool masks = false, factors = false;
  bool mask_by_head = false;  // mask_mod depends on b or h
  std::string no_gradient;  // why there is none; empty: there is one
  std::vector<std::string> no_buffer_gradient;  // the same, by buffer; an empty list: each has one
};

// What reports call a variant with an author's text in it.
inline std::string mod_shader_name(std::string_view variant) { return cat(variant, "+mod"); }

class ModSource {
 public:
  virtual ~ModSource() = default;
  // "attention_row.shuffle.whole.f32" with the author's text; null where there is no such shader. Thread-safe; lives as long as this.
  virtual const ShaderInfo* shader(std::string_view variant) const = 0;
  const ModFacts& facts() const { return facts_; }

 protected:
  explicit ModSource(ModFacts facts) : facts_(std::move(facts)) {}

 private:
  ModFacts facts_;
};

inline const ModFacts& facts_of(const AttentionMod& mod) { return mod.source()->facts(); }

// "buffer slope has rank 2, not 1"; empty: the operands from `first` on are what the modification reads.
std::string mod_fault(const InferContext& context, const AttentionMod& mod, std::size_t first);
// Binds the author's buffers, operands from `first` on, behind the launch's own. Where there is no modification, does nothing.
void bind_mod(Launch& launch, const NodeView& node, const AttentionMod& mod, std::uint32_t first);

// What attention is composed of where it has a modification. All values are f32 [B,H,Lq,Lk], or 1 along axes that `axes` of a
// site lacks.
struct ModCall {
  const AttentionMod& mod;
  Shape scores;  // [B,H,Lq,Lk]
  std::span<const Tensor> buffers;
  CallSite site;
};
Tensor mod_scores(const ModCall& call, Tensor scores);
Tensor mod_factor(const ModCall& call, Tensor any);  // any: a value of the graph
Tensor mod_slope(const ModCall& call, Tensor scores, Tensor d);
Tensor mod_read(const ModCall& call, std::size_t site, Tensor scores, Tensor d);  // what the site takes of d, summed
// What sites took of the gradient goes to their buffers, operands from `first` on, each at its index.
struct Taken {
  std::size_t site;
  Tensor gradient;  // of mod_site_shape
};
void give_to_buffers(Vjp& vjp, const ModCall& call, std::size_t first, std::span<const Taken> taken);
// Whether a gradient can be had, of the scores and of the buffers that are wanted (operands from `first` on); the graph is told
// why not.
bool mod_has_gradient(Vjp& vjp, const AttentionMod& mod, std::size_t first);
Shape mod_site_shape(const ModSite& site, const Shape& scores);

}  // namespace fovea::ops
