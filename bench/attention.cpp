// Attention and its gradient beside matmul, softmax, matmul: B,H,Lq,Lk,D.

#include "bench/pair.hpp"

namespace bench {
namespace {

struct Shape {
  std::int64_t batch, heads, queries, keys, size;
  bool causal, gradient = false;
};

// Two products forward; the gradient makes them and five more.
double flops(const Shape& s) {
  return (s.gradient ? 14.0 : 4.0) * static_cast<double>(s.batch * s.heads * s.queries * s.keys * s.size) * (s.causal ? 0.5 : 1.0);
}

Pair pair_of(const Shape& s) {
  const auto build = [=](fovea::Graph& graph) {
    const fovea::Shape q{s.batch, s.heads, s.queries, s.size}, k{s.batch, s.heads, s.keys, s.size};
    const std::vector<fovea::Tensor> in{graph.input("q", q), graph.input("k", k), graph.input("v", k)};
    put_out(graph, fovea::attention(in[0], in[1], in[2], {.causal = s.causal}), in, s.gradient);
  };
  const std::string name = "attention/" + joined(s.batch, s.heads, s.queries, s.keys, s.size);
  return {name + (s.causal ? "/causal" : "") + (s.gradient ? "/gradient" : ""), build,
          {"attention=decompose", "attention_backward=decompose"}, flops(s)};
}

}  // namespace

std::vector<Pair> attention_pairs() {
  const Shape shapes[] = {{1, 8, 512, 512, 64, false},   {1, 8, 1024, 1024, 64, false}, {1, 16, 1024, 1024, 128, false},
                          {1, 8, 1024, 1024, 64, true},  {64, 1, 256, 1296, 76, false},
                          {1, 8, 512, 512, 64, false, true}, {1, 8, 1024, 1024, 64, true, true}};
  std::vector<Pair> pairs;
  for (const Shape& shape : shapes) pairs.push_back(pair_of(shape));
  return pairs;
}

}  // namespace bench
