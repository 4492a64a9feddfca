#pragma once
// An operator is one aggregate: shapes, gradient, decomposition, kernels. ops.def lists them all.

#include "base/device_caps.hpp"
#include "base/shader_table.hpp"
#include "base/text.hpp"
#include "ir/broadcast.hpp"
#include "ir/graph.hpp"

#include <fovea/ops.hpp>  // Activation
#include <fovea/tensor.hpp>

#include <array>
#include <cassert>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fovea::ops {

// ---- Shapes -------------------------------------------------------------------------------------------------------

// What `infer` reads and fills. Absent optional operands have a null type.
struct InferContext {
  std::vector<const ir::Type*> in;
  const ir::Attrs& attrs;
  std::vector<ir::Type> out{};
  std::string error{};  // without the operator's name and place, which the caller adds

  bool has(std::size_t i) const { return i < in.size() && in[i]; }
  const Shape& shape(std::size_t i) const { return in[i]->shape; }
  DType dtype(std::size_t i) const { return in[i]->dtype; }
  // `return context.fail("k has ", 3, " heads");`
  template <class... Values>
  void fail(const Values&... values) {
    if (error.empty()) error = cat(values...);
  }
};

// ---- Launches -----------------------------------------------------------------------------------------------------

enum class Access : std::uint8_t { read, write, read_write };

// A buffer that a launch binds. Binding numbers are the positions in Launch::operands.
struct LaunchOperand {
  enum class Kind : std::uint8_t { input, output, scratch, none } kind;  // none: a binding this launch does not use
  std::uint32_t index = 0;  // input, output or scratch of the node
  Access access = Access::read;
};
inline LaunchOperand in(std::uint32_t index) { return {LaunchOperand::Kind::input, index, Access::read}; }
inline LaunchOperand out(std::uint32_t index) { return {LaunchOperand::Kind::output, index, Access::write}; }
inline LaunchOperand out_read_write(std::uint32_t index) { return {LaunchOperand::Kind::output, index, Access::read_write}; }
inline LaunchOperand scratch_write(std::uint32_t index) { return {LaunchOperand::Kind::scratch, index, Access::write}; }
inline LaunchOperand scratch_read(std::uint32_t index) { return {LaunchOperand::Kind::scratch, index, Access::read}; }
// A binding that this launch leaves alone. Validation takes the shader at its word: say `write` where it is `writeonly`.
inline LaunchOperand unused(Access access = Access::read) { return {LaunchOperand::Kind::none, 0, access}; }

// One dispatch as an operator asks for it.
struct Launch {
  const ShaderInfo* shader = nullptr;
  std::shared_ptr<const void> keeps;     // what the shader lives in, where that is not the build
  std::vector<std::uint32_t> constants;  // value of constant_id i; from a Spec struct of the shader's .h
  std::vector<std::byte> push;           // the Params struct of the shader's .h
  std::vector<LaunchOperand> operands;
  // Operands that the shader reaches by their device addresses: these follow `push`, 8 bytes each, in this order, and `push` is
  // filled up to a multiple of 8 for them. The operand is bound as well.
  std::vector<std::uint32_t> addresses;
  std::array<std::uint32_t, 3> groups{1, 1, 1};

  // Of `push`, with what aligns the addresses behind it.
  std::size_t push_bytes() const { return addresses.empty() ? push.size() : (push.size() + 7) / 8 * 8; }

  template <class Spec>
  void set_constants(const Spec& spec) {
    static_assert(sizeof(Spec) % 4 == 0);
    constants.resize(sizeof(Spec) / 4);
    std::memcpy(constants.data(), &spec, sizeof(Spec));
  }
  template <class Params>
  void set_push(const Params& params) {
    static_assert(sizeof(Params) <= 128 && sizeof(Params) % 4 == 0);
    push.resize(sizeof(Params));
    std::memcpy(push.data(), &params, sizeof(Params));
  }
};

// Whether a launch may load operands by their addresses, four elements at a time.
inline bool has_quads_by_address(const DeviceCaps& caps) { return caps.buffer_address && caps.storage_alignment % 16 == 0; }

// What a kernel does for one node: launches in order (each may read what the earlier ones wrote), and scratch buffers.
struct KernelPlan {
  std::vector<Launch> launches;
  std::vector<std::uint64_t> scratch_bytes;
};

// A node as kernels see it.
struct NodeView {
  const ir::Graph& graph;
  const ir::Node& node;

  bool has(std::size_t i) const { return i < node.inputs.size() && node.inputs[i] != ir::none; }
  const ir::Type& in(std::size_t i) const { return graph.value(node.inputs[i]).type; }
  const ir::Type& out(std::size_t i) const { return graph.value(node.outputs[i]).type; }
  std::size_t inputs() const { return node.inputs.size(); }
  std::size_t outputs() const { return node.outputs.size(); }
  template <class T>
  const T& attrs() const { return node.attrs.as<T>(); }
};

