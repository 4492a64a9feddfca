// Gradients of the elementwise operators. Graphs hold one step a node; programs of several are the compiler's.

#include "ops/elementwise.hpp"
#include "ops/vjp.hpp"

namespace fovea::ops {

using namespace shader;

namespace {

// A node of one step: its operands as tensors, whether they are inputs or scalars.
class Step {
 public:
  explicit Step(Vjp& v) : vjp(v), attrs_(v.attrs<ElementwiseAttrs>()) {}
  std::uint8_t code() const { return attrs_.steps[0].code; }
  // The node's input that stands at operand i; none for a scalar.
  std::optional<std::size_t> input(std::size_t i) const {
    const std::uint8_t number = attrs_.steps[0].operands[i];
    return number < ELEMENTWISE_FIRST_SCALAR ? std::optional<std::size_t>(number) : std::nullopt;
  }
  Tensor operand(std::size_t i) {
    if (const auto slot = input(i)) return vjp.in(*slot);
    return scalar(vjp.d(), attrs_.scalars[attrs_.steps[0].operands[i] - ELEMENTWISE_FIRST_SCALAR], vjp.site);
  }
  bool wants(std::size_t i) const { return input(i) && vjp.wants(*input(i)); }
  void give(std::size_t i, Tensor gradient) { vjp.give(*input(i), gradient); }

  Vjp& vjp;

 private:
  const ElementwiseAttrs& attrs_;
};

// Of equals the first operand takes all, so that a clamp passes the gradient on its closed interval.
void give_extreme(Step& step, Binary holds, Binary wins) {
  const CallSite site = step.vjp.site;
  const Tensor a = step.operand(0), b = step.operand(1), d = step.vjp.d(), zero = scalar(d, 0, site);
  if (step.wants(0)) step.give(0, select(binary(holds, a, b, site), d, zero, site));
  if (step.wants(1)) step.give(1, select(binary(wins, b, a, site), d, zero, site));
}

// d a^b = b·a^(b-1) da + a^b·log(a) db; zero where b is 0, and where a is 0 and b is not negative.
void give_pow(Step& step) {
  const CallSite site = step.vjp.site;
  const Tensor a = step.operand(0), b = step.operand(1), d = step.vjp.d(), zero = scalar(d, 0, site);
  const auto times = [&](Tensor x, Tensor y) { return binary(Binary::mul, x, y, site); };
  if (step.wants(0)) {
    const Tensor less = binary(Binary::sub, b, scalar(d, 1, site), site);
    const Tensor slope = times(times(d, b), binary(Binary::pow, a, less, site));
    step.give(0, select(binary(Binary::equal, b, zero, site), zero, slope, site));
  }
  if (step.wants(1)) {
    const Tensor flat = binary(Binary::logical_and, binary(Binary::equal, a, zero, site),
                               binary(Binary::greater_equal, b, zero, site), site);
    step.give(1, select(flat, zero, times(times(d, step.vjp.out()), unary(Unary::log, a, site)), site));
  }
}

void give_binary(Step& step, Binary op) {
  Vjp& vjp = step.vjp;
  const CallSite site = vjp.site;
  const Tensor d = vjp.d();
  const auto times = [&](Tensor x, Tensor y) { return binary(Binary::mul, x, y, site); };
  const auto over = [&](Tensor x, Tensor y) { return binary(Binary::div, x, y, site); };
  const auto minus = [&](Tensor x) { return unary(Unary::neg, x, site); };
  switch (op) {
    case Binary::add:
      if (step.wants(0)) step.give(0, d);
      if (step.wants(1)) step.give(1, d);
      return;
    case Binary::sub:
      if (step.wants(0)) step.give(0, d);
      if (step.wants(1)) step.give(1, minus(d));
      return;
    case Binary::mul:
      if (step.wants(0)) step.give(0, times(d, step.operand(1)));
      if (step.wants(1)) step.give(1, times(d, step.operand(0)));
      return;
    case Binary::div:
      if (step.wants(0)) step.give(0, over(d, step.operand(1)));
      if (step.wants(1)) step.give(1, minus(over(times(d, vjp.out()), step.operand(1))));
      return;
    case Binary::pow: return give_pow(step);
    case Binary::max: return give_extreme(step, Binary::greater_equal, Binary::greater);
    case Binary::min: return give_extreme(step, Binary::less_equal, Binary::less);
    case Binary::leaky_relu: {
      const Tensor x = step.operand(0), zero = scalar(d, 0, site), positive = binary(Binary::greater, x, zero, site);
      if (step.wants(0)) step.give(0, select(positive, d, times(d, step.operand(1)), site));
      if (step.wants(1)) step.give(1, select(positive, zero, times(d, x), site));
      return;
    }
    case Binary::mod:
      if (step.wants(0)) step.give(0, d);
      if (step.wants(1))
        step.give(1, minus(times(d, unary(Unary::floor, over(step.operand(0), step.operand(1)), site))));
      return;
    default: return;  // comparisons: constant almost everywhere
  }
}

}  // namespace

bool elementwise_vjp(Vjp& vjp) {
  Step step(vjp);
  const std::uint8_t code = step.code();
  if (vjp.attrs<ElementwiseAttrs>().steps.size() != 1) return false;
  if (code == CODE_COPY) {
    if (step.wants(0)) step.give(0, vjp.d());  // a cast between floats: back to the operand's type
  } else if (code >= CODE_NEG && code <= CODE_LOG2) {
    const auto op = static_cast<Unary>(code - CODE_NEG);
    if (step.wants(0)) step.give(0, unary_vjp(op, vjp.d(), step.operand(0), vjp.out(), vjp.site));
  } else if (code >= CODE_ADD && code <= CODE_MOD) {
    give_binary(step, static_cast<Binary>(code - CODE_ADD));
  } else if (code == CODE_SELECT) {
    const Tensor zero = scalar(vjp.d(), 0, vjp.site);
    if (step.wants(1)) step.give(1, select(step.operand(0), vjp.d(), zero, vjp.site));
    if (step.wants(2)) step.give(2, select(step.operand(0), zero, vjp.d(), vjp.site));
  }
  return true;
}

}  // namespace fovea::ops
