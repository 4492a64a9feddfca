// ggml's Vulkan backend as a peer (README.md). Arguments: the folder of ggml's backends, and that of operands and
// result.

#include "bench/peers/serve.hpp"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace {

// ggml names extents from the innermost axis on.
class Graph {
 public:
  Graph(ggml_backend_t backend, std::filesystem::path folder)
      : backend_(backend),
        folder_(std::move(folder)),
        context_(ggml_init({64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true})) {}
  ~Graph() {
    ggml_backend_buffer_free(buffer_);
    ggml_free(context_);
  }
  Graph(const Graph&) = delete;

  ggml_context* context() { return context_; }
  ggml_tensor* operand(std::int64_t a, std::int64_t b, std::int64_t c = 1, std::int64_t d = 1) {
    operands_.push_back(ggml_new_tensor_4d(context_, GGML_TYPE_F32, a, b, c, d));
    return operands_.back();
  }
  // [keys, queries] of zeros and, for keys after the query, -infinity.
  ggml_tensor* causal_mask(std::int64_t keys, std::int64_t queries) {
    return mask_ = ggml_new_tensor_2d(context_, GGML_TYPE_F16, keys, queries);
  }

  // Allocates, reads the operands, does the work once and writes the result.
  bool finish(ggml_tensor* result, std::string& why) {
    if (!ggml_backend_supports_op(backend_, result))
      return why = std::string("no such ") + ggml_op_name(result->op), false;
    graph_ = ggml_new_graph(context_);
    ggml_build_forward_expand(graph_, result);
    if ((buffer_ = ggml_backend_alloc_ctx_tensors(context_, backend_)) == nullptr) return why = "no memory", false;
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const auto count = static_cast<std::size_t>(ggml_nelements(operands_[i]));
      const std::vector<float> values = bench::read_floats(folder_ / std::to_string(i), count);
      if (values.size() != count)
        return why = "operand " + std::to_string(i) + " has " + std::to_string(values.size()) + " numbers", false;
      ggml_backend_tensor_set(operands_[i], values.data(), 0, count * sizeof(float));
    }
    if (mask_ != nullptr) fill_mask();
    if (!run()) return why = "it failed", false;
    std::vector<float> values(static_cast<std::size_t>(ggml_nelements(result)));
    ggml_backend_tensor_get(result, values.data(), 0, values.size() * sizeof(float));
    bench::write_floats(folder_ / "y",
                        result->op == GGML_OP_FLASH_ATTN_EXT ? heads_outside(values, result->ne) : values);
    return true;
  }
  bool run() {
    const bool done = ggml_backend_graph_compute(backend_, graph_) == GGML_STATUS_SUCCESS;
    ggml_backend_synchronize(backend_);
    return done;
  }

 private:
  // ggml's attention gives [B,L,H,D]: [B,H,L,D].
  static std::vector<float> heads_outside(const std::vector<float>& values, const std::int64_t* e) {
    std::vector<float> turned;
    for (std::int64_t b = 0; b < e[3]; ++b)
      for (std::int64_t h = 0; h < e[1]; ++h)
        for (std::int64_t l = 0; l < e[2]; ++l) {
          const auto row = values.begin() + ((b * e[2] + l) * e[1] + h) * e[0];
          turned.insert(turned.end(), row, row + e[0]);
        }
    return turned;
  }

  void fill_mask() {
    const std::int64_t keys = mask_->ne[0], queries = mask_->ne[1];
    std::vector<ggml_fp16_t> values(static_cast<std::size_t>(keys * queries));
    const ggml_fp16_t seen = ggml_fp32_to_fp16(0), hidden = ggml_fp32_to_fp16(-std::numeric_limits<float>::infinity());
    for (std::int64_t i = 0; i < queries; ++i)
      for (std::int64_t j = 0; j < keys; ++j) values[static_cast<std::size_t>(i * keys + j)] = j <= i ? seen : hidden;
    ggml_backend_tensor_set(mask_, values.data(), 0, values.size() * sizeof(ggml_fp16_t));
  }

  ggml_backend_t backend_;
  std::filesystem::path folder_;
  ggml_context* context_;
  std::vector<ggml_tensor*> operands_;
  ggml_tensor* mask_ = nullptr;
  ggml_cgraph* graph_ = nullptr;
  ggml_backend_buffer_t buffer_ = nullptr;
};

