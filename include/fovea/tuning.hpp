#pragma once
// Choosing kernels by measuring them: Context::tune (context.hpp).

#include <fovea/context.hpp>

#include <string>
#include <vector>

namespace fovea {

struct TuneOptions {
  double seconds = 10;  // how long to measure at most; 0: only tells what there is to measure
  // As the graph will be compiled. Operators that force_kernel names are left alone; what fuse says decides which nodes there are.
  CompileOptions compile{};
};

struct KernelTime {
  std::string kernel;
  double microseconds = 0;  // of one run: on the device where its queue has timestamps, otherwise from submission to the end
};

// A node of the compiled graph that more than one kernel can run. Nodes of one operator, attributes and operand types are one.
struct TunedNode {
  std::string node;                 // "matmul {transpose_b = true} (f32[64,32], f32[48,32])"
  std::vector<KernelTime> kernels;  // in the order of preference, without times where it is not measured
  std::string chosen;               // the kernel that compile takes
  std::string left;                 // why it is not measured; empty: it is, by this call or before
};

struct TuneReport {
  std::string device, driver;
  std::vector<TunedNode> nodes;  // in the order of the graph
  double seconds = 0;            // that the call took

  std::string to_text() const;  // a table for people
};

}  // namespace fovea
