// What a program that embeds Fovea sees: the public headers alone. Describes a graph and shows its error, solves an
// equation, and compiles a modification of attention; needs no device.
#include <fovea/fovea.hpp>
#include <fovea/glsl.hpp>
#include <fovea/linalg.hpp>
#include <fovea/vulkan.hpp>

#include <cstdio>

int main() {
  fovea::Graph graph;
  const fovea::Tensor x = graph.input("x", {2, 3});
  graph.output("y", fovea::softmax(x) * 2.0f);
  if (graph.error()) return std::puts(graph.error()->message.c_str()), 1;
  fovea::softmax(x, {.axis = 5});
  if (!graph.error()) return std::puts("a wrong axis was accepted"), 1;
  std::puts(graph.error()->message.c_str());
  const auto solved = fovea::linalg::solve({1, 1, {2}}, {1, 1, {6}});
  if (!solved || solved->values[0] != 3) return std::puts("2x = 6 has another solution than 3"), 1;
  const auto mod = fovea::glsl::compile({.score_mod = "score - 0.1 * float(i - j)"});
  if (!mod) return std::puts(mod.error().message.c_str()), 1;
  return 0;
}
