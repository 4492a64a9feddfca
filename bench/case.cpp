#include "bench/case.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace bench {

using fovea::Result;

void put_out(fovea::Graph& graph, fovea::Tensor y, const std::vector<fovea::Tensor>& in, bool gradient) {
  if (!gradient) return graph.output("y", y);
  const auto d = fovea::grad(y, in, {.seed = graph.input("dy", y.shape())});
  for (std::size_t i = 0; i < d.size(); ++i) graph.output("d" + std::to_string(i), d[i]);
}

Result<fovea::Context>& context() {
  static Result<fovea::Context> made = fovea::Context::create();
  return made;
}

// Where each pixel of [N,H,W,2] samples a picture that was turned by some three degrees.
static std::vector<float> turned_grid(const fovea::Shape& shape) {
  std::vector<float> values;
  const std::int64_t height = shape[1], width = shape[2];
  const double cosine = std::cos(0.05), sine = std::sin(0.05);
  for (std::int64_t i = 0; i < shape[0] * height * width; ++i) {
    const double x = (2.0 * static_cast<double>(i % width) + 1) / static_cast<double>(width) - 1;
    const double y = (2.0 * static_cast<double>(i / width % height) + 1) / static_cast<double>(height) - 1;
    values.push_back(static_cast<float>(cosine * x - sine * y));
    values.push_back(static_cast<float>(sine * x + cosine * y));
  }
  return values;
}

Result<std::unique_ptr<Case>> Case::make(const Way& way) {
  fovea::Graph graph;
  way.build(graph);
  const Stopwatch watch;
  Result<fovea::Plan> plan = context()->compile(graph, {.force_kernel = way.forced, .timestamps = true});
  if (!plan) return plan.error();
  std::unique_ptr<Case> made(new Case(std::move(*plan)));
  made->compile_ = watch.stop();

  std::mt19937 draw(1);
  const auto ports = made->plan_.ports();
  made->buffers_.reserve(ports.size());
  std::vector<fovea::PortBuffer> bound;
  for (const fovea::Port& port : ports) {
    Result<fovea::Buffer> buffer = context()->make_buffer(port.bytes, false, port.name);
    if (!buffer) return buffer.error();
    made->buffers_.push_back(std::move(*buffer));
    bound.push_back({port.name, &made->buffers_.back()});
    if (port.role == fovea::Port::Role::output) continue;
    std::vector<float> values;
    if (port.name == "grid")
      values = turned_grid(port.shape);
    else
      for (std::uint64_t i = 0; i < port.bytes / sizeof(float); ++i)
        values.push_back(static_cast<float>(draw()) * 0x1p-31f - 1);
    if (Result<void> done = made->buffers_.back().upload(std::as_bytes(std::span(values))); !done) return done.error();
    made->inputs_.push_back(std::move(values));
  }
  Result<fovea::Bindings> bindings = made->plan_.bind(bound);
  if (!bindings) return bindings.error();
  made->bindings_.emplace(std::move(*bindings));
  if (Result<Times> first = made->run(); !first) return first.error();
  made->first_ = made->last_;
  for (const fovea::DispatchReport& dispatch : made->report().dispatches)
    made->first_ms_.push_back(dispatch.milliseconds);
  return made;
}

Result<Times> Case::run() {
  const Stopwatch watch;
  if (Result<void> done = plan_.submit(*bindings_); !done) return done.error();
  if (Result<void> done = plan_.wait(); !done) return done.error();
  Times times = watch.stop();
  times.device = 1e-3 * report().milliseconds;
  return last_ = times;
}

Times Case::cold() const {
  double most = 0;
  const auto dispatches = report().dispatches;
  for (std::size_t i = 0; i < dispatches.size(); ++i) most = std::max(most, first_ms_[i] - dispatches[i].milliseconds);
  return {compile_.wall + 1e-3 * most, compile_.processor + std::max(first_.processor - last_.processor, 0.0)};
}

Result<std::vector<float>> Case::output() const {
  const auto ports = plan_.ports();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].role != fovea::Port::Role::output) continue;
    std::vector<float> values(ports[i].bytes / sizeof(float));
    if (Result<void> done = buffers_[i].download(std::as_writable_bytes(std::span(values))); !done) return done.error();
    return values;
  }
  return fovea::Error{fovea::ErrorCode::internal, "a row without an output"};
}

}  // namespace bench
