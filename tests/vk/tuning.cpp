// Context::tune on the device under test, and the blob that carries what it measured.

#include "compile/compiler.hpp"
#include "tests/support/check.hpp"
#include "tests/support/host.hpp"
#include "tests/support/programs.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

using namespace fovea;
using namespace fovea::test;

namespace {

struct Log {
  std::vector<std::string> messages;
};

Context make(Log& log, std::span<const std::byte> blob = {}) {
  ContextOptions options;
  options.device = context().device().name;
  options.validation = std::getenv("VK_INSTANCE_LAYERS") != nullptr;
  options.log = [&log](LogLevel level, std::string_view text) {
    if (level != LogLevel::info) log.messages.emplace_back(text);
  };
  options.pipeline_cache = blob;
  return Context::create(options).value();
}

// Some operators of more than one kernel, with integers and booleans among their operands.
Graph some_graph() {
  Graph graph;
  const Tensor x = graph.input("x", {1, 2, 24, 16}), w = graph.input("w", {16, 16});
  const Tensor lengths = graph.input("lengths", {1}, DType::i32), mask = graph.input("mask", {24, 24}, DType::boolean);
  const Tensor y = attention(matmul(x, w), x, x, {.mask = mask, .key_ranges = key_ranges(lengths, {.queries = 24})});
  graph.output("y", softmax(y));
  graph.output("dx", grad(reduce(Reduce::sum, y * y), {x})[0]);
  return graph;
}

std::vector<std::vector<std::byte>> results_of(Plan& plan) {
  const std::vector<float> x = numbers(2 * 24 * 16, 1), w = numbers(16 * 16, 2);
  std::vector<float> small_x = x, small_w = w;
  for (float& value : small_x) value /= 512;
  for (float& value : small_w) value /= 4096;
  const std::vector<std::int32_t> lengths{17};
  std::vector<std::int32_t> mask(24 * 24);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i % 3 != 0;
  return plan.run({port_data<float>("x", small_x), port_data<float>("w", small_w), port_data<std::int32_t>("lengths", lengths),
                   port_data<std::int32_t>("mask", mask)})
      .value();
}

// Kernels differ in the order of their sums: of 24·16 products of numbers of about 1, 400 · 2^-24 = 2.4e-5, there and back.
void check_alike(const std::vector<std::vector<std::byte>>& a, const std::vector<std::vector<std::byte>>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::vector<float> left = floats(a[i]), right = floats(b[i]);
    REQUIRE(left.size() == right.size());
    for (std::size_t n = 0; n < left.size(); ++n)
      REQUIRE(std::abs(left[n] - right[n]) <= 5e-5f * std::max(1.0f, std::abs(left[n])));
  }
}

std::size_t tuned_dispatches(const Plan& plan) {
  const auto is_tuned = [](const DispatchReport& dispatch) { return dispatch.choice.starts_with("tuned: "); };
  const Report report = plan.report();
  return static_cast<std::size_t>(std::ranges::count_if(report.dispatches, is_tuned));
}

std::size_t left_in(const TuneReport& report) {
  return static_cast<std::size_t>(std::ranges::count_if(report.nodes, [](const TunedNode& node) { return !node.left.empty(); }));
}

constexpr TuneOptions long_enough{.seconds = 1e9};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("what was measured decides later plans, whose results stay right") {
  Log log;
  Context context = make(log);
  const Graph graph = some_graph();
  Plan before = context.compile(graph).value();
  CHECK(tuned_dispatches(before) == 0);
  const auto expected = results_of(before);
  const TuneReport report = context.tune(graph, long_enough).value();
  REQUIRE(report.nodes.size() >= 4);
  for (const TunedNode& node : report.nodes) {
    CHECK(node.left == "");
    CHECK(node.kernels.size() > 1);
    for (const KernelTime& kernel : node.kernels) CHECK(kernel.microseconds > 0);
    CHECK(std::ranges::count(node.kernels, node.chosen, &KernelTime::kernel) == 1);
  }
  CHECK(contains(report.to_text(), cat("tuned   ", report.nodes.size(), " of ", report.nodes.size(), " nodes")));
  Plan after = context.compile(graph).value();
  CHECK(tuned_dispatches(after) >= report.nodes.size());
  check_alike(expected, results_of(after));

  // As if the kernel that is preferred least had won, everywhere.
  for (auto& [key, times] : context.impl()->tuning)
    for (std::size_t i = 0; i < times.size(); ++i) times[i].microseconds = static_cast<double>(times.size() - i);
  Plan last = context.compile(graph).value();
  for (const DispatchReport& dispatch : last.report().dispatches)
    if (!dispatch.choice.empty()) CHECK_MESSAGE(dispatch.choice.starts_with("tuned: 1 us; others: "), dispatch.choice);
  check_alike(expected, results_of(last));
  for (const std::string& message : log.messages) FAIL_CHECK(message);
}

