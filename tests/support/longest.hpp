#pragma once
// A kernel at the last size that it takes where a driver cuts loops (DeviceCaps::max_loop_iterations). One iteration more than the
// driver bears, and results are wrong there. Test cases are left out where nothing runs: doctest::skip(compiles_only()).

#include "compile/compiler.hpp"
#include "engine/api/internal.hpp"
#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <cmath>
#include <limits>

namespace fovea::test {

using Tensors = std::vector<Tensor>;
using Operands = std::function<std::vector<Operand>(std::int64_t n)>;

inline bool takes(const std::string& kernel, const std::vector<Operand>& operands, const Build& build, const DeviceCaps& caps) {
  Graph graph;
  Tensors in;
  for (const Operand& operand : operands)
    in.push_back(graph.input("in" + std::to_string(in.size()), operand.array.shape, operand.dtype));
  std::size_t outputs = 0;
  for (Tensor tensor : build(graph, in)) graph.output("out" + std::to_string(outputs++), tensor);
  return static_cast<bool>(compile::compile(graph.ir(), caps, {.force_kernel = {kernel}}));
}

// The most that the kernel takes, to some hundredths of a percent, on a device like the CPU drivers that ends loops after 65,535
// iterations.
inline std::int64_t last_taken(const std::string& kernel, const Operands& operands, const Build& build) {
  DeviceCaps caps;
  caps.type = DeviceType::cpu;
  caps.subgroup_size = caps.min_subgroup_size = caps.max_subgroup_size = 8;
  caps.subgroup_operations = ~0u;
  caps.int64 = caps.buffer_address = true;
  caps.max_storage_buffers = 16;
  caps.max_loop_iterations = 65535;
  const auto fits = [&](std::int64_t n) { return takes(kernel, operands(n), build, caps); };
  std::int64_t taken = 512, refused = 1024;
  REQUIRE(fits(taken));
  for (; fits(refused); refused *= 2) {
    REQUIRE(refused < std::int64_t{1} << 22);  // it is refused some time
    taken = refused;
  }
  while (refused - taken > 1 + taken / 4096) {
    const std::int64_t middle = (taken + refused) / 2;
    (fits(middle) ? taken : refused) = middle;
  }
  return taken;
}

// `kernel` is "operator=kernel".
template <class Reference>
void check_longest(const std::string& kernel, const Operands& operands, const Build& build, const Reference& reference,
                   double extra_ulps = 16) {
  const std::int64_t n = last_taken(kernel, operands, build);
  INFO(kernel, ", n = ", n);
  const std::size_t at = kernel.find('=');
  check(kernel.substr(0, at), operands(n), build, reference, {.f16 = false, .extra_ulps = extra_ulps, .kernel = kernel.substr(at + 1)});
}

// The device under test cuts loops after so many iterations, as far as Fovea knows, as long as this lives.
class EarlyLoops {
 public:
  explicit EarlyLoops(std::uint32_t most) : caps_(context().impl()->device->caps), own_(caps_.max_loop_iterations) {
    caps_.max_loop_iterations = most;
  }
  ~EarlyLoops() { caps_.max_loop_iterations = own_; }
  EarlyLoops(const EarlyLoops&) = delete;

 private:
  DeviceCaps& caps_;
  const std::uint32_t own_;
};

template <class A>
using Element = std::decay_t<decltype(std::declval<A>()[0])>;

}  // namespace fovea::test
