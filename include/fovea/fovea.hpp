#pragma once
// Everything but vulkan.hpp, glm.hpp and io.hpp.

#include <fovea/autodiff.hpp>
#include <fovea/context.hpp>
#include <fovea/graph.hpp>
#include <fovea/kv_cache.hpp>
#include <fovea/loss.hpp>
#include <fovea/normalization.hpp>
#include <fovea/ops.hpp>
#include <fovea/optimizer.hpp>
#include <fovea/plan.hpp>
#include <fovea/recurrent.hpp>
#include <fovea/result.hpp>
#include <fovea/serving.hpp>
#include <fovea/tensor.hpp>
#include <fovea/tuning.hpp>
