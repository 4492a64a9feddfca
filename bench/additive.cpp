// Additive scores and attention by features beside sum, activation, and product or softmax: B,Lq,Lk,A.

#include "bench/row.hpp"

namespace bench {
namespace {

struct Shape {
  std::int64_t batch, queries, keys, features;
  bool gradient = false;

  std::string name() const { return joined(batch, queries, keys, features) + (gradient ? "/gradient" : ""); }
  // Forward and, with the gradient, once more for each side.
  double flops() const { return (gradient ? 24.0 : 6.0) * static_cast<double>(batch * queries * keys * features); }
  fovea::Shape rows(std::int64_t count) const { return {batch, count, features}; }
};

Row score(const Shape& s) {
  const auto build = [=](fovea::Graph& graph) {
    const std::vector<fovea::Tensor> in{graph.input("q", s.rows(s.queries)), graph.input("k", s.rows(s.keys)),
                                        graph.input("v", {s.features})};
    put_out(graph, fovea::additive_score(in[0], in[1], in[2]), in, s.gradient);
  };
  return {"additive_score/" + s.name(),
          fused_and_not(build, {"additive_score=decompose", "additive_score_backward=decompose"}), s.flops()};
}

Row feature(const Shape& s) {
  const auto build = [=](fovea::Graph& graph) {
    const std::vector<fovea::Tensor> in{graph.input("q", s.rows(s.queries)), graph.input("k", s.rows(s.keys)),
                                        graph.input("x", s.rows(s.keys))};
    put_out(graph, fovea::feature_attention(in[0], in[1], in[2], {.scale = 5, .side = fovea::KeySide::before}), in,
            s.gradient);
  };
  return {"feature_attention/" + s.name(),
          fused_and_not(build, {"feature_attention=decompose", "feature_attention_backward=decompose"}), s.flops()};
}

}  // namespace

std::vector<Row> additive_rows() {
  std::vector<Row> rows;
  for (const bool gradient : {false, true}) {
    rows.push_back(score({8, 64, 64, 256, gradient}));    // a pointer network
    rows.push_back(score({64, 1, 256, 512, gradient}));   // one step of a decoder
    rows.push_back(feature({4, 64, 64, 300, gradient}));  // DiSAN
  }
  return rows;
}

}  // namespace bench
