#include "compile/tuning.hpp"

#include "base/half.hpp"
#include "base/hash.hpp"
#include "compile/passes.hpp"
#include "ops/attention.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>

namespace fovea::compile {

std::string operands_text(const ops::NodeView& node) {
  std::string text = "(";
  for (std::size_t i = 0; i < node.inputs(); ++i)
    text += cat(i ? ", " : "", node.has(i) ? cat(to_string(node.in(i).dtype), to_string(node.in(i).shape)) : "-");
  return text + ')';
}

std::string node_key(const ops::NodeView& node) {
  std::string key = cat(node.node.op->name, " {", node.node.attrs.text(true), "} ", operands_text(node));
  std::replace(key.begin(), key.end(), '\n', ' ');  // an author's text may have them
  return key;
}

const KernelTime& best_of(std::span<const KernelTime> kernels) {
  constexpr double margin = 0.97;  // repeated, the least of some runs differs by 1 to 2 percent
  const auto faster = [](const KernelTime& a, const KernelTime& b) { return a.microseconds < b.microseconds; };
  const KernelTime& fastest = *std::min_element(kernels.begin(), kernels.end(), faster);
  return fastest.microseconds < margin * kernels[0].microseconds ? fastest : kernels[0];
}

std::vector<OpenChoice> find_open_choices(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options) {
  std::vector<OpenChoice> found;
  std::set<std::string> keys;
  const auto live = live_nodes(graph);
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) {
    const ir::Node& node = graph.nodes[n];
    if (!live[n] || node.op->kernels.size() < 2 || !forced_kernel(options, *node.op).empty()) continue;
    const ops::NodeView view{graph, node};
    std::string key = node_key(view);
    if (!keys.insert(key).second) continue;
    OpenChoice open{n, std::move(key), {}};
    for (const Choice& choice : find_candidates(view, caps)) open.kernels.emplace_back(choice.kernel->name);
    if (open.kernels.size() > 1) found.push_back(std::move(open));
  }
  return found;
}

// ---- One node by itself -------------------------------------------------------------------------------------------

ir::Graph isolate(const ops::NodeView& node) {
  ir::Graph graph;
  std::vector<Tensor> in;
  for (std::size_t i = 0; i < node.inputs(); ++i) {
    ir::Value input{.type = {}, .kind = ir::ValueKind::input, .name = cat("operand ", i)};
    if (node.has(i)) input.type = node.in(i);
    in.push_back(node.has(i) ? Tensor(&graph, graph.add_value(std::move(input))) : Tensor());
  }
  const std::vector<Tensor> out = ops::append(*node.node.op, in, node.node.attrs, node.node.site);
  for (std::size_t i = 0; i < node.outputs() && !graph.error; ++i)
    graph.outputs.push_back({cat("result ", i), out[i].id(), ir::none});
  return graph;
}

namespace {

// Columns of an operand's last axis before the two that say from where to where keys are seen: those are attention's ranges, or
// ends as numbers among the statistics of the way back. -1: it has no such two.
int columns_before_range(const ops::NodeView& node, std::size_t i) {
  const bool backward = node.node.op == &ops::attention_backward_op;
  if (!backward && node.node.op != &ops::attention_op) return -1;
  if (i == (backward ? ops::attention_backward_ranges : ops::attention_ranges)) return 0;
  return backward && node.has(ops::attention_backward_ranges) && i == ops::attention_backward_stats ? 3 : -1;
}

}  // namespace

std::vector<std::byte> make_operand(const ops::NodeView& node, std::size_t i) {
  const ir::Type& type = node.in(i);
  std::vector<std::byte> bytes(storage_bytes(type).value_or(4));
  const std::size_t size = size_of(type.dtype), count = static_cast<std::size_t>(type.shape.elements());
  const auto put = [&](std::size_t at, auto value) { std::memcpy(bytes.data() + at * size, &value, size); };
  auto seed = static_cast<std::uint32_t>(i + 1);
  for (std::size_t at = 0; at < count; ++at) {
    seed = seed * 1664525u + 1013904223u;
    const float drawn = static_cast<float>(static_cast<std::int32_t>(seed)) * 0x1p-31f;
    if (type.dtype == DType::f32) put(at, drawn);
    if (type.dtype == DType::f16) put(at, half_from_float(drawn));
    if (type.dtype == DType::bf16) put(at, bfloat_from_float(drawn));
    if (type.dtype == DType::boolean) put(at, std::uint32_t{1});
  }  // and integers are 0, which is an index wherever there is one
  const int before = columns_before_range(node, i);
  if (before < 0) return bytes;
  const auto columns = static_cast<std::size_t>(before + 2);
  const auto keys = static_cast<std::int32_t>(ops::AttentionShape(node).Lk);
  for (std::size_t row = 0; row + columns <= count; row += columns) {
    put(row + columns - 2, std::int32_t{0});
    if (type.dtype == DType::i32) put(row + columns - 1, keys);
    else put(row + columns - 1, static_cast<float>(keys));
  }
  return bytes;
}

// ---- As text ------------------------------------------------------------------------------------------------------

namespace {

// Names what was there to measure: the operators, their kernels in order, and the shaders.
std::string kernel_set() {
  const auto hash_text = [](std::string_view text, std::uint64_t hash) { return hash_bytes(std::as_bytes(std::span(text)), hash); };
  std::uint64_t hash = hash_bytes({});
  for (const ops::OpDef* op : ops::all_ops()) {
    hash = hash_text(op->name, hash);
    for (const ops::Kernel& kernel : op->kernels) hash = hash_text(kernel.name, hash);
  }
  for (const ShaderInfo& shader : shader_table()) hash = hash_bytes(std::as_bytes(shader.code), hash_text(shader.name, hash));
  return cat("kernels ", hash);
}

// Takes the text before the separator off the front; all of it where there is none.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

}  // namespace

std::string to_text(const Tuning& tuning) {
  std::string text = kernel_set() + '\n';
  for (const auto& [key, kernels] : tuning) {
    for (const KernelTime& kernel : kernels) text += cat(kernel.kernel, ' ', kernel.microseconds, ' ');
    text += cat('\t', key, '\n');
  }
  return text;
}

Result<Tuning> read_tuning(std::string_view text) {
  if (take(text, '\n') != kernel_set()) return Error{ErrorCode::invalid_argument, "tuning: of other kernels than this build's"};
  Tuning tuning;
  while (!text.empty()) {
    std::string_view line = take(text, '\n'), times = take(line, '\t');
    std::vector<KernelTime> kernels;
    while (!times.empty()) {
      const std::string_view name = take(times, ' '), number = take(times, ' ');
      double microseconds = -1;
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), microseconds);
      if (error != std::errc() || end != number.data() + number.size() || !(microseconds >= 0) || std::isinf(microseconds))
        return Error{ErrorCode::invalid_argument, "tuning: damaged"};
      kernels.push_back({std::string(name), microseconds});
    }
    if (kernels.empty() || line.empty()) return Error{ErrorCode::invalid_argument, "tuning: damaged"};
    tuning[std::string(line)] = std::move(kernels);
  }
  return tuning;
}

}  // namespace fovea::compile
