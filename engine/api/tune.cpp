// Context::tune: the kernels of one node after another, each as a plan of its own.

#include "api/internal.hpp"
#include "compile/compiler.hpp"
#include "compile/passes.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace fovea {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What one call measures with. The pipelines are its own: those of kernels that lose must not stay in the Context's.
struct Tuner {
  Context& context;
  vk::PipelineStore& pipelines;
  Clock::time_point start;
  double seconds;

  bool has_time() const { return seconds_since(start) < seconds; }
  static Error no_time() { return {ErrorCode::timeout, "the time had passed"}; }

  Result<double> time_run(Plan& plan, const Bindings& bindings) const {
    const Clock::time_point before = Clock::now();
    if (Result<void> done = plan.submit(bindings); !done) return done.error();
    if (Result<void> done = plan.wait(); !done) return done.error();
    const double on_host = seconds_since(before) * 1e6;
    const std::vector<run::Interval> on_device = plan.impl().core->times();
    return on_device.empty() ? on_host : on_device.back().end * 1e3;
  }

  // The least of some runs: what disturbs one only makes it longer. `best`: of the kernels before.
  Result<double> time_plan(Plan& plan, const Bindings& bindings, double best) const {
    constexpr int most_runs = 30;
    constexpr double enough = 0.1, far_behind = 3;  // seconds; times the best
    // Tells nothing: it touches memory for the first time, and some drivers compile a shader when it is first dispatched.
    if (const Result<double> warming = time_run(plan, bindings); !warming) return warming;
    const Clock::time_point began = Clock::now();
    double least = std::numeric_limits<double>::infinity();
    for (int run = 0; run < most_runs && (run < 3 || seconds_since(began) < enough); ++run) {
      if (!has_time()) return no_time();
      const Result<double> time = time_run(plan, bindings);
      if (!time) return time;
      least = std::min(least, *time);
      if (best > 0 && least > far_behind * best) break;
    }
    return least;
  }

  Result<std::vector<KernelTime>> time_kernels(const ops::NodeView& node, const std::vector<std::string>& kernels) const {
    const ir::Graph graph = compile::isolate(node);
    const bool timestamps = caps_of(context).timestamp_period_ns > 0;
    std::vector<Buffer> buffers;
    std::vector<KernelTime> times;
    double best = 0;
    for (const std::string& kernel : kernels) {
      if (!has_time()) return no_time();
      const CompileOptions options{.force_kernel = {cat(node.node.op->name, '=', kernel)}, .timestamps = timestamps};
      Result<compile::Program> program = compile::compile(graph, caps_of(context), options);
      if (!program) return program.error();
      Result<Plan> plan = plan_from_program(context, std::move(*program), options, &pipelines);
      if (!plan) return plan.error();
      if (buffers.empty())
        if (Result<void> made = fill(node, *plan, buffers); !made) return made.error();
      std::vector<PortBuffer> ports;
      for (const Port& port : plan->ports()) ports.push_back({port.name, &buffers[ports.size()]});
      Result<Bindings> bindings = plan->bind(ports);
      if (!bindings) return bindings.error();
      const Result<double> time = time_plan(*plan, *bindings, best);
      if (!time) return time.error();
      times.push_back({kernel, *time});
      best = best > 0 ? std::min(best, *time) : *time;
    }
    return times;
  }

  // A buffer a port: the operands that are there, then the results.
  Result<void> fill(const ops::NodeView& node, const Plan& plan, std::vector<Buffer>& buffers) const {
    std::size_t operand = 0;
    for (const Port& port : plan.ports()) {
      Result<Buffer> buffer = context.make_buffer(port.bytes, false, port.name);
      if (!buffer) return buffer.error();
      buffers.push_back(std::move(*buffer));
      if (port.role == Port::Role::output) continue;
      while (!node.has(operand)) ++operand;
      if (Result<void> done = buffers.back().upload(compile::make_operand(node, operand++)); !done) return done;
    }
    return {};
  }
};

// Whether these kernels, and no others, were measured.
bool are_known(const std::vector<KernelTime>& times, const std::vector<std::string>& kernels) {
  return std::ranges::equal(times, kernels, {}, &KernelTime::kernel);
}

}  // namespace

Result<TuneReport> Context::tune(const Graph& graph, const TuneOptions& options) {
  const Clock::time_point start = Clock::now();
  if (Result<void> checked = impl_->device->check_queue("tune"); !checked) return checked.error();
  if (!(options.seconds >= 0)) return Error{ErrorCode::invalid_argument, cat("tune: seconds is ", options.seconds)};
  const DeviceCaps& caps = caps_of(*this);
  const Result<ir::Graph> lowered = compile::lower(graph.ir(), caps, options.compile);
  if (!lowered) return lowered.error();
  const Result<std::unique_ptr<vk::PipelineStore>> pipelines = vk::PipelineStore::create(*impl_->device, {});
  if (!pipelines) return pipelines.error();
  const Tuner tuner{*this, **pipelines, start, options.seconds};
  compile::Tuning known = impl_->copy_tuning();

  TuneReport report;
  report.device = impl_->info.name;
  report.driver = impl_->info.driver;
  for (const compile::OpenChoice& open : compile::find_open_choices(*lowered, caps, options.compile)) {
    const ops::NodeView node{*lowered, lowered->nodes[open.node]};
    const std::string attrs = node.node.attrs.text();
    TunedNode& told = report.nodes.emplace_back();
    told.node = cat(node.node.op->name, ' ', attrs.empty() ? "" : cat('{', attrs, "} "), compile::operands_text(node));
    std::vector<KernelTime>& times = known[open.key];
    if (are_known(times, open.kernels)) {
      told.kernels = times;
    } else if (Result<std::vector<KernelTime>> measured = tuner.time_kernels(node, open.kernels)) {
      told.kernels = times = std::move(*measured);
      const std::lock_guard lock(impl_->tuning_mutex);
      impl_->tuning[open.key] = times;
    } else {
      if (measured.error().code == ErrorCode::device_lost) return measured.error();
      told.left = measured.error().message;
      for (const std::string& kernel : open.kernels) told.kernels.push_back({kernel, 0});
    }
    const std::string best = times.empty() ? "" : compile::best_of(times).kernel;
    const bool fits = std::ranges::find(open.kernels, best) != open.kernels.end();  // unless measured with other features enabled
    told.chosen = fits ? best : open.kernels[0];
  }
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace fovea
