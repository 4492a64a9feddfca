#include "denoise/denoiser.hpp"

#include <cmath>

namespace denoise {

using fovea::Graph;
using fovea::Tensor;

namespace {

// [1,3,H,W] -> the patch around every pixel that has a whole one: [1, 3(2r+1)², H-2r, W-2r].
Tensor patches(Tensor picture, int radius) {
  const std::int64_t side = 2 * radius + 1;
  const Tensor columns = fovea::unfold(picture, {.kernel = {side, side}});
  return fovea::reshape(columns, {1, -1, picture.dim(2) - 2 * radius, picture.dim(3) - 2 * radius});
}

// Without `margin` pixels at each side.
Tensor inside(Tensor picture, std::int64_t margin) {
  for (const int axis : {2, 3}) picture = fovea::slice(picture, {.axis = axis, .start = margin, .stop = picture.dim(axis) - margin});
  return picture;
}

// [1,C,H,W] -> its pixels, row by row, as a sequence: [1, 1, H·W, C].
Tensor sequence(Tensor x) { return fovea::reshape(fovea::permute(x, {0, 2, 3, 1}), {1, 1, x.dim(2) * x.dim(3), x.dim(1)}); }

// The similarity -|q - k|²/2h² is, but for a constant a query that softmax does not see, (q·k - |k|²/2)/h²: a dot product
// with one more channel, 1 in the query and -|k|²/2 in the key. x [1,C,H,W] -> [1,C+1,H,W].
Tensor extend_keys(Tensor x) {
  return fovea::concat({x, fovea::reduce(fovea::Reduce::sum_square, x, {.axes = {1}, .keep_dims = true}) * -0.5f}, 1);
}
Tensor extend_queries(Graph& graph, Tensor x) {
  const float one[] = {1.0f};
  const fovea::Shape plane{1, 1, x.dim(2), x.dim(3)};
  return fovea::concat({x, fovea::broadcast_to(graph.constant({1, 1, 1, 1}, one), plane)}, 1);
}

double squared_bandwidth(const Settings& settings) { return settings.bandwidth() * settings.bandwidth(); }

float scale_of(const Settings& settings) { return static_cast<float>(1 / squared_bandwidth(settings)); }

// Of `side` x `side` pixels, each sees those within the search radius, which stand in a larger square around them; and itself at its own
// distance.
fovea::Neighbourhood search_window(Graph& graph, std::int64_t side, const Settings& settings) {
  const std::int64_t radius = settings.search_radius, around = side + 2 * radius, window = 2 * radius + 1;
  std::vector<float> bias(static_cast<std::size_t>(window * window));
  bias[bias.size() / 2] = static_cast<float>(-settings.self_distance() / (2 * squared_bandwidth(settings)));
  return {.queries = {side, side}, .keys = {around, around}, .offset = {radius, radius}, .radius = {radius, radius}, .bias = graph.constant({window, window}, bias)};
}

std::span<const std::byte> bytes_of(const std::vector<float>& values) { return std::as_bytes(std::span(values)); }

// The square of the picture that starts at (y, x), continued by reflection: [3, size, size].
std::vector<float> crop(const Image& picture, std::int64_t y, std::int64_t x, std::int64_t size) {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(3 * size * size));
  for (int c = 0; c < 3; ++c)
    for (std::int64_t dy = 0; dy < size; ++dy)
      for (std::int64_t dx = 0; dx < size; ++dx)
        values.push_back(picture.at(c, reflect(y + dy, picture.height), reflect(x + dx, picture.width)));
  return values;
}

}  // namespace

fovea::Result<Denoiser> Denoiser::create(fovea::Context& context, const Settings& settings, double tune_seconds) {
  const int patch = settings.patch_radius, search = settings.search_radius;
  const std::int64_t side = block + 2 * (patch + search);
  Graph graph;
  // Values around 0 keep the squared norms small, and with them their rounding.
  const Tensor picture = graph.input("picture", {1, 3, side, side}) - 0.5f;
  const Tensor own = patches(inside(picture, search), patch), around = patches(picture, patch), pixels = inside(picture, patch);
  const Tensor out = fovea::attention(sequence(extend_queries(graph, own)), sequence(extend_keys(around)), sequence(pixels),
                                      {.scale = scale_of(settings), .neighbourhood = search_window(graph, block, settings)});
  const Tensor rows = fovea::reshape(out, {block, block, 3});
  graph.output("denoised", fovea::permute(rows, {2, 0, 1}) + 0.5f);
  fovea::TuneReport tuning;
  if (tune_seconds > 0) {
    auto tuned = context.tune(graph, {.seconds = tune_seconds});
    if (!tuned) return tuned.error();
    tuning = std::move(*tuned);
  }
  auto plan = context.compile(graph, {.timestamps = true});
  if (!plan) return plan.error();
  return Denoiser(std::move(*plan), settings, std::move(tuning));
}

