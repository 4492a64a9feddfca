#pragma once
// From a graph to a Program, without Vulkan: every decision is taken here, from plain DeviceCaps.

#include "base/device_caps.hpp"
#include "compile/program.hpp"
#include "compile/tuning.hpp"
#include "ir/graph.hpp"

#include <fovea/context.hpp>

namespace fovea::compile {

// Runs the passes in order. Errors: the graph's own first error, an operator no kernel of which fits the device
// (named with the reason), a value larger than the device can bind, an unknown name in force_kernel.
Result<Program> compile(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options, const Tuning& tuning = {});

// The passes before kernels are chosen: every live node is a view or has a kernel. Errors: as compile.
Result<ir::Graph> lower(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options);

}  // namespace fovea::compile
