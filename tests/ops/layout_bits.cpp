// Layout operators move bits: NaN payloads, signalling or quiet, denormals and signed zeros arrive as they left.

#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <cstring>
#include <numeric>

namespace fovea::test {
namespace {

using Layout = std::function<Tensor(Tensor)>;

// Runs a layout operator on odd bit patterns and on their positions, which then say where each pattern must have gone.
void check_bits(const char* name, const Layout& layout, DType dtype) {
  INFO(std::string(name), " ", std::string(to_string(dtype)));
  constexpr std::int64_t count = 5 * 3 * 4;
  const Shape shape{5, 1, 3, 4};
  Graph graph;
  graph.output("y", layout(graph.input("x", shape, dtype)));
  graph.output("positions", layout(graph.input("iota", shape, DType::i32)));
  auto plan = context().compile(graph);
  REQUIRE_MESSAGE(plan, plan.error().message);

  const std::size_t size = size_of(dtype);
  const std::uint32_t patterns32[] = {0x7f800001, 0xffc0beef, 0x7fbfffff, 0x00000001,
                                      0x80000000, 0xff800000, 0x807fffff};
  const std::uint32_t patterns16[] = {0x7c01, 0xfe55, 0x7dff, 0x0001, 0x8000, 0xfc00, 0x83ff};
  std::vector<std::byte> bits(static_cast<std::size_t>(count) * size);
  std::vector<std::int32_t> iota;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word = size == 2 ? patterns16[i % 7] ^ static_cast<std::uint32_t>(i / 7) << 4
                                         : patterns32[i % 7] ^ static_cast<std::uint32_t>(i / 7) << 8;
    std::memcpy(bits.data() + i * size, &word, size);
    iota.push_back(static_cast<std::int32_t>(i));
  }
  const auto outputs = plan->run({{"x", bits}, port_data<std::int32_t>("iota", iota)});
  REQUIRE_MESSAGE(outputs, outputs.error().message);
  const std::vector<std::byte>&y = (*outputs)[0], &positions = (*outputs)[1];
  for (std::size_t i = 0; i < positions.size() / 4; ++i) {
    std::int32_t from;
    std::memcpy(&from, positions.data() + 4 * i, 4);
    REQUIRE((from >= 0 && from < count));
    CHECK(std::memcmp(y.data() + i * size, bits.data() + static_cast<std::size_t>(from) * size, size) == 0);
  }
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

}  // namespace

TEST_CASE("layout operators keep every bit, f32 and f16" * doctest::skip(compiles_only())) {
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    if (dtype != DType::f32 && !has_f16()) continue;
    check_bits(
        "permute",
        [](Tensor x) {
          return permute(x, {3, 0, 1, 2});
        },
        dtype);
    check_bits(
        "transpose", [](Tensor x) { return transpose(x, 0, 2); }, dtype);
    check_bits(
        "broadcast_to",
        [](Tensor x) {
          return broadcast_to(x, {5, 3, 3, 4});
        },
        dtype);
    check_bits(
        "slice", [](Tensor x) { return slice(x, {.axis = 3, .start = -1, .step = -1}); }, dtype);
    check_bits(
        "concat",
        [](Tensor x) {
          return concat({x, slice(x, {.axis = 3, .stop = 1})}, 3);
        },
        dtype);
    check_bits(
        "pad",
        [](Tensor x) {
          return pad(x, {.amounts = {{1, 1}, {2, 2}}, .mode = PadMode::reflect});
        },
        dtype);
    check_bits(
        "unfold",
        [](Tensor x) {
          return unfold(x, {.kernel = {2, 3}});
        },
        dtype);
    check_bits(
        "reshape",
        [](Tensor x) {
          return reshape(x, {5, 12});
        },
        dtype);
    check_bits(
        "a permute that is a view",
        [](Tensor x) {
          return permute(x, {1, 0, 2, 3});
        },
        dtype);
  }
}

TEST_CASE("layout operators walk more elements than 65,535 workgroups of 128 hold" * doctest::skip(compiles_only())) {
  constexpr std::int64_t rows = 2801, columns = 3001;  // 8.4 million, odd: each moves as a word of its own
  Graph graph;
  const Tensor x = graph.input("x", {rows, columns}, DType::i32);
  graph.output("reversed", slice(x, {.axis = 1, .start = -1, .step = -1}));
  graph.output("padded", pad(x, {.amounts = {{1, 0}, {0, 0}}, .mode = PadMode::circular}));
  auto plan = context().compile(graph);
  REQUIRE_MESSAGE(plan, plan.error().message);
  std::vector<std::int32_t> iota(rows * columns);
  std::iota(iota.begin(), iota.end(), 0);
  const auto outputs = plan->run({port_data<std::int32_t>("x", iota)});
  REQUIRE_MESSAGE(outputs, outputs.error().message);
  const auto* reversed = reinterpret_cast<const std::int32_t*>((*outputs)[0].data());
  const auto* padded = reinterpret_cast<const std::int32_t*>((*outputs)[1].data());
  std::int64_t wrong = 0;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t i = row * columns + column;
      wrong += reversed[i] != row * columns + columns - 1 - column;
      wrong += padded[i + columns] != i;
      wrong += row == 0 && padded[i] != (rows - 1) * columns + column;
    }
  CHECK(wrong == 0);
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

}  // namespace fovea::test
