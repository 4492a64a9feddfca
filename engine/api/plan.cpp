#include "api/internal.hpp"

#include <algorithm>

namespace fovea {
namespace {

Port::Role to_role(compile::ExternalRole role) {
  switch (role) {
    case compile::ExternalRole::input:
      return Port::Role::input;
    case compile::ExternalRole::parameter:
      return Port::Role::parameter;
    case compile::ExternalRole::output:
      return Port::Role::output;
  }
  return Port::Role::input;
}

// Bytes of the port's elements; Port::bytes is this, rounded up to what a kernel may touch.
std::uint64_t data_bytes(const Port& port) {
  return static_cast<std::uint64_t>(port.shape.elements()) * size_of(port.dtype);
}

Result<Plan::Impl::Staged> make_staged(Plan& plan) {
  const vk::Device& device = *plan.impl().core->context->device;
  std::vector<vk::Buffer> buffers;
  std::vector<run::NamedRange> ranges;
  for (const Port& port : plan.ports()) {
    Result<vk::Buffer> buffer = vk::Buffer::create(device, port.bytes, vk::MemoryKind::nearest, port.name);
    if (!buffer) return buffer.error();
    ranges.push_back({port.name, buffer->get(), 0, port.bytes});
    buffers.push_back(std::move(*buffer));
  }
  Result<Bindings> bindings = bind_ranges(plan, ranges);
  if (!bindings) return bindings.error();
  return Plan::Impl::Staged{std::move(buffers), std::move(*bindings)};
}

std::string inputs_of(std::span<const Port> ports) {
  std::string names;
  for (const Port& port : ports)
    if (port.role != Port::Role::output) names += (names.empty() ? "" : ", ") + port.name;
  return names.empty() ? "none" : names;
}

// The data of each port in ports() order; null for outputs.
Result<std::vector<const PortData*>> match_data(std::span<const Port> ports, std::span<const PortData> inputs) {
  const auto refuse = [](const auto&... what) { return Error{ErrorCode::invalid_argument, cat("run: ", what...)}; };
  std::vector<const PortData*> matched(ports.size());
  for (const PortData& input : inputs) {
    const auto port = std::find_if(ports.begin(), ports.end(), [&](const Port& p) { return p.name == input.name; });
    if (port == ports.end()) return refuse("no input '", input.name, "'; the plan has ", inputs_of(ports));
    if (port->role == Port::Role::output) return refuse("'", input.name, "' is an output");
    const PortData*& slot = matched[static_cast<std::size_t>(port - ports.begin())];
    if (slot) return refuse("'", input.name, "' is given twice");
    if (input.bytes.size() != data_bytes(*port))
      return refuse("'", input.name, "' has ", input.bytes.size(), " bytes, ", to_string(port->dtype),
                    to_string(port->shape), " needs ", data_bytes(*port));
    slot = &input;
  }
  for (std::size_t i = 0; i < ports.size(); ++i)
    if (ports[i].role != Port::Role::output && !matched[i]) return refuse("'", ports[i].name, "' is not given");
  return matched;
}

}  // namespace

PlanCore::~PlanCore() {
  if (executor) submissions.finish();
}

Result<void> PlanCore::wait(std::uint64_t timeout_ns) {
  if (Result<void> done = submissions.wait(timeout_ns); !done) return done;
  return submissions.any_finished() ? executor->profile().update() : Result<void>();
}

std::vector<run::Interval> PlanCore::times() {
  const run::Profile& profile = executor->profile();
  const bool can_ask = profile.reset_by_host() || host_recorded || submissions.any_finished();
  if (const Result<void> updated = can_ask ? profile.update() : Result<void>(); !updated)
    log_message(context->device->log(), LogLevel::warning, updated.error().message, "; the report's times are those before");
  return profile.intervals();
}

Bindings::Impl::~Impl() {
  if (replay || !steps.empty()) core->submissions.finish();
}

Bindings::Bindings(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bindings::~Bindings() = default;
Bindings::Bindings(Bindings&&) noexcept = default;
Bindings& Bindings::operator=(Bindings&&) noexcept = default;

Plan::Plan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

Result<Plan> plan_from_program(Context& context, compile::Program program, const CompileOptions& options,
                               vk::PipelineStore* pipelines) {
  const vk::Device& device = *context.impl()->device;
  auto core = std::make_shared<PlanCore>();
  core->context = context.impl();
  Result<run::Submissions> submissions = run::Submissions::create(device);
  if (!submissions) return submissions.error();
  core->submissions = std::move(*submissions);
  Result<std::unique_ptr<run::Executor>> executor =
      run::Executor::create(device, pipelines ? *pipelines : *core->context->pipelines, std::move(program), options);
  if (!executor) return executor.error();
  core->executor = std::move(*executor);
  auto impl = std::make_unique<Plan::Impl>();
  for (const compile::External& external : core->executor->program().externals)
    impl->ports.push_back({to_role(external.role), external.name, external.shape, external.dtype, external.bytes, external.updated});
  impl->core = std::move(core);
  return Plan(std::move(impl));
}

std::span<const Port> Plan::ports() const {
  return impl_->ports;
}

const Port* Plan::find_port(std::string_view name) const {
  const auto at = std::find_if(impl_->ports.begin(), impl_->ports.end(), [&](const Port& p) { return p.name == name; });
  return at == impl_->ports.end() ? nullptr : &*at;
}

std::string Plan::program_text() const {
  return compile::to_text(impl_->core->executor->program());
}

PlanMemory Plan::memory() const {
  const compile::Program& program = impl_->core->executor->program();
  return {program.arena_bytes, program.constants.size()};
}

Result<void> check_not_moved(std::string_view call, const Plan& plan) {
  if (plan.valid()) return {};
  return Error{ErrorCode::invalid_argument, cat(call, ": the plan was moved from")};
}

Result<void> check_use(std::string_view call, const Plan& plan, const Bindings& bindings) {
  if (Result<void> checked = check_not_moved(call, plan); !checked) return checked;
  if (Result<void> checked = plan.impl().core->context->device->check_not_lost(call); !checked) return checked;
  if (!bindings.valid()) return Error{ErrorCode::invalid_argument, cat(call, ": the bindings were moved from")};
  if (bindings.impl().core != plan.impl().core)
    return Error{ErrorCode::invalid_argument, cat(call, ": the bindings are another plan's")};
  return {};
}

Result<Bindings> bind_ranges(Plan& plan, std::span<const run::NamedRange> given) {
  const std::shared_ptr<PlanCore>& core = plan.impl().core;
  if (Result<void> checked = core->context->device->check_not_lost("bind"); !checked) return checked.error();
  const Result<std::vector<run::NamedRange>> ranges =
      run::match(core->executor->program(), given, core->context->device->caps.storage_alignment);
  if (!ranges) return ranges.error();
  Result<run::BoundSets> sets = core->executor->bind(*ranges);
  if (!sets) return sets.error();
  return Bindings(std::unique_ptr<Bindings::Impl>(new Bindings::Impl{core, std::move(*sets), {}, {}}));
}

Result<Bindings> Plan::bind(std::span<const PortBuffer> buffers) {
  if (Result<void> checked = check_not_moved("bind", *this); !checked) return checked.error();
  std::vector<run::NamedRange> ranges;
  for (const PortBuffer& port : buffers) {
    run::NamedRange range{port.name, VK_NULL_HANDLE, port.offset, 0};
    if (port.buffer) {
      if (port.buffer->impl().context != impl_->core->context)
        return Error{ErrorCode::invalid_argument, cat("bind: '", port.name, "' has a buffer of another Context")};
      range.buffer = handle(*port.buffer);
      range.size = port.buffer->size() - std::min(port.offset, port.buffer->size());
    }
    ranges.push_back(range);
  }
  return bind_ranges(*this, ranges);
}

Result<void> Plan::submit(const Bindings& bindings) {
  return fovea::submit(*this, bindings, {}, {});
}

Result<void> Plan::wait(std::uint64_t timeout_ns) {
  if (Result<void> checked = check_not_moved("wait", *this); !checked) return checked;
  if (Result<void> checked = impl_->core->context->device->check_not_lost("wait"); !checked) return checked;
  return impl_->core->wait(timeout_ns);
}

Result<void> Plan::run_watched(const Bindings& bindings, std::uint64_t budget_ns) {
  if (Result<void> checked = check_use("run_watched", *this, bindings); !checked) return checked;
  PlanCore& core = *impl_->core;
  if (Result<void> checked = core.context->device->check_queue("run_watched"); !checked) return checked;
  std::vector<vk::CommandPair>& steps = bindings.impl().steps;
  if (steps.empty()) {
    Result<std::vector<vk::CommandPair>> recorded = run::record_steps(*core.executor, bindings.impl().sets);
    if (!recorded) return recorded.error();
    steps = std::move(*recorded);
  }
  const auto wait_for = [&](const auto&... what) -> Result<void> {
    const Result<void> done = core.submissions.wait(budget_ns);
    if (done || done.error().code != ErrorCode::timeout) return done;
    return Error{ErrorCode::timeout, cat("run_watched: ", what..., " has not finished after ", budget_ns, " ns")};
  };
  if (Result<void> done = wait_for("an earlier run"); !done) return done;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (Result<void> done = core.submissions.submit(steps[i].commands, {}, {}); !done) return done;
    const std::string& label = core.executor->program().dispatches[i].label;
    if (Result<void> done = wait_for(label, ", dispatch ", i + 1, " of ", steps.size(), ','); !done) return done;
  }
  return core.wait(budget_ns);
}

Result<std::vector<std::vector<std::byte>>> Plan::run(std::span<const PortData> inputs) {
  if (Result<void> checked = check_not_moved("run", *this); !checked) return checked.error();
  const vk::Device& device = *impl_->core->context->device;
  if (Result<void> checked = device.check_queue("run"); !checked) return checked.error();
  const Result<std::vector<const PortData*>> data = match_data(impl_->ports, inputs);
  if (!data) return data.error();
  if (!impl_->staged) {
    Result<Impl::Staged> staged = make_staged(*this);
    if (!staged) return staged.error();
    impl_->staged.emplace(std::move(*staged));
  }
  std::vector<vk::Buffer>& buffers = impl_->staged->buffers;
  for (std::size_t i = 0; i < buffers.size(); ++i)
    if (const PortData* port = (*data)[i])
      if (Result<void> done = vk::upload(device, buffers[i], 0, port->bytes); !done) return done.error();
  if (Result<void> done = submit(impl_->staged->bindings); !done) return done.error();
  if (Result<void> done = wait(); !done) return done.error();
  std::vector<std::vector<std::byte>> outputs;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (impl_->ports[i].role != Port::Role::output) continue;
    std::vector<std::byte>& bytes = outputs.emplace_back(static_cast<std::size_t>(data_bytes(impl_->ports[i])));
    if (Result<void> done = vk::download(device, buffers[i], 0, bytes); !done) return done.error();
  }
  return outputs;
}

Report Plan::report() const {
  const compile::Program& program = impl_->core->executor->program();
  const std::vector<run::Interval> times = impl_->core->times();
  Report report;
  report.device = impl_->core->context->info.name;
  report.driver = impl_->core->context->info.driver;
  report.arena_bytes = program.arena_bytes;
  report.arena_lower_bound = program.arena_lower_bound;
  report.arena_unaliased_bytes = program.arena_unaliased_bytes;
  report.arena_held_bytes = program.arena_held_bytes;
  for (std::size_t i = 0; i < program.dispatches.size(); ++i) {
    const compile::Dispatch& dispatch = program.dispatches[i];
    DispatchReport& out = report.dispatches.emplace_back();
    out.label = dispatch.label;
    out.kernel = dispatch.kernel;
    out.choice = dispatch.choice;
    out.shader = dispatch.shader->name;
    out.program_line = compile::to_text(program, dispatch);
    out.flops = dispatch.flops;
    out.bytes = dispatch.bytes;
    if (i >= times.size()) continue;
    out.start_milliseconds = times[i].start;
    out.milliseconds = times[i].end - times[i].start;
  }
  if (!times.empty()) report.milliseconds = times.back().end;
  return report;
}

}  // namespace fovea
