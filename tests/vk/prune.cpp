#include "pruned.comp.h"
#include "tests/support/check.hpp"
#include "tests/support/programs.hpp"

#include <array>
#include <cstring>

using namespace fovea;
using namespace fovea::test;

namespace {

using Words = std::array<std::uint32_t, 8>;

// pruned.comp in C++.
struct Pruned {
  Words x;
  std::uint32_t code;
  bool wide;

  std::uint32_t operation(std::uint32_t number, std::uint32_t u) const {
    switch (number & 0xff) {
      case 1: return u + 101;
      case 2: return u > 7 ? u : u * 102;
      case 3: return (u ^ 103) | 104;
      case 4: return u | 104;
      default: break;
    }
    for (std::size_t i = 0; i < 4; ++i) {
      if (x[i] == u) return 106;
      if (x[i] % 2 == 1) u += 108;
    }
    return u;
  }

  Words run() const {
    Words y{};
    std::uint32_t u = x[0];
    if (wide && u > 3) u += 111;
    if (wide || u > 4) u += 112;
    y[0] = operation(code, u) + operation(code + 1, u);
    y[1] = operation(code, u + 1);
    for (std::uint32_t n = code + 3; n > 0; --n) y[2] += x[n % 4] + 109;
    y[3] = (x[1] > 5 ? 110u : 113u) + 115;
    for (std::uint32_t i = 0; i < code; ++i) y[4] += x[i % 4] + 116;
    y[5] = wide ? u : u + 117;
    y[6] = code > 9 ? 118 : 119;
    for (std::uint32_t n : {u, code}) y[7] += (n > 6 ? 0 : n) + 100;
    return y;
  }
};

constexpr ShaderInfo shader{"pruned", spirv_pruned_comp};

compile::Program program_of(std::uint32_t code, bool wide) {
  compile::Program program;
  program.externals = {{"x", compile::ExternalRole::input, Shape{8}, DType::i32, 32},
                       {"y", compile::ExternalRole::output, Shape{8}, DType::i32, 32}};
  compile::Dispatch dispatch;
  dispatch.shader = &shader;
  dispatch.constants = {code, wide};
  dispatch.bindings = {{external_range(0, 8), true, false}, {external_range(1, 8), false, true}};
  dispatch.groups = {1, 1, 1};
  dispatch.label = dispatch.kernel = "pruned";
  program.dispatches = {dispatch};
  return program;
}

}  // namespace

TEST_CASE("a shader does the same without what its constants rule out") {
  for (const std::uint32_t code : {0u, 1u, 2u, 3u, 4u, 5u, 12u, 256u + 3})
    for (const bool wide : {false, true}) {
      CAPTURE(code);
      CAPTURE(wide);
      Plan plan = plan_from_program(context(), program_of(code, wide)).value();
      for (const Words& x : {Words{0, 9, 2, 3}, Words{8, 1, 7, 5}, Words{4, 6, 220, 116}}) {
        CAPTURE(x[0]);
        const PortData inputs[] = {{"x", std::as_bytes(std::span(x))}};
        const std::vector<std::byte> bytes = plan.run(inputs).value().at(0);
        Words y{};
        REQUIRE(bytes.size() == sizeof(y));
        std::memcpy(y.data(), bytes.data(), sizeof(y));
        const Words expected = Pruned{x, code, wide}.run();
        for (std::size_t i = 0; i < y.size(); ++i) {
          CAPTURE(i);
          CHECK(y[i] == expected[i]);
        }
      }
    }
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}
