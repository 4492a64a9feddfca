// One memory barrier before a dispatch that depends on what ran since the last one; none between independent dispatches.

#include "compile/passes.hpp"

namespace fovea::compile {

namespace {

struct Touch {
  BufferRange range;
  bool write;
  ir::NodeId node;
};

bool overlap(const BufferRange& a, const BufferRange& b) {
  return a.kind == b.kind && a.index == b.index && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

}  // namespace

void place_barriers(Program& program, const std::vector<Step>& steps, const std::vector<Choice>& choices) {
  std::vector<Touch> since;  // since the last barrier
  for (std::size_t i = 0; i < program.dispatches.size(); ++i) {
    Dispatch& dispatch = program.dispatches[i];
    // Launches that a kernel declares independent write disjoint parts of one output.
    const bool independent = choices[steps[i].node].plan.independent;
    bool conflict = false;
    for (const Binding& binding : dispatch.bindings)
      for (const Touch& touch : since) {
        if (independent && touch.node == steps[i].node) continue;
        conflict = conflict || ((binding.write || touch.write) && overlap(binding.range, touch.range));
      }
    dispatch.barrier_before = conflict;
    if (conflict) since.clear();
    for (const Binding& binding : dispatch.bindings) since.push_back({binding.range, binding.write, steps[i].node});
  }
}

}  // namespace fovea::compile
