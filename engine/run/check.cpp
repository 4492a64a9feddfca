#include "base/device_caps.hpp"
#include "base/text.hpp"
#include "run/executor.hpp"

namespace fovea::run {
namespace {

std::uint64_t size_of(const compile::Program& program, const compile::BufferRange& range) {
  switch (range.kind) {
    case compile::BufferKind::arena:
      return range.index == 0 ? program.arena_bytes : 0;
    case compile::BufferKind::constant:
      return range.index == 0 ? program.constants.size() : 0;
    case compile::BufferKind::external:
      return range.index < program.externals.size() ? program.externals[range.index].bytes : 0;
  }
  return 0;
}

Result<void> check_dispatch(const compile::Program& program, const compile::Dispatch& dispatch,
                            const DeviceCaps& caps) {
  const auto defect = [&](const auto&... what) {
    return Error{ErrorCode::internal, cat("program: ", dispatch.label, ": ", what...)};
  };
  if (!dispatch.shader) return defect("no shader");
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (dispatch.groups[axis] > caps.max_group_count[axis])
      return defect(dispatch.groups[axis], " groups on axis ", axis, ", the device takes ", caps.max_group_count[axis]);
  if (!dispatch.addresses.empty() && !caps.buffer_address) return defect("takes addresses of buffers, which have none");
  if (!dispatch.addresses.empty() && dispatch.push.size() % 8 != 0)
    return defect("pushes addresses behind ", dispatch.push.size(), " bytes, not a multiple of 8");
  for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) {
    const compile::BufferRange& range = dispatch.bindings[i].range;
    const std::uint64_t size = size_of(program, range);
    if (range.size == 0 || range.offset > size || range.size > size - range.offset)
      return defect("binding ", i, " is [", range.offset, ", +", range.size, ") of a buffer of ", size, " bytes");
    if (range.offset % caps.storage_alignment != 0)
      return defect("binding ", i, " starts at ", range.offset, ", not a multiple of ", caps.storage_alignment);
    if (range.size > caps.max_storage_range)
      return defect("binding ", i, " has ", range.size, " bytes, the device binds ", caps.max_storage_range);
    if (range.kind == compile::BufferKind::constant && dispatch.bindings[i].write)
      return defect("binding ", i, " writes a constant");
  }
  return {};
}

}  // namespace

Result<void> check(const compile::Program& program, const DeviceCaps& caps) {
  for (const compile::Dispatch& dispatch : program.dispatches)
    if (Result<void> checked = check_dispatch(program, dispatch, caps); !checked) return checked;
  return {};
}

}  // namespace fovea::run
