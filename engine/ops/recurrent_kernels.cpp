// The kernels of recurrent_scan and its gradient: step for step a product, as matmul makes it on this device, and one
// launch for the gates. States pass from step to step through scratch; what is [T,B,...] is written row by row.

#include "ops/matmul.hpp"
#include "ops/recurrent.hpp"
#include "ops/strided_copy.hpp"

namespace fovea::ops {
namespace {

using namespace shader;

// Products of one shape within another operator's plan: a [M,K] · b [K,N] + bias, b [N,K] where transposed.
struct ProductShape {
  std::int64_t M, N, K;
  bool transpose_b = false;
  Shape bias{0};  // of no element: none
};
class Product {
 public:
  Product(const ProductShape& shape, DType dtype, const DeviceCaps& caps) {
    ir::Graph graph;
    const auto operand = [&](const Shape& of) { return Tensor(&graph, graph.add_constant({of, dtype}, {})); };
    const Tensor a = operand({shape.M, shape.K});
    const Tensor b = operand(shape.transpose_b ? Shape{shape.N, shape.K} : Shape{shape.K, shape.N});
    const Tensor bias = shape.bias.elements() > 0 ? operand(shape.bias) : Tensor();
    matmul(a, b, {.transpose_b = shape.transpose_b, .bias = bias});
    const NodeView node{graph, graph.nodes.back()};
    for (const bool preferred : {true, false})
      for (const Kernel& kernel : matmul_op.kernels)
        if (!possible() && preferred == (!kernel.prefers || kernel.prefers(node, caps)) && kernel.supports(node, caps))
          kernel.plan(node, caps, plan_);
  }
  bool possible() const { return !plan_.launches.empty(); }

  void add(KernelPlan& to, LaunchOperand a, LaunchOperand b, LaunchOperand bias, LaunchOperand y) {
    if (!has_scratch_) {
      has_scratch_ = true, first_scratch_ = static_cast<std::uint32_t>(to.scratch_bytes.size());
      to.scratch_bytes.insert(to.scratch_bytes.end(), plan_.scratch_bytes.begin(), plan_.scratch_bytes.end());
    }
    const LaunchOperand inputs[] = {a, b, bias};
    for (Launch launch : plan_.launches) {
      for (LaunchOperand& operand : launch.operands) {
        if (operand.kind == LaunchOperand::Kind::input) operand = inputs[operand.index];
        else if (operand.kind == LaunchOperand::Kind::output) operand = y;
        else if (operand.kind == LaunchOperand::Kind::scratch) operand.index += first_scratch_;
      }
      to.launches.push_back(std::move(launch));
    }
  }

 private:
  KernelPlan plan_;
  bool has_scratch_ = false;
  std::uint32_t first_scratch_ = 0;
};

// The plan of a scan or of its gradient as it grows.
class Scan {
 public:
  Scan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, const char* shader, std::uint32_t lengths)
      : s(node), attrs(node.attrs<RecurrentAttrs>()), dtype(node.in(0).dtype), node_(node), caps_(caps), plan_(plan) {
    shader_ = shader_for(shader, dtype);
    lengths_ = node.has(lengths) ? in(lengths) : unused();
    spec_.WG = caps.type == DeviceType::cpu ? 32 : 128;
    spec_.CELL = static_cast<uint>(attrs.cell);
    spec_.LENGTHS = node.has(lengths);
    spec_.Z_TAKES = attrs.update == GruUpdate::z_takes;
  }

  const RecurrentSizes s;
  const RecurrentAttrs& attrs;
  const DType dtype;
  bool is(Cell cell) const { return attrs.cell == cell; }
  bool has_lengths() const { return spec_.LENGTHS != 0; }
  LaunchOperand lengths() const { return lengths_; }
  LaunchOperand given(std::uint32_t operand) const { return node_.has(operand) ? in(operand) : unused(); }