// The result of a work; null: there is none of that name.
ggml_tensor* build(Graph& graph, const std::string& name, std::istream& words) {
  std::vector<std::int64_t> e;
  for (std::int64_t extent; words >> extent;) e.push_back(extent);
  words.clear();
  std::string kind;
  words >> kind;
  ggml_context* context = graph.context();
  if (name == "attention" && e.size() == 5) {  // B H LQ LK D
    ggml_tensor *q = graph.operand(e[4], e[2], e[1], e[0]), *k = graph.operand(e[4], e[3], e[1], e[0]),
                *v = graph.operand(e[4], e[3], e[1], e[0]);
    ggml_tensor* mask = kind == "causal" ? graph.causal_mask(e[3], e[2]) : nullptr;
    ggml_tensor* y = ggml_flash_attn_ext(context, q, k, v, mask, 1 / std::sqrt(static_cast<float>(e[4])), 0, 0);
    ggml_prec_set_acc(y, GGML_PREC_F32);
    return y;
  }
  if (name == "softmax" && e.size() == 2) return ggml_soft_max(context, graph.operand(e[1], e[0]));
  if (name == "max_pool" && e.size() == 7) {  // N C H W KERNEL STRIDE PADDING
    const int kernel = static_cast<int>(e[4]), stride = static_cast<int>(e[5]);
    const auto padding = static_cast<float>(e[6]);
    return ggml_pool_2d(context, graph.operand(e[3], e[2], e[1], e[0]), GGML_OP_POOL_MAX, kernel, kernel, stride,
                        stride, padding, padding);
  }
  if (name == "linear" && e.size() == 3) {  // M N K
    ggml_tensor *x = graph.operand(e[2], e[0]), *w = graph.operand(e[2], e[1]);
    return ggml_mul_mat(context, w, x);
  }
  if (name == "conv2d" && e.size() == 7) {  // N C H W O KERNEL PADDING
    const int padding = static_cast<int>(e[6]);
    ggml_tensor *x = graph.operand(e[3], e[2], e[1], e[0]), *w = graph.operand(e[5], e[5], e[1], e[4]);
    return ggml_conv_2d_direct(context, w, x, 1, 1, padding, padding, 1, 1);
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    return std::cout << "two folders are wanted: of ggml's backends, of operands and result" << std::endl, 2;
  ggml_backend_load_all_from_path(argv[1]);
  ggml_backend_t backend = nullptr;
  std::string who = "ggml " + std::string(ggml_version());
  for (std::size_t i = 0; i < ggml_backend_dev_count() && backend == nullptr; ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (std::string(ggml_backend_dev_name(device)).starts_with("Vulkan")) {
      backend = ggml_backend_dev_init(device, nullptr);
      who += std::string(", ") + ggml_backend_dev_description(device);
    }
  }
  if (backend == nullptr) return std::cout << who << " sees no Vulkan device here" << std::endl, 1;
  if (std::getenv("GGML_VK_DISABLE_COOPMAT") != nullptr) who += ", without matrix units";
  return bench::serve(who, [&](std::istream& words, std::string& why) -> bench::Work {
    std::string name;
    words >> name;
    auto graph = std::make_shared<Graph>(backend, argv[2]);
    ggml_tensor* result = build(*graph, name, words);
    if (result == nullptr) why = "no work of this peer: " + name;
    if (result == nullptr || !graph->finish(result, why)) return nullptr;
    return [graph] { graph->run(); };
  });
}
