#include "ops/attention_blocks.hpp"

namespace fovea::ops {

using namespace shader;

LaunchOperand plan_blocks(KernelPlan& plan, const NodeView& node, const DeviceCaps& caps, const AttentionAttrs& attrs, std::uint32_t side,
                          std::uint32_t rows, const AttentionParams& params, std::uint32_t first_buffer, AttentionSpec& spec) {
  const std::uint64_t blocks = ceil_div(side == ATTENTION_BACKWARD_KEYS ? params.rows : params.keys, ATTENTION_BLOCK);
  spec.BLOCKS = ATTENTION_BLOCKS_ALL;
  if (!attrs.mod || !facts_of(attrs.mod).masks || attrs.grids || blocks < 2) return unused();
  const bool by_pair = facts_of(attrs.mod).mask_by_head;
  const std::uint64_t lists = std::uint64_t{by_pair ? params.pairs : 1} * params.row_blocks;
  if (lists * (blocks + 1) >= (std::uint64_t{1} << 32) || !loops_fit(caps, blocks)) return unused();  // counted in 32 bits; PACK walks them
  spec.BLOCKS = by_pair ? ATTENTION_BLOCKS_BY_PAIR : ATTENTION_BLOCKS_SHARED;

  const auto scratch = static_cast<std::uint32_t>(plan.scratch_bytes.size());
  plan.scratch_bytes.push_back(lists * (blocks + 1) * 4);
  for (const uint mode : {uint{ATTENTION_BLOCKS_FIND}, uint{ATTENTION_BLOCKS_PACK}}) {
    AttentionSpec own = spec;
    own.WG = 64, own.SIDE = side, own.ROWS = rows, own.MODE = mode;
    Launch& launch = plan.launches.emplace_back();
    launch.shader = attrs.mod.source()->shader("attention_blocks");
    launch.set_constants(own);
    launch.set_push(params);
    launch.operands = {{LaunchOperand::Kind::scratch, scratch, Access::read_write}};
    bind_mod(launch, node, attrs.mod, first_buffer);
    launch.groups = flat_groups(mode == ATTENTION_BLOCKS_FIND ? lists * blocks : lists, own.WG, caps);
  }
  return scratch_read(scratch);
}

void bind_mod(Launch& launch, const NodeView& node, const AttentionMod& mod, std::uint32_t first_buffer, LaunchOperand blocks) {
  if (!mod) return;
  bind_mod(launch, node, mod, first_buffer);
  launch.operands.push_back(blocks);
}

}  // namespace fovea::ops