  std::uint32_t scratch(std::int64_t elements) {
    plan_.scratch_bytes.push_back(static_cast<std::uint64_t>(elements) * size_of(dtype));
    return static_cast<std::uint32_t>(plan_.scratch_bytes.size() - 1);
  }
  // Elements first.. of an operand, dense in scratch.
  std::uint32_t copied(std::uint32_t operand, std::int64_t first, std::int64_t count) {
    const std::uint32_t to = scratch(count);
    Region region = dense_region({count});
    region.offset = first;
    plan_.launches.push_back(strided_copy({count}, dtype, {in(operand), region}, {scratch_write(to), dense_region({count})}, caps_));
    return to;
  }
  void step(uint stage, std::int64_t t, uint arrives, std::vector<LaunchOperand> operands) {
    RecurrentSpec spec = spec_;
    spec.STAGE = stage;
    Launch& launch = plan_.launches.emplace_back();
    launch.shader = shader_;
    launch.set_constants(spec);
    launch.set_push(RecurrentParams{u32(s.B * s.H), u32(s.H), u32(t), u32(t * s.B), arrives});
    launch.operands = std::move(operands);
    launch.groups = flat_groups(static_cast<std::uint64_t>(s.B * s.H), spec.WG, caps_);
  }

 private:
  const NodeView& node_;
  const DeviceCaps& caps_;
  KernelPlan& plan_;
  const ShaderInfo* shader_;
  LaunchOperand lengths_;
  RecurrentSpec spec_;
};

// A value that one step hands to the next: given at first, a result at last, in between in one of two buffers.
class Handed {
 public:
  Handed(Scan& scan, LaunchOperand first, LaunchOperand last)
      : first_(first), last_(last), steps_(scan.s.T) {
    for (std::uint32_t& buffer : buffers_) buffer = steps_ > 1 ? scan.scratch(scan.s.B * scan.s.H) : 0;
  }
  LaunchOperand from(std::int64_t i) const { return i == 0 ? first_ : scratch_read(buffer(i)); }
  LaunchOperand to(std::int64_t i) const { return i + 1 == steps_ ? last_ : scratch_write(buffer(i + 1)); }

 private:
  std::uint32_t buffer(std::int64_t i) const { return buffers_[static_cast<std::size_t>(i % 2)]; }

  LaunchOperand first_, last_;
  std::int64_t steps_;
  std::array<std::uint32_t, 2> buffers_{};
};

Product forward_product(const NodeView& node, const DeviceCaps& caps, std::int64_t gates) {
  const RecurrentSizes s(node);
  return {{s.B, gates * s.H, s.H, true, node.has(scan_bias) ? Shape{gates * s.H} : Shape{0}}, node.in(0).dtype, caps};
}
bool supports_scan(const NodeView& node, const DeviceCaps& caps) {
  const RecurrentSizes s(node);
  return s.B * s.H == 0 || (forward_product(node, caps, s.first_gates).possible() && forward_product(node, caps, 1).possible());
}

void plan_scan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const bool tape = node.attrs<RecurrentAttrs>().tape;
  Scan scan(node, caps, plan, tape ? "recurrent_step.tape" : "recurrent_step.plain", scan_lengths);
  const RecurrentSizes& s = scan.s;
  if (s.B * s.H == 0) return;
  const bool lstm = scan.is(Cell::lstm), reset_first = scan.is(Cell::gru_reset_first);
  const std::int64_t n = s.B * s.H;
  const LaunchOperand none = unused(Access::write), bias = scan.given(scan_bias);
  const auto step = [&](uint stage, std::int64_t t, std::vector<LaunchOperand> operands) {
    if (tape) operands.push_back(stage == RECURRENT_FIRST ? none : out(lstm ? 3 : 2));
    scan.step(stage, t, 0, std::move(operands));
  };
  Product gates = forward_product(node, caps, s.first_gates), candidate = forward_product(node, caps, 1);
  Handed h(scan, in(scan_h), out(1)), c(scan, lstm ? in(scan_c) : unused(), lstm ? out(2) : none);
  const std::uint32_t hidden = scan.scratch(s.first_gates * n);
  std::uint32_t reset = 0, n_hidden = 0, n_weight = 0;
  LaunchOperand n_bias = unused();
  if (reset_first) {
    reset = scan.scratch(n), n_hidden = scan.scratch(n);
    n_weight = scan.copied(scan_weight, 2 * s.H * s.H, s.H * s.H);
    if (node.has(scan_bias)) n_bias = scratch_read(scan.copied(scan_bias, 2 * s.H, s.H));
  }
  for (std::int64_t i = 0; i < s.T; ++i) {
    const std::int64_t t = time_of(i, s, scan.attrs.reverse);
    const LaunchOperand parts[] = {in(scan_gates), scratch_read(hidden)};
    gates.add(plan, h.from(i), in(scan_weight), bias, scratch_write(hidden));
    if (!reset_first) {
      const LaunchOperand c_from = lstm ? c.from(i) : unused(), c_to = lstm ? c.to(i) : none;
      step(RECURRENT_WHOLE, t, {parts[0], parts[1], h.from(i), c_from, scan.lengths(), out(0), h.to(i), c_to});
      continue;
    }
    step(RECURRENT_FIRST, t, {parts[0], parts[1], h.from(i), unused(), unused(), none, scratch_write(reset), none});
    candidate.add(plan, scratch_read(reset), scratch_read(n_weight), n_bias, scratch_write(n_hidden));
    step(RECURRENT_SECOND, t, {parts[0], parts[1], h.from(i), scratch_read(n_hidden), scan.lengths(), out(0), h.to(i), none});
  }
}

