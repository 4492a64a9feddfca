#include "vk/pipeline.hpp"

namespace fovea::vk {

static Error defect_of(const PipelineRequest& request, const auto&... what) {
  return {ErrorCode::internal, cat("shader ", request.shader->name, ": ", what...)};
}

Result<void> check_workgroup(const PipelineRequest& request, const Workgroup& workgroup, const DeviceCaps& caps) {
  std::uint64_t invocations = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    invocations *= workgroup.size[axis];
    if (workgroup.size[axis] > caps.max_group_size[axis])
      return defect_of(request, workgroup.size[axis], " invocations on axis ", axis, " of a workgroup, the device takes ",
                       caps.max_group_size[axis]);
  }
  if (invocations > caps.max_invocations)
    return defect_of(request, invocations, " invocations a workgroup, the device takes ", caps.max_invocations);
  if (workgroup.shared_bytes > caps.max_shared_bytes)
    return defect_of(request, workgroup.shared_bytes, " bytes of shared memory, the device has ", caps.max_shared_bytes);
  return {};
}

// The addresses that a dispatch pushes are where the shader takes them, of buffers that are bound, and written only where the
// binding is.
static Result<void> check_addresses(const PipelineRequest& request, const ShaderReflection& shader) {
  const auto defect = [&](const auto&... what) { return defect_of(request, what...); };
  if (request.addresses.size() != shader.addresses.size())
    return defect("the dispatch pushes ", request.addresses.size(), " addresses, the shader takes ", shader.addresses.size());
  for (std::size_t i = 0; i < shader.addresses.size(); ++i) {
    const ShaderReflection::Address& address = shader.addresses[i];
    const std::size_t at = request.push_bytes - 8 * (shader.addresses.size() - i);
    if (address.offset != at) return defect("takes address ", i, " at byte ", address.offset, ", the dispatch pushes it at ", at);
    const std::uint32_t binding = request.addresses[i];
    if (binding >= request.bindings.size())
      return defect("takes the address of binding ", binding, ", the dispatch binds ", request.bindings.size());
    const BindingUse use = request.bindings[binding];
    if (use != BindingUse::write && address.written)
      return defect("declares address ", i, " written, the dispatch does not write binding ", binding);
    if (use == BindingUse::write && !address.written)
      return defect("declares address ", i, " readonly, the dispatch says that binding ", binding, " is written");
  }
  return {};
}

Result<void> check(const PipelineRequest& request, const ShaderReflection& shader, const DeviceCaps& caps) {
  const auto defect = [&](const auto&... what) { return defect_of(request, what...); };
  if (request.push_bytes != shader.push_bytes)
    return defect("the dispatch pushes ", request.push_bytes, " bytes, the shader takes ", shader.push_bytes);
  if (request.push_bytes > caps.max_push_bytes)
    return defect("pushes ", request.push_bytes, " bytes, the device takes ", caps.max_push_bytes);
  if (request.bindings.size() > caps.max_storage_buffers)
    return defect("binds ", request.bindings.size(), " buffers, the device takes ", caps.max_storage_buffers);
  for (std::uint32_t id : shader.constant_ids)
    if (id >= request.constants.size())
      return defect("constant_id ", id, " has no value, the dispatch gives ", request.constants.size());
  std::size_t used = 0;
  for (const ShaderReflection::Binding& binding : shader.bindings) {
    if (binding.set != 0) return defect("uses descriptor set ", binding.set, "; only set 0 is bound");
    if (binding.binding >= request.bindings.size())
      return defect("uses binding ", binding.binding, ", the dispatch binds ", request.bindings.size());
    const BindingUse use = request.bindings[binding.binding];
    if (use == BindingUse::read && binding.written)
      return defect("declares binding ", binding.binding, " written, the dispatch says it is only read");
    if (use == BindingUse::write && !binding.written)
      return defect("declares binding ", binding.binding, " readonly, the dispatch says it is written");
    used = binding.binding + std::size_t{1};
  }
  if (used < request.bindings.size())
    return defect("uses ", used, " bindings, the dispatch binds ", request.bindings.size());
  return check_addresses(request, shader);
}

}  // namespace fovea::vk
