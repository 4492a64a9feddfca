// What GPU-assisted validation is trusted with (tests/drivers.sh run --gpu-assisted).

#include "tests/support/check.hpp"
#include "tests/support/programs.hpp"

#include <algorithm>
#include <cstdlib>

namespace fovea::test {

TEST_CASE("an access past the end of a range in the arena is told" * doctest::skip(std::getenv("VK_LAYER_GPUAV_ENABLE") == nullptr)) {
  constexpr std::int64_t n = 64;
  const auto told = [&](std::int64_t written) {
    compile::Program program = two_sums(2 * n);
    program.dispatches[0] = weighted_sum(written, 2, 1, external_range(0, 2 * n), external_range(1, 2 * n), arena_range(0, n));
    Plan plan = plan_from_program(context(), program, {}).value();
    std::vector<Buffer> buffers;
    for (int i = 0; i < 3; ++i) buffers.push_back(context().make_buffer(bytes_of(2 * n), true).value());
    const PortBuffer ports[] = {{"a", &buffers[0]}, {"b", &buffers[1]}, {"y", &buffers[2]}};
    const Bindings bindings = plan.bind(ports).value();
    plan.submit(bindings).value();
    plan.wait().value();
    std::string all;
    for (const std::string& message : take_validation_messages()) all += message;
    return all;
  };
  CHECK(told(n) == "");
  CHECK_MESSAGE(told(n + 1).find("out of bounds") != std::string::npos, told(n + 1));
}

}  // namespace fovea::test