// What of the state's gradient goes past the product is added to it, as its bias.
Product backward_product(const NodeView& node, const DeviceCaps& caps, std::int64_t gates, bool past) {
  const RecurrentSizes s(node);
  return {{s.B, s.H, gates * s.H, false, past ? Shape{s.B, s.H} : Shape{0}}, node.in(0).dtype, caps};
}
bool goes_past(const NodeView& node) {
  return node.has(back_lengths) || node.attrs<RecurrentAttrs>().cell >= Cell::gru;
}
bool supports_backward(const NodeView& node, const DeviceCaps& caps) {
  const RecurrentSizes s(node);
  return s.B * s.H == 0 || (backward_product(node, caps, s.first_gates, goes_past(node)).possible() &&
                            backward_product(node, caps, 1, false).possible());
}

void plan_backward(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  Scan scan(node, caps, plan, "recurrent_step_backward", back_lengths);
  const RecurrentSizes& s = scan.s;
  if (s.B * s.H == 0) return;
  const bool lstm = scan.is(Cell::lstm), gru = scan.is(Cell::gru), reset_first = scan.is(Cell::gru_reset_first);
  const bool past = goes_past(node);
  const std::int64_t n = s.B * s.H;
  const LaunchOperand none = unused(Access::write);
  Product back = backward_product(node, caps, s.first_gates, past), candidate = backward_product(node, caps, 1, false);
  Handed d_h(scan, scan.given(back_d_h), out(1)), d_c(scan, scan.given(back_d_c), lstm ? out(2) : none);
  const std::uint32_t d_gates = scan.scratch(s.first_gates * n), kept = scan.scratch(n);
  std::uint32_t d_n = 0, d_reset = 0, kept_first = 0, n_weight = 0;
  if (reset_first) {
    d_n = scan.scratch(n), d_reset = scan.scratch(n), kept_first = scan.scratch(n);
    n_weight = scan.copied(back_weight, 2 * s.H * s.H, s.H * s.H);
  }
  for (std::int64_t i = 0; i < s.T; ++i) {
    const std::int64_t t = time_of(i, s, !scan.attrs.reverse);
    const bool has_h = i > 0 || node.has(back_d_h), has_c = lstm && (i > 0 || node.has(back_d_c));
    const uint arrives = (node.has(back_d_out) ? RECURRENT_D_OUT : 0u) | (has_h ? RECURRENT_D_H : 0u) | (has_c ? RECURRENT_D_C : 0u);
    const LaunchOperand d_out = scan.given(back_d_out), c_from = lstm ? d_c.from(i) : unused();
    const LaunchOperand more = lstm ? d_c.to(i) : gru ? out(2) : reset_first ? scratch_write(d_n) : none;
    const LaunchOperand h_to = !past ? none : scratch_write(reset_first ? kept_first : kept);
    scan.step(reset_first ? RECURRENT_FIRST : RECURRENT_WHOLE, t, arrives,
              {in(back_tape), d_out, d_h.from(i), c_from, scan.lengths(), out(0), scratch_write(d_gates), h_to, more});
    if (reset_first) {
      candidate.add(plan, scratch_read(d_n), scratch_read(n_weight), unused(), scratch_write(d_reset));
      scan.step(RECURRENT_SECOND, t, RECURRENT_D_H,
                {in(back_tape), unused(), scratch_read(kept_first), scratch_read(d_reset), scan.lengths(), out(0),
                 scratch_write(d_gates), scratch_write(kept), none});
    }
    back.add(plan, scratch_read(d_gates), in(back_weight), past ? scratch_read(kept) : unused(), d_h.to(i));
  }
}

}  // namespace

extern constexpr Kernel recurrent_scan_kernels[] = {{"recurrent_step", supports_scan, plan_scan}};
extern constexpr Kernel recurrent_scan_backward_kernels[] = {{"recurrent_step_backward", supports_backward, plan_backward}};

}  // namespace fovea::ops