// One way to compute an operator. Both functions are pure.
struct Kernel {
  const char* name;  // "attention_row": what a caller forces and the Program prints
  // Shapes, dtypes and attributes this kernel accepts on such a device. The shader's presence and capabilities,
  // the number of buffers and the size of each are checked for every kernel alike and need no mention here.
  bool (*supports)(const NodeView& node, const DeviceCaps& caps);
  void (*plan)(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan);
  // Whether this device is one it was made for; null: any. Where it is not, the kernels after it come first.
  bool (*prefers)(const NodeView& node, const DeviceCaps& caps) = nullptr;
  // What it rounds on the way to results in f16, relative to their largest: 2^-11 is to f16. Tests add it to their bound.
  float rounding = 0;
};

// ---- Definitions --------------------------------------------------------------------------------------------------

class Builder;
class Vjp;

// What alone follows a node's result, elementwise: `result + added`, or an activation of it.
struct Follower {
  Tensor added{};  // of the result's dtype; broadcasts to it
  Activation activation = Activation::none;
};

inline constexpr std::size_t all_inputs = SIZE_MAX;

struct OpDef {
  const char* name;
  void (*infer)(InferContext& context);
  std::size_t required_inputs = 1;  // leading operands that must be present; all_inputs: every one
  std::array<const char*, 3> operands{};  // what errors call the first ones; null: "operand 2"
  std::string (*title)(const ir::Attrs& attrs) = nullptr;  // what errors call the operator; null: `name`
  // Rewrites the node as other operators; returns false when it cannot. Fills one tensor an output.
  bool (*decompose)(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) = nullptr;
  std::span<const Kernel> kernels = {};  // best first
  // The gradient (ops/vjp.hpp). Null, or false when this node is beyond it: derived from the decomposition.
  bool (*vjp)(Vjp& vjp) = nullptr;
  const char* no_gradient = nullptr;    // why there is none; "its results are indices"
  std::size_t first_differentiable = 0;  // operands before this one are constants to `grad`
  // Takes the follower into the node, by changing operands and attributes; returns false when it cannot. `in` are the
  // node's operands, and the follower's is one more of the same graph.
  bool (*absorb)(const NodeView& node, const Follower& follower, std::vector<Tensor>& in, ir::Attrs& attrs) = nullptr;
  // Work of one run, for reports: floating-point operations. Null: none.
  double (*flops)(const NodeView& node) = nullptr;
  // The output is the input's bytes under another shape: no launch, shared storage.
  bool is_view = false;
  // The first output is operand 0 with some of it overwritten, in the same bytes: the kernel writes what changes. Where they are
  // needed as they were, the compiler puts a copy before it (compile/rewrite.cpp).
  bool overwrites = false;
};

#define FOVEA_OP(name) extern const OpDef name##_op;
#include "ops/ops.def"
#undef FOVEA_OP

// Every operator, in the order of ops.def.
std::span<const OpDef* const> all_ops();
const OpDef* find_op(std::string_view name);

// ---- Building -----------------------------------------------------------------------------------------------------

// Appends a node to the graph of its inputs, after infer. Absent Tensors in `in` become absent operands. On a mistake
// the graph's sticky error is set and every returned Tensor has an empty shape. The first input must be present.
std::vector<Tensor> append(const OpDef& op, std::span<const Tensor> in, ir::Attrs attrs, CallSite site);
Tensor append_one(const OpDef& op, std::initializer_list<Tensor> in, ir::Attrs attrs, CallSite site);

// What decompose appends with; the public functions of ops.hpp work on its graph, so most decompositions just call them
// with `builder.site`.
class Builder {
 public:
  ir::Graph& graph;
  CallSite site;
};

// ---- Helpers for kernels ------------------------------------------------------------------------------------------

// The variant of a shader for a storage type: "softmax.f16".
inline std::string variant_of(std::string_view stem, DType dtype) {
  return cat(stem, '.', to_string(ir::is_float(dtype) ? dtype : DType::f32));
}
// "softmax" + f16 -> the variant "softmax.f16"; null when absent. i32 and boolean take the f32 variant's place ("word").
const ShaderInfo* shader_for(std::string_view stem, DType dtype);

// Groups for n invocations in groups of `size`, folded into x and y where x alone would pass the device's limit.
// The kernel reads its number with FLAT_GROUP (shaders/lib/shared.h) and returns when past the end.
std::array<std::uint32_t, 3> flat_groups(std::uint64_t n, std::uint32_t size, const DeviceCaps& caps);

// What a device that cuts loops (DeviceCaps::max_loop_iterations) counts of loops of so many iterations, one inside the
// other, the outermost first: whenever one ends it costs one more, and so does each that is inside it. It counts for a vector
// of invocations, which goes on in each loop until its last one leaves it: of numbers that differ between invocations take
// the largest, loop by loop.
inline std::uint64_t nested_loops(std::initializer_list<std::int64_t> iterations) {
  std::uint64_t count = 0, ending = 0;
  for (auto n = std::rbegin(iterations); n != std::rend(iterations); ++n)
    count = static_cast<std::uint64_t>(*n) * (1 + count) + ++ending;
  return count;
}
// Whether the device runs loops of so many iterations in all, and the few that kernels have beside those that shapes lengthen:
// bisections, and trees of a workgroup's lanes.
inline bool loops_fit(const DeviceCaps& caps, std::uint64_t iterations) {
  return caps.max_loop_iterations == 0 || iterations + 64 < caps.max_loop_iterations;
}

inline std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }
inline std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

}  // namespace fovea::ops
