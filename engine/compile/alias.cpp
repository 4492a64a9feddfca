// One arena for all transient values: a value's bytes are reused by values that live at other levels.

#include "compile/passes.hpp"

#include <algorithm>

namespace fovea::compile {

namespace {

// Bytes that must exist from one level to another, inclusive.
struct Lifetime {
  std::uint64_t bytes = 0;
  std::uint32_t first = UINT32_MAX, last = 0;
  BufferRange* range = nullptr;

  void touch(std::uint32_t level) { first = std::min(first, level), last = std::max(last, level); }
  bool overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

// Largest first, each at the lowest offset where nothing that lives at the same time stands.
std::uint64_t place(std::vector<Lifetime>& lifetimes, std::uint64_t alignment) {
  std::stable_sort(lifetimes.begin(), lifetimes.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  std::uint64_t peak = 0;
  std::vector<const Lifetime*> neighbours;
  for (std::size_t i = 0; i < lifetimes.size(); ++i) {
    neighbours.clear();
    for (std::size_t k = 0; k < i; ++k)
      if (lifetimes[k].overlaps(lifetimes[i])) neighbours.push_back(&lifetimes[k]);
    std::sort(neighbours.begin(), neighbours.end(), [](auto* a, auto* b) { return a->range->offset < b->range->offset; });
    std::uint64_t offset = 0;
    for (const Lifetime* other : neighbours) {
      if (offset + lifetimes[i].bytes <= other->range->offset) break;
      offset = std::max(offset, align_up(other->range->offset + other->bytes, alignment));
    }
    lifetimes[i].range->offset = offset;
    peak = std::max(peak, offset + lifetimes[i].bytes);
  }
  return peak;
}

std::uint64_t most_alive(const std::vector<Lifetime>& lifetimes, std::uint64_t alignment) {
  std::uint64_t most = 0;
  for (const Lifetime& at : lifetimes) {  // the sum can only peak where something begins
    std::uint64_t alive = 0;
    for (const Lifetime& other : lifetimes)
      if (other.first <= at.first && at.first <= other.last) alive += align_up(other.bytes, alignment);
    most = std::max(most, alive);
  }
  return most;
}

class Allocation {
 public:
  Allocation(const ir::Graph& graph, const std::vector<Choice>& choices, Layout& layout)
      : graph_(graph), choices_(choices), layout_(layout), of_value_(graph.values.size()), of_scratch_(graph.nodes.size()) {
    for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) of_scratch_[n].resize(choices[n].plan.scratch_bytes.size());
  }

  void touch(const Step& step) {
    for (const ops::LaunchOperand& operand : choices_[step.node].plan.launches[step.launch].operands) {
      using Kind = ops::LaunchOperand::Kind;
      const ir::Node& node = graph_.nodes[step.node];
      if (operand.kind == Kind::scratch) of_scratch_[step.node][operand.index].touch(step.level);
      if (operand.kind == Kind::input) of_value_[storage_root(graph_, node.inputs[operand.index])].touch(step.level);
      if (operand.kind == Kind::output) of_value_[storage_root(graph_, node.outputs[operand.index])].touch(step.level);
    }
  }

  std::vector<Lifetime> in_arena() {
    std::vector<Lifetime> lifetimes;
    const auto add = [&](Lifetime lifetime, BufferRange& range) {
      if (lifetime.first == UINT32_MAX || range.kind != BufferKind::arena) return;
      lifetime.bytes = range.size;
      lifetime.range = &range;
      lifetimes.push_back(lifetime);
    };
    for (ir::ValueId id = 0; id < graph_.values.size(); ++id)
      if (storage_root(graph_, id) == id) add(of_value_[id], layout_.values[id]);
    for (ir::NodeId n = 0; n < graph_.nodes.size(); ++n)
      for (std::size_t i = 0; i < of_scratch_[n].size(); ++i) add(of_scratch_[n][i], layout_.scratch[n][i]);
    return lifetimes;
  }

 private:
  const ir::Graph& graph_;
  const std::vector<Choice>& choices_;
  Layout& layout_;
  std::vector<Lifetime> of_value_;
  std::vector<std::vector<Lifetime>> of_scratch_;
};

// External and constant values get their ranges; the rest stays in the arena.
Failure assign_kinds(const ir::Graph& graph, const Program& program, const DeviceCaps& caps, Layout& layout) {
  std::uint64_t constant_offset = 0;
  std::uint32_t external = 0;
  for (ir::ValueId id = 0; id < graph.values.size(); ++id) {
    const ir::Value& value = graph.value(id);
    BufferRange& range = layout.values[id];
    range.size = storage_bytes(value.type).value_or(4);
    if (value.kind == ir::ValueKind::input || value.kind == ir::ValueKind::parameter)
      range.kind = BufferKind::external, range.index = external++;
    if (value.kind == ir::ValueKind::constant) {
      range.kind = BufferKind::constant;
      range.offset = constant_offset;
      constant_offset = align_up(constant_offset + range.size, caps.storage_alignment);
    }
  }
  for (const ir::Output& output : graph.outputs) {
    BufferRange& range = layout.values[storage_root(graph, output.value)];
    if (output.updates != ir::none) {
      range = layout.values[output.updates];
      continue;
    }
    range.kind = BufferKind::external, range.index = external++;
  }
  return external == program.externals.size() ? std::nullopt
                                              : Failure(Error{ErrorCode::internal, "alias: externals do not match"});
}

}  // namespace

Result<Layout> alias(const ir::Graph& graph, const std::vector<Choice>& choices, const std::vector<Step>& steps,
                     const Program& program, const DeviceCaps& caps, bool reuse) {
  Layout layout;
  layout.values.resize(graph.values.size());
  layout.scratch.resize(graph.nodes.size());
  if (auto failure = assign_kinds(graph, program, caps, layout)) return *failure;
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n)
    for (std::uint64_t bytes : choices[n].plan.scratch_bytes) {
      if (bytes > caps.max_storage_range)
        return Error{ErrorCode::unsupported, cat("compile: ", graph.nodes[n].op->name, " needs ", bytes,
                                                 " bytes of scratch, and ", caps.device_name, " binds at most ", caps.max_storage_range)};
      layout.scratch[n].push_back({BufferKind::arena, 0, 0, std::max<std::uint64_t>(4, align_up(bytes, 4))});
    }

  Allocation allocation(graph, choices, layout);
  for (const Step& step : steps) allocation.touch(step);
  std::vector<Lifetime> lifetimes = allocation.in_arena();
  layout.lower_bound = most_alive(lifetimes, caps.storage_alignment);
  for (const Lifetime& lifetime : lifetimes) layout.unaliased_bytes += align_up(lifetime.bytes, caps.storage_alignment);
  if (!reuse)
    for (Lifetime& lifetime : lifetimes) lifetime.first = 0, lifetime.last = UINT32_MAX;
  layout.arena_bytes = align_up(place(lifetimes, caps.storage_alignment), caps.storage_alignment);
  if (layout.arena_bytes > caps.max_allocation)
    return Error{ErrorCode::out_of_memory, cat("compile: the plan needs an arena of ", layout.arena_bytes, " bytes, and ",
                                               caps.device_name, " allocates at most ", caps.max_allocation, " at once")};
  return layout;
}

}  // namespace fovea::compile