TEST_CASE("what the time does not suffice for is left and said so, and measured by a later call") {
  Log log;
  Context context = make(log);
  const Graph graph = some_graph();
  const TuneReport none = context.tune(graph, {.seconds = 0}).value();
  REQUIRE_FALSE(none.nodes.empty());
  for (const TunedNode& node : none.nodes) {
    CHECK(node.left == "the time had passed");
    CHECK(node.chosen == node.kernels[0].kernel);
  }
  Plan plan = context.compile(graph).value();
  CHECK(tuned_dispatches(plan) == 0);
  std::size_t left = none.nodes.size();
  for (int call = 0; call < 1000 && left > 0; ++call) {  // a little at a time, as a host does between frames
    const TuneReport some = context.tune(graph, {.seconds = call < 20 ? 0.02 : 1e9}).value();
    const std::size_t now = left_in(some);
    CHECK(now <= left);
    left = now;
  }
  CHECK(left == 0);
  CHECK(left_in(context.tune(graph, {.seconds = 0}).value()) == 0);
  for (const std::string& message : log.messages) FAIL_CHECK(message);
}

TEST_CASE("the pipelines' blob carries what was measured to the next Context") {
  Log log;
  const Graph graph = some_graph();
  std::vector<std::byte> blob, old_blob;
  std::size_t tuned = 0;
  {
    Context first = make(log);
    old_blob = first.pipeline_cache();
    first.tune(graph, long_enough).value();
    Plan plan = first.compile(graph).value();
    tuned = tuned_dispatches(plan);
    blob = first.pipeline_cache();
  }
  CHECK(tuned > 0);
  CHECK(vk::end_of_pipelines(old_blob) == old_blob.size());
  const std::size_t end = vk::end_of_pipelines(blob);
  REQUIRE(end < blob.size());
  {
    Context next = make(log, blob);
    Plan plan = next.compile(graph).value();
    CHECK(tuned_dispatches(plan) == tuned);
    CHECK(left_in(next.tune(graph, {.seconds = 0}).value()) == 0);
    CHECK(next.pipeline_cache().size() > end);
  }
  for (const std::string& message : log.messages) FAIL_CHECK(message);

  // A Context that was given this still compiles, by preference; its one message.
  Graph small;  // a node of the graph above
  small.output("y", matmul(small.input("x", {1, 2, 24, 16}), small.input("w", {16, 16})));
  const auto message_for = [&](const std::vector<std::byte>& part) {
    std::vector<std::byte> bytes(blob.begin(), blob.begin() + static_cast<std::ptrdiff_t>(end));
    bytes.insert(bytes.end(), part.begin(), part.end());
    Log told;
    Context next = make(told, bytes);
    Plan plan = next.compile(small).value();
    CHECK(tuned_dispatches(plan) == 0);
    CHECK(told.messages.size() <= 1);
    return told.messages.empty() ? "" : told.messages[0];
  };
  const std::vector<std::byte> part(blob.begin() + static_cast<std::ptrdiff_t>(end), blob.end());
  CHECK(message_for({}) == "");  // of a Fovea that did not tune
  for (const std::size_t size : {std::size_t{1}, std::size_t{71}, std::size_t{72}, part.size() / 2, part.size() - 1})
    CHECK(contains(message_for({part.begin(), part.begin() + static_cast<std::ptrdiff_t>(size)}), "tuning: truncated: "));
  std::vector<std::byte> damaged = part;
  damaged[damaged.size() / 2] ^= std::byte{1};
  CHECK(message_for(damaged) == "tuning: damaged; ignored");
  const auto wrapped = [](const vk::CacheOwner& owner, const std::string& text) {
    return vk::wrap_cache(owner, std::as_bytes(std::span(text)), vk::CachePart::tuning);
  };
  const vk::Device& device = *context().impl()->device;
  const vk::CacheOwner owner = vk::cache_owner(device.caps, device.pipeline_cache_uuid);
  vk::CacheOwner other = owner;
  other.driver_version ^= 1;
  const std::string nothing = compile::to_text(compile::Tuning());
  CHECK(message_for(wrapped(other, nothing)) == "tuning: made by another driver or for another device; ignored");
  CHECK(message_for(wrapped(owner, "kernels 1\n")) == "tuning: of other kernels than this build's; ignored");
  CHECK(message_for(wrapped(owner, nothing + "rubbish\n")) == "tuning: damaged; ignored");
}

TEST_CASE("tune refuses a time that is none, a graph with a mistake, and a host without a queue") {
  for (const double seconds : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
    const auto refused = context().tune(some_graph(), {.seconds = seconds});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::invalid_argument);
    CHECK(contains(refused.error().message, "tune: seconds is "));
  }
  Graph wrong;
  wrong.output("y", softmax(wrong.input("x", {4}), {.axis = 3}));
  CHECK(contains(context().tune(wrong, {}).error().message, "softmax: axis 3"));
  Host host(VK_API_VERSION_1_1);
  {
    HostDevice description = host.description();
    description.queue = VK_NULL_HANDLE;
    Context recording = adopt(description).value();
    const auto refused = recording.tune(some_graph(), {});
    REQUIRE_FALSE(refused);
    CHECK(contains(refused.error().message, "tune"));
  }
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}
