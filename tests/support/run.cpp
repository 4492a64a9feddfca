#include "tests/support/run.hpp"

#include "base/half.hpp"
#include "tests/support/check.hpp"

#include <algorithm>
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
constexpr std::byte sentinel{0xa5};
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

// A port's range with sentinels on both sides.
struct Guarded {
  const Port* port;
  Buffer buffer;

  explicit Guarded(const Port& p) : port(&p), buffer(context().make_buffer(2 * guard_bytes + p.bytes, true, p.name).value()) {
    std::fill_n(buffer.data(), buffer.size(), sentinel);
  }
  std::byte* range() { return buffer.data() + guard_bytes; }
  void fill_poison() {
    for (std::uint64_t i = 0; i + 4 <= port->bytes; i += 4) std::memcpy(range() + i, &poison, 4);
  }
  bool intact() {
    const auto clean = [](const std::byte* begin) {
      return std::all_of(begin, begin + guard_bytes, [](std::byte byte) { return byte == sentinel; });
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