fovea::Result<Image> Denoiser::run(const Image& noisy, const std::function<void(std::size_t, std::size_t)>& progress) {
  const std::int64_t margin = settings_.patch_radius + settings_.search_radius;
  const std::int64_t columns = (noisy.width + block - 1) / block, rows = (noisy.height + block - 1) / block;
  Image result(noisy.width, noisy.height);
  report_ = {};
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const std::int64_t y0 = i / columns * block, x0 = i % columns * block;
    const std::vector<float> input = crop(noisy, y0 - margin, x0 - margin, block + 2 * margin);
    const fovea::PortData data[] = {{"picture", bytes_of(input)}};
    const auto outputs = plan_.run(data);
    if (!outputs) return outputs.error();
    const auto* values = reinterpret_cast<const float*>((*outputs)[0].data());
    for (int c = 0; c < 3; ++c)
      for (std::int64_t y = 0; y < std::min(block, noisy.height - y0); ++y)
        for (std::int64_t x = 0; x < std::min(block, noisy.width - x0); ++x)
          result.at(c, y0 + y, x0 + x) = values[(c * block + y) * block + x];

    fovea::Report one = plan_.report();
    for (std::size_t d = 0; d < report_.dispatches.size(); ++d) {
      one.dispatches[d].milliseconds += report_.dispatches[d].milliseconds;
      one.dispatches[d].flops += report_.dispatches[d].flops;
      one.dispatches[d].bytes += report_.dispatches[d].bytes;
    }
    one.milliseconds += report_.milliseconds;
    report_ = std::move(one);
    progress(static_cast<std::size_t>(i + 1), static_cast<std::size_t>(rows * columns));
  }
  return result;
}

fovea::Result<std::vector<float>> attention_map(fovea::Context& context, const Image& noisy, const Settings& settings,
                                                std::int64_t x, std::int64_t y) {
  const int patch = settings.patch_radius, search = settings.search_radius;
  const std::int64_t side = 2 * (patch + search) + 1, window = 2 * search + 1;
  Graph graph;
  const Tensor picture = graph.input("picture", {1, 3, side, side}) - 0.5f;
  const Tensor own = patches(inside(picture, search), patch), k = sequence(extend_keys(patches(picture, patch)));
  const auto result = fovea::attention_full(sequence(extend_queries(graph, own)), k, k,
                                            {.scale = scale_of(settings), .neighbourhood = search_window(graph, 1, settings), .return_weights = true});
  graph.output("weights", result.weights);
  auto plan = context.compile(graph);
  if (!plan) return plan.error();
  const std::vector<float> input = crop(noisy, y - patch - search, x - patch - search, side);
  const fovea::PortData data[] = {{"picture", bytes_of(input)}};
  const auto outputs = plan->run(data);
  if (!outputs) return outputs.error();
  const auto* weights = reinterpret_cast<const float*>((*outputs)[0].data());
  return std::vector<float>(weights, weights + window * window);
}

std::array<double, 3> reference_pixel(const Image& noisy, const Settings& settings, std::int64_t x, std::int64_t y) {
  const int patch = settings.patch_radius, search = settings.search_radius;
  const auto pixel = [&](int c, std::int64_t py, std::int64_t px) {
    return static_cast<double>(noisy.at(c, reflect(py, noisy.height), reflect(px, noisy.width)));
  };
  struct Neighbour {
    double distance;
    std::array<double, 3> value;
  };
  std::vector<Neighbour> neighbours;
  double nearest = HUGE_VAL;
  for (std::int64_t dy = -search; dy <= search; ++dy)
    for (std::int64_t dx = -search; dx <= search; ++dx) {
      double distance = dy == 0 && dx == 0 ? settings.self_distance() : 0;
      for (int c = 0; c < 3; ++c)
        for (std::int64_t v = -patch; v <= patch; ++v)
          for (std::int64_t u = -patch; u <= patch; ++u) {
            const double difference = pixel(c, y + v, x + u) - pixel(c, y + dy + v, x + dx + u);
            distance += difference * difference;
          }
      neighbours.push_back({distance, {pixel(0, y + dy, x + dx), pixel(1, y + dy, x + dx), pixel(2, y + dy, x + dx)}});
      nearest = std::min(nearest, distance);
    }
  double total = 0;
  std::array<double, 3> sum{};
  for (const Neighbour& neighbour : neighbours) {
    const double weight = std::exp((nearest - neighbour.distance) / (2 * squared_bandwidth(settings)));
    total += weight;
    for (std::size_t c = 0; c < 3; ++c) sum[c] += weight * neighbour.value[c];
  }
  for (double& value : sum) value /= total;
  return sum;
}

}  // namespace denoise
