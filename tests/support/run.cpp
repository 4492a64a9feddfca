#include "tests/support/run.hpp"

#include "base/half.hpp"
#include "tests/support/check.hpp"

#include <bit>
#include <cstring>

namespace fovea::test {

double rounded_to(double value, DType dtype) {
  if (dtype == DType::f16) return static_cast<double>(float_from_half(half_from_float(static_cast<float>(value))));
  return dtype == DType::f32 ? static_cast<double>(static_cast<float>(value)) : value;
}

Bytes encode(const Array<double>& array, DType dtype) {
  Bytes bytes((array.values.size() * size_of(dtype) + 3) / 4 * 4);
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const double value = array.values[i];
    if (dtype == DType::f16) {
      const std::uint16_t half = half_from_float(static_cast<float>(value));
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    } else {
      const std::uint32_t word = dtype == DType::f32 ? std::bit_cast<std::uint32_t>(static_cast<float>(value))
                                                     : static_cast<std::uint32_t>(static_cast<std::int32_t>(value));
      std::memcpy(bytes.data() + 4 * i, &word, 4);
    }
  }
  return bytes;
}

namespace {

constexpr std::uint64_t guard_bytes = 1024;  // before and after every range; a multiple of every storage alignment
constexpr std::uint32_t poison = 0x7fffffff;  // NaN as an f32 and as two f16

Array<double> decode(const Bytes& bytes, const Shape& shape, DType dtype) {
  Array<double> array(shape);
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    if (dtype == DType::f16) {
      std::uint16_t half;
      std::memcpy(&half, bytes.data() + 2 * i, 2);
      array.values[i] = static_cast<double>(float_from_half(half));
    } else {
      std::uint32_t word;
      std::memcpy(&word, bytes.data() + 4 * i, 4);
      array.values[i] = dtype == DType::f32 ? static_cast<double>(std::bit_cast<float>(word))
                                            : static_cast<double>(static_cast<std::int32_t>(word));
    }
  }
  return array;
}

// A port's range with sentinels on both sides. Those of an input are NaN, which shows even where a kernel multiplies what
// it should not have read by 0; those of an output are not, for a kernel may write NaN where it should write nothing.
struct Guarded {
  const Port* port;
  Buffer buffer;
  std::uint32_t sentinel;

  explicit Guarded(const Port& p)
      : port(&p), buffer(context().make_buffer(2 * guard_bytes + p.bytes, true, p.name).value()),
        sentinel(p.role == Port::Role::output ? 0xa5a5a5a5 : poison) {
    fill(buffer.data(), buffer.size(), sentinel);
  }
  static void fill(std::byte* begin, std::uint64_t bytes, std::uint32_t word) {
    for (std::uint64_t i = 0; i + 4 <= bytes; i += 4) std::memcpy(begin + i, &word, 4);
  }
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

}  // namespace

Run run_guarded(Plan& plan, const std::vector<Bytes>& inputs) {
  std::vector<Guarded> guarded;
  std::vector<PortBuffer> ports;
  for (const Port& port : plan.ports()) guarded.emplace_back(port);
  for (Guarded& one : guarded) ports.push_back({one.port->name, &one.buffer, guard_bytes});
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].empty()) std::memcpy(guarded[i].range(), inputs[i].data(), inputs[i].size());
  Bindings bindings = plan.bind(ports).value();

  Run run;
  std::vector<Bytes> first;
  for (int replay = 0; replay < 2; ++replay) {
    for (Guarded& one : guarded)
      if (one.port->role == Port::Role::output) one.fill_poison();
    plan.submit(bindings).value();
    plan.wait().value();
    for (std::size_t i = 0; i < guarded.size(); ++i) {
      CHECK_MESSAGE(guarded[i].intact(), "written outside the range of port ", guarded[i].port->name);
      if (guarded[i].port->role != Port::Role::output)
        CHECK_MESSAGE(std::memcmp(guarded[i].range(), inputs[i].data(), inputs[i].size()) == 0, "input ",
                      guarded[i].port->name, " was changed");
      else if (replay == 0)
        first.push_back(guarded[i].bytes());
      else
        CHECK_MESSAGE(first[i - inputs.size()] == guarded[i].bytes(), "two runs differ in ", guarded[i].port->name);
    }
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    const Port& port = *guarded[inputs.size() + i].port;
    run.outputs.push_back(decode(first[i], port.shape, port.dtype));
    run.dtypes.push_back(port.dtype);
  }
  return run;
}

}  // namespace fovea::test
