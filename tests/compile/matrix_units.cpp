// What kernels on matrix units plan of shared memory, beside what their modules take of it.

#include "base/shader_workgroup.hpp"
#include "base/specialize.hpp"
#include "base/text.hpp"
#include "compile/compiler.hpp"
#include "tests/support/everything.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <string>

using namespace fovea;

TEST_CASE("kernels on matrix units keep the device's shared memory, whatever it has, in matrices of any shape") {
  if (!find_shader("matmul_matrix.f16")) {
    MESSAGE("absent: no glslang here knows cooperative matrices, and the build lacks their kernels");
    return;
  }
  const auto attend = [](Graph& graph, std::int64_t D, bool gradient) {
    const Shape shape{1, 2, 70, D};
    const Tensor q = graph.input("q", shape, DType::f16), k = graph.input("k", shape, DType::f16), v = graph.input("v", shape, DType::f16);
    const Tensor y = attention(q, k, v, {.causal = true});
    graph.output("y", gradient ? grad(y, {q}, {.seed = graph.input("d", shape, DType::f16)})[0] : y);
  };
  using Build = std::function<void(Graph& graph, std::int64_t size)>;
  struct Row {
    std::string kernel;
    Build build;
  };
  struct Device {
    MatrixShape matrix;
    std::uint32_t subgroup;
  };
  const Row rows[] = {
      {"attention=attention_matrix", [&](Graph& graph, std::int64_t D) { attend(graph, D, false); }},
      {"attention=attention_matrix2", [&](Graph& graph, std::int64_t D) { attend(graph, D, false); }},
      {"attention_backward=attention_backward_matrix", [&](Graph& graph, std::int64_t D) { attend(graph, D, true); }},
      {"attention_backward=attention_backward_matrix2", [&](Graph& graph, std::int64_t D) { attend(graph, D, true); }},
      {"matmul=matmul_matrix",
       [](Graph& graph, std::int64_t K) {
         graph.output("y", matmul(graph.input("a", {300, K}, DType::f16), graph.input("b", {200, K}, DType::f16), {.transpose_b = true}));
       }},
  };
  constexpr Device devices[] = {{{8, 8, 8}, 8}, {{16, 16, 16}, 32}, {{16, 16, 16}, 64}, {{16, 8, 16}, 32}, {{8, 16, 16}, 16}};
  for (const Row& row : rows) {
    int taken = 0;
    for (const Device& device : devices)
      for (const std::uint32_t shared : {16384u, 32768u, 49152u, 65536u})
        for (const std::int64_t size : {1, 20, 64, 100, 128, 256}) {
          const std::string what = cat(row.kernel, " of ", size, " in matrices of ", device.matrix.M, " x ", device.matrix.N, ", ", shared, " bytes");
          CAPTURE(what);
          DeviceCaps caps;
          test::give_everything(caps);
          caps.type = DeviceType::cpu;  // heads of any size: registers are no matter here
          caps.matrix_shapes = {device.matrix};
          caps.subgroup_size = caps.min_subgroup_size = caps.max_subgroup_size = device.subgroup;
          caps.max_shared_bytes = shared;
          Graph graph;
          row.build(graph, size);
          const auto program = compile::compile(graph.ir(), caps, {.force_kernel = {row.kernel}});
          if (!program) continue;  // not even one subgroup has room
          for (const compile::Dispatch& dispatch : program->dispatches) {
            if (!multiplies_matrices(*dispatch.shader)) continue;
            CHECK(reflect_workgroup(specialize(dispatch.shader->code, dispatch.constants)).shared_bytes <= shared);
            ++taken;
          }
        }
    CHECK_MESSAGE(taken > 40, row.kernel);
  }
}
