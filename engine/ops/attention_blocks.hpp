#pragma once
// Blocks that an author's mask excludes whole are not walked: lists of the others, made on the device before each run.

#include "ops/attention.hpp"

namespace fovea::ops {

// Lists for owners of `rows` rows each, on that side (SIDE of shaders/attention.h), which a kernel with this constant and these
// parameters is going to walk: appends the launches that make them, and says so in spec.BLOCKS. Returns what the kernel binds
// behind the author's buffers; without a mask of an author's, or with a single block, that is nothing.
LaunchOperand plan_blocks(KernelPlan& plan, const NodeView& node, const DeviceCaps& caps, const AttentionAttrs& attrs, std::uint32_t side,
                          std::uint32_t rows, const shader::AttentionParams& params, std::uint32_t first_buffer, shader::AttentionSpec& spec);

// Binds the author's buffers and the lists. Where there is no modification, does nothing.
void bind_mod(Launch& launch, const NodeView& node, const AttentionMod& mod, std::uint32_t first_buffer, LaunchOperand blocks);

}  // namespace fovea::ops
