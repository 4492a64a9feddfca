#include "tests/support/guarded.hpp"

#include "engine/api/internal.hpp"

#include <algorithm>
#include <cstring>

namespace fovea::test {

namespace {

constexpr std::uint64_t guard_bytes = 1024;  // before and after every range; a multiple of every storage alignment
constexpr std::uint32_t poison = 0x7fffffff;  // NaN as an f32, as two f16 and as two bf16

// A port's range with sentinels on both sides. Those of an input are NaN, which shows even where a kernel multiplies what
// it should not have read by 0; those of an output are not, for a kernel may write NaN where it should write nothing.
struct Guarded {
  const Port* port;
  Buffer buffer;
  std::uint32_t sentinel;

  Guarded(const Port& p, Buffer made)
      : port(&p), buffer(std::move(made)), sentinel(p.role == Port::Role::output ? 0xa5a5a5a5 : poison) {
    fill(buffer.data(), buffer.size(), sentinel);
  }
  static void fill(std::byte* begin, std::uint64_t bytes, std::uint32_t word) {
    for (std::uint64_t i = 0; i + 4 <= bytes; i += 4) std::memcpy(begin + i, &word, 4);
  }
  bool is_output() const { return port->role == Port::Role::output; }
  std::byte* range() { return buffer.data() + guard_bytes; }
  void fill_poison() { fill(range(), port->bytes, poison); }
  bool intact() {
    const auto clean = [this](const std::byte* begin) {
      for (std::uint64_t i = 0; i < guard_bytes; i += 4)
        if (std::memcmp(begin + i, &sentinel, 4) != 0) return false;
      return true;
    };
    return clean(buffer.data()) && clean(range() + port->bytes);
  }
  Bytes bytes() { return {range(), range() + port->bytes}; }
};

Result<std::vector<Guarded>> make_guarded(Context& context, const Plan& plan, std::span<const Bytes> inputs) {
  std::vector<Guarded> guarded;
  auto input = inputs.begin();
  for (const Port& port : plan.ports()) {
    Result<Buffer> buffer = context.make_buffer(2 * guard_bytes + port.bytes, true, port.name);
    if (!buffer) return buffer.error();
    Guarded& one = guarded.emplace_back(port, std::move(*buffer));
    if (one.is_output()) continue;
    std::copy(input->begin(), input->end(), one.range());
    ++input;
  }
  return guarded;
}

// What is wrong after one run; the first fills the outputs.
void inspect(std::vector<Guarded>& guarded, std::span<const Bytes> inputs, GuardedRun& run, bool first) {
  const auto fault = [&](const char* what, const Guarded& one) {
    std::string text = what + one.port->name;
    if (std::find(run.faults.begin(), run.faults.end(), text) == run.faults.end()) run.faults.push_back(std::move(text));
  };
  std::size_t input = 0, output = 0;
  for (Guarded& one : guarded) {
    if (!one.intact()) fault("written outside the range of port ", one);
    if (!one.is_output()) {
      const Bytes& given = inputs[input++];
      if (!std::equal(given.begin(), given.end(), one.range())) fault("changed the input ", one);
    } else if (first) {
      run.outputs.push_back(one.bytes());
    } else if (run.outputs[output++] != one.bytes()) {
      fault("two runs differ in ", one);
    }
  }
}

}  // namespace

Result<GuardedRun> run_between_sentinels(Context& context, Plan& plan, std::span<const Bytes> inputs, int runs,
                                         std::uint64_t budget_ns) {
  Result<std::vector<Guarded>> guarded = make_guarded(context, plan, inputs);
  if (!guarded) return guarded.error();
  std::vector<run::NamedRange> ranges;
  for (const Guarded& one : *guarded)
    ranges.push_back({one.port->name, handle(one.buffer), guard_bytes, one.port->bytes, one.buffer.size(), guard_bytes});
  Result<Bindings> bindings = bind_ranges(plan, ranges);
  if (!bindings) return bindings.error();

  GuardedRun run;
  for (int i = 0; i < runs; ++i) {
    for (Guarded& one : *guarded)
      if (one.is_output()) one.fill_poison();
    const Result<void> begun = budget_ns ? plan.run_watched(*bindings, budget_ns) : plan.submit(*bindings);
    if (!begun) return begun.error();
    if (Result<void> done = plan.wait(); !done) return done.error();
    inspect(*guarded, inputs, run, i == 0);
  }
  return run;
}

}  // namespace fovea::test
