#include "api/internal.hpp"
#include "base/enum_name.hpp"
#include "compile/compiler.hpp"
#include "vk/physical_device.hpp"

#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace fovea {
namespace {

struct Found {
  std::unique_ptr<vk::Instance> instance;
  vk::Candidates candidates;
  std::vector<DeviceInfo> infos;
};

Result<Found> find_devices(vk::Instance::Options options) {
  Result<std::unique_ptr<vk::Instance>> instance = vk::Instance::create(std::move(options));
  if (!instance) return instance.error();
  Result<vk::Candidates> candidates = vk::find_candidates(**instance);
  if (!candidates) return candidates.error();
  Found found{std::move(*instance), std::move(*candidates), {}};
  for (const vk::Candidate& candidate : found.candidates.usable) found.infos.push_back(vk::device_info(candidate.caps));
  return found;
}

vk::CacheOwner owner_of(const vk::Device& device) {
  return vk::cache_owner(device.caps, device.pipeline_cache_uuid);
}

// What pipeline_cache() put behind the pipelines; nothing, and a warning, where it cannot be used.
compile::Tuning tuning_from(const vk::Device& device, std::span<const std::byte> part) {
  if (part.empty()) return {};
  const auto text = vk::unwrap_cache(owner_of(device), part, vk::CachePart::tuning);
  Result<compile::Tuning> tuning = text ? compile::read_tuning({reinterpret_cast<const char*>(text->data()), text->size()})
                                        : Result<compile::Tuning>(text.error());
  if (tuning) return std::move(*tuning);
  log_message(device.log(), LogLevel::warning, tuning.error().message, "; ignored");
  return {};
}

}  // namespace

const char* to_string(DeviceType type) {
  static constexpr const char* names[] = {"other", "integrated GPU", "discrete GPU", "virtual GPU", "CPU"};
  static_assert(std::size(names) == static_cast<std::size_t>(DeviceType::cpu) + 1);
  return enum_name(names, type);
}

LogFunction log_or_stderr(LogFunction log) {
  if (log) return log;
  return [](LogLevel level, std::string_view text) {
    if (level == LogLevel::info) return;
    const char* word = level == LogLevel::error ? "error" : "warning";
    std::fprintf(stderr, "fovea: %s: %.*s\n", word, static_cast<int>(text.size()), text.data());
  };
}

Result<Context> Context::create(const ContextOptions& options) {
  return create_context(options, {});
}

Result<Context> create_context(const ContextOptions& options, const vk::Device::Options& device_options,
                               PFN_vkGetInstanceProcAddr get_instance_proc_addr) {
  Result<Found> found = find_devices({options.validation, log_or_stderr(options.log), get_instance_proc_addr});
  if (!found) return found.error();
  const char* environment = std::getenv("FOVEA_DEVICE");
  const bool from_environment = options.device.empty() && environment != nullptr;
  const std::string wanted = from_environment ? environment : options.device;
  const Result<std::size_t> index = vk::choose(found->infos, wanted);
  if (!index) {
    Error error = index.error();
    if (from_environment && !wanted.empty()) error.message = "FOVEA_DEVICE: " + error.message;
    for (const std::string& refused : found->candidates.refused) error.message += "; cannot use " + refused;
    return error;
  }
  Result<std::unique_ptr<vk::Device>> device =
      vk::Device::create(std::move(found->instance), found->candidates.usable[*index], device_options);
  if (!device) return device.error();
  return make_context(std::move(*device), options.pipeline_cache);
}

Result<Context> make_context(std::unique_ptr<vk::Device> device, std::span<const std::byte> pipeline_cache) {
  auto impl = std::make_shared<Context::Impl>();
  impl->device = std::move(device);
  impl->info = vk::device_info(impl->device->caps);
  const std::size_t end = vk::end_of_pipelines(pipeline_cache);
  Result<std::unique_ptr<vk::PipelineStore>> pipelines = vk::PipelineStore::create(*impl->device, pipeline_cache.first(end));
  if (!pipelines) return pipelines.error();
  impl->tuning = tuning_from(*impl->device, pipeline_cache.subspan(end));
  impl->pipelines = std::move(*pipelines);
  return Context(std::move(impl));
}

Result<std::vector<DeviceInfo>> Context::devices() {
  Result<Found> found = find_devices({false, log_or_stderr({}), nullptr});
  if (!found) return found.error();
  return std::move(found->infos);
}

Context::Context(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::~Context() = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;

const DeviceInfo& Context::device() const {
  return impl_->info;
}
std::string Context::capabilities_text() const {
  return vk::to_text(impl_->device->caps);
}
std::vector<std::byte> Context::pipeline_cache() const {
  std::vector<std::byte> blob = impl_->pipelines->save();
  const compile::Tuning tuning = impl_->copy_tuning();
  if (blob.empty() || tuning.empty()) return blob;
  const std::string text = compile::to_text(tuning);
  const std::vector<std::byte> part =
      vk::wrap_cache(owner_of(*impl_->device), std::as_bytes(std::span(text)), vk::CachePart::tuning);
  blob.insert(blob.end(), part.begin(), part.end());
  return blob;
}
const DeviceCaps& caps_of(const Context& context) {
  return context.impl()->device->caps;
}

Result<Plan> Context::compile(const Graph& graph, const CompileOptions& options) {
  if (Result<void> checked = impl_->device->check_not_lost("compile"); !checked) return checked.error();
  Result<compile::Program> program = compile::compile(graph.ir(), caps_of(*this), options, impl_->copy_tuning());
  if (!program) return program.error();
  return plan_from_program(*this, std::move(*program), options);
}

Result<Buffer> Context::make_buffer(std::uint64_t bytes, bool host_visible, std::string_view name) {
  if (bytes == 0) return Error{ErrorCode::invalid_argument, cat("make_buffer: ", name, " has 0 bytes")};
  if (Result<void> checked = impl_->device->check_not_lost("make_buffer"); !checked) return checked.error();
  const vk::MemoryKind kind = host_visible ? vk::MemoryKind::host : vk::MemoryKind::device;
  Result<vk::Buffer> buffer = vk::Buffer::create(*impl_->device, bytes, kind, name);
  if (!buffer) return buffer.error();
  return Buffer(std::unique_ptr<Buffer::Impl>(new Buffer::Impl{impl_, std::move(*buffer)}));
}

}  // namespace fovea
