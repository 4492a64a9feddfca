// Attention and its gradient beside matmul, softmax, matmul, and beside peers: B,H,Lq,Lk,D.

#include "bench/row.hpp"

#include <fovea/glsl.hpp>

namespace bench {
namespace {

struct Shape {
  std::int64_t batch, heads, queries, keys, size;
  bool causal = false, gradient = false;
  std::int64_t window = 0;  // a query sees itself and the keys before it, so many together; 0: all
  std::string mask{};       // an author's, in GLSL
  std::int64_t side = 0;    // of a square that queries and keys fill, of which a query sees 21 x 21; 0: all

  std::string name() const {
    return "attention/" + joined(batch, heads, queries, keys, size) + (causal ? "/causal" : "") +
           (window > 0 ? "/window" + std::to_string(window) : "") + (gradient ? "/gradient" : "");
  }
  // The pairs of query and key that take part; of equally many queries and keys where some do not.
  double pairs() const {
    const auto q = static_cast<double>(queries), k = static_cast<double>(keys), w = static_cast<double>(window);
    const double seen = window > 0 ? w * q - w * (w - 1) / 2 : causal ? q * (q + 1) / 2 : q * k;
    return static_cast<double>(batch * heads) * seen;
  }
  // Two products forward; the gradient makes them and five more.
  double flops() const { return (gradient ? 14 : 4) * pairs() * static_cast<double>(size); }
  std::string work() const {
    if (gradient || window > 0) return "";
    std::string text = "attention";
    for (const std::int64_t extent : {batch, heads, queries, keys, size}) text += ' ' + std::to_string(extent);
    return text + (causal ? " causal" : " full");
  }
};

Way way(std::string name, const Shape& s, std::vector<std::string> forced = {}, double times = 1) {
  const auto build = [=](fovea::Graph& graph) {
    const fovea::Shape q{s.batch, s.heads, s.queries, s.size}, k{s.batch, s.heads, s.keys, s.size};
    const std::vector<fovea::Tensor> in{graph.input("q", q), graph.input("k", k), graph.input("v", k)};
    fovea::AttentionDesc desc{.causal = s.causal};
    if (s.window > 0) desc.window_left = s.window - 1, desc.window_right = 0;
    if (s.side > 0) desc.neighbourhood = {.queries = {s.side, s.side}, .radius = {10, 10}};
    if (!s.mask.empty()) desc.mod = fovea::glsl::compile({.mask_mod = s.mask}).value();
    put_out(graph, fovea::attention(in[0], in[1], in[2], desc), in, s.gradient);
  };
  return {std::move(name), build, std::move(forced), times};
}

Row row(const Shape& s) {
  std::vector<Way> ways{way("fovea", s), way("unfused", s, {"attention=decompose", "attention_backward=decompose"})};
  if (s.gradient) {
    Shape forward = s;
    forward.gradient = false;
    ways.push_back(way("forward", forward));
  } else {
    ways.push_back(way("tile", s, {"attention=attention_tile"}));
  }
  return {s.name(), std::move(ways), s.flops(), 0, s.work()};
}

}  // namespace

std::vector<Row> attention_rows() {
  constexpr bool causal = true, gradient = true;
  const Shape shapes[] = {{1, 8, 512, 512, 64},
                          {1, 8, 1024, 1024, 64},
                          {1, 8, 1024, 1024, 64, causal},
                          {1, 16, 1024, 1024, 128},
                          {1, 16, 1024, 1024, 128, causal},
                          {64, 1, 256, 1296, 76},
                          {1, 8, 1, 4096, 128},
                          {1, 8, 512, 512, 64, !causal, gradient},
                          {1, 8, 1024, 1024, 64, !causal, gradient},
                          {1, 8, 1024, 1024, 64, causal, gradient}};
  std::vector<Row> rows;
  for (const Shape& shape : shapes) rows.push_back(row(shape));

  // What a window leaves out should cost nothing.
  const Shape dense{1, 1, 8192, 8192, 64}, window{1, 1, 8192, 8192, 64, false, false, 256};
  rows.push_back({window.name(), {way("fovea", window), way("dense", dense)}, window.flops()});
  for (const std::int64_t side : {128, 256}) {
    const std::int64_t pixels = side * side;
    Shape image{1, 1, pixels, pixels, 64}, masked = image, gradient_of_image = image;
    image.side = gradient_of_image.side = side;
    const std::string width = std::to_string(side);
    masked.mask = "abs(i / " + width + " - j / " + width + ") <= 10 && abs(i % " + width + " - j % " + width + ") <= 10";
    const auto times = static_cast<double>(pixels * pixels) / (8192.0 * 8192);  // the pairs of `dense`
    const std::string name = "neighbourhood/21x21/" + width + "x" + width;
    rows.push_back({name, {way("fovea", image), way("mask_mod", masked), way("dense", dense, {}, times)}, 4.0 * static_cast<double>(pixels) * 441 * 64});
    if (side > 128) continue;
    gradient_of_image.gradient = true;
    rows.push_back({name + "/gradient", {way("fovea", gradient_of_image), way("forward", image)}, 14.0 * static_cast<double>(pixels) * 441 * 64});
  }

  // Time grows with the square of the length: shorter ones, as often as the longest holds them.
  const Shape whole{1, 8, 8192, 8192, 64};
  Row growth{"attention/growth/1x8x8192x8192x64", {way("fovea", whole)}, whole.flops()};
  for (const std::int64_t length : {1024, 2048, 4096}) {
    const auto part = 8192.0 / static_cast<double>(length);
    growth.ways.push_back(way(std::to_string(length), {1, 8, length, length, 64}, {}, part * part));
  }
  rows.push_back(std::move(growth));
  const Shape longest{1, 1, 65536, 65536, 64};
  rows.push_back({.name = longest.name(), .ways = {way("fovea", longest)}, .flops = longest.flops(), .once = true});
  return rows;
}

}  // namespace bench
