// One memory barrier before a dispatch that depends on what ran since the last one; none between independent dispatches.

#include "compile/passes.hpp"

namespace fovea::compile {

namespace {

bool overlap(const BufferRange& a, const BufferRange& b) {
  return a.kind == b.kind && a.index == b.index && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

}  // namespace

void place_barriers(Program& program) {
  std::vector<Binding> since;  // touched since the last barrier
  for (Dispatch& dispatch : program.dispatches) {
    bool conflict = false;
    for (const Binding& binding : dispatch.bindings)
      for (const Binding& touch : since)
        conflict = conflict || ((binding.write || touch.write) && overlap(binding.range, touch.range));
    dispatch.barrier_before = conflict;
    if (conflict) since.clear();
    since.insert(since.end(), dispatch.bindings.begin(), dispatch.bindings.end());
  }
}

}  // namespace fovea::compile
