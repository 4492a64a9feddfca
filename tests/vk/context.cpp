#include "loops.comp.h"
#include "tests/support/check.hpp"
#include "tests/support/programs.hpp"

#include <cstdlib>
#include <cstring>
#include <numeric>

using namespace fovea;
using namespace fovea::test;

namespace {

struct Log {
  std::vector<std::string> messages;
  LogFunction sink() {
    return [this](LogLevel level, std::string_view text) {
      if (level != LogLevel::info) messages.emplace_back(text);
    };
  }
};

ContextOptions same_device(Log& log) {
  ContextOptions options;
  options.device = context().device().name;
  options.validation = std::getenv("VK_INSTANCE_LAYERS") != nullptr;
  options.log = log.sink();
  return options;
}

bool sums_work(Context& context) {
  Plan plan = plan_from_program(context, two_sums(100)).value();
  const std::vector<float> a = numbers(100, 1), b = numbers(100, 2);
  const PortData inputs[] = {port_data<float>("a", a), port_data<float>("b", b)};
  return floats(plan.run(inputs).value().at(0))[99] == two_sums_of(a[99], b[99]);
}

// The message of a Context that was given this blob, and works; empty: it took it.
std::string message_for(std::span<const std::byte> blob) {
  Log log;
  ContextOptions options = same_device(log);
  options.pipeline_cache = blob;
  Context context = Context::create(options).value();
  CHECK(sums_work(context));
  CHECK(log.messages.size() <= 1);
  return log.messages.empty() ? "" : log.messages[0];
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("devices are listed, and each can be asked for by index and name") {
  const std::vector<DeviceInfo> devices = Context::devices().value();
  REQUIRE_FALSE(devices.empty());
  Log log;
  ContextOptions options = same_device(log);
  options.device = "0";
  CHECK(Context::create(options).value().device().name == devices[0].name);
  options.device = devices[0].driver;
  CHECK(Context::create(options).value().device().name == devices[0].name);
  CHECK(log.messages.empty());
}

TEST_CASE("an unknown device name is refused with a list of the devices") {
  Log log;
  ContextOptions options = same_device(log);
  options.device = "no such device";
  const Result<Context> made = Context::create(options);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ErrorCode::invalid_argument);
  CHECK(contains(made.error().message, "no device 'no such device'; there is [0] "));
  CHECK(contains(made.error().message, context().device().name.c_str()));
}

TEST_CASE("a buffer of nothing is refused by name") {
  CHECK(context().make_buffer(0, true, "frame").error().message == "make_buffer: frame has 0 bytes");
}

TEST_CASE("capabilities are printed, one a line") {
  const std::string text = context().capabilities_text();
  CHECK(contains(text, ("device: " + context().device().name).c_str()));
  CHECK(contains(text, "storage alignment: "));
}

TEST_CASE("a pipeline cache is taken by the next context") {
  Log log;
  std::vector<std::byte> blob;
  {
    Context first = Context::create(same_device(log)).value();
    CHECK(sums_work(first));
    blob = first.pipeline_cache();
  }
  REQUIRE_FALSE(blob.empty());
  CHECK(message_for(blob) == "");
  CHECK(log.messages.empty());
}

TEST_CASE("a pipeline cache that is truncated, damaged or foreign is ignored with a message") {
  CHECK(sums_work(context()));
  const std::vector<std::byte> blob = context().pipeline_cache();
  CHECK(message_for(std::span(blob).first(blob.size() / 2)) != "");
  CHECK(contains(message_for(std::span(blob).first(10)), "pipeline cache: truncated: 10 bytes; ignored"));
  std::vector<std::byte> damaged = blob;
  damaged.back() ^= std::byte{1};
  CHECK(contains(message_for(damaged), "pipeline cache: damaged; ignored"));
  vk::CacheOwner other;
  other.device_id = 12345;
  CHECK(contains(message_for(vk::wrap_cache(other, std::span(blob).subspan(72))), "another driver"));
  const std::vector<std::byte> noise(500, std::byte{0x77});
  CHECK(contains(message_for(noise), "not one of this version of Fovea"));
}

TEST_CASE("a pipeline cache of rubbish behind a header that is right does no harm") {
  CHECK(sums_work(context()));
  const vk::Device& device = *context().impl()->device;
  const vk::CacheOwner owner = vk::cache_owner(device.caps, device.pipeline_cache_uuid);
  const std::vector<std::byte> blob = context().pipeline_cache();
  const std::vector<std::byte> payload(blob.begin() + 72, blob.end());
  const auto try_payload = [&](std::span<const std::byte> bytes) { message_for(vk::wrap_cache(owner, bytes)); };  // checks the sums
  try_payload({});
  try_payload(std::vector<std::byte>(500, std::byte{0x77}));
  for (const std::size_t size : {std::size_t{4}, std::size_t{31}, payload.size() / 2}) try_payload(std::span(payload).first(std::min(size, payload.size())));
  for (std::size_t at = 0; at < payload.size(); at += payload.size() / 16 + 1) {
    std::vector<std::byte> flipped = payload;
    flipped[at] ^= std::byte{0x10};
    try_payload(flipped);
  }
}

TEST_CASE("bytes go to a buffer and come back, mapped or through staging, at any offset") {
  std::vector<std::byte> bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7);
  for (const bool host_visible : {false, true}) {
    Buffer buffer = context().make_buffer(1500, host_visible).value();
    CHECK((buffer.data() != nullptr) == host_visible);
    buffer.upload(bytes).value();
    buffer.upload(std::span(bytes).first(100), 1400).value();
    std::vector<std::byte> back(1500);
    buffer.download(back).value();
    CHECK(std::equal(bytes.begin(), bytes.end(), back.begin()));
    CHECK(std::equal(bytes.begin(), bytes.begin() + 100, back.begin() + 1400));
    std::vector<std::byte> part(3);
    buffer.download(part, 501).value();
    CHECK(part[0] == bytes[501]);
    CHECK_FALSE(buffer.upload(bytes, 501));
    CHECK_FALSE(buffer.download(bytes, UINT64_MAX));
    CHECK(buffer.upload({}, 1500));
  }
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("a copy larger than the staging buffer goes piece by piece") {
  std::vector<std::uint32_t> words((72u << 20) / 4 + 1);  // two whole pieces of 32 MiB, and some
  std::iota(words.begin(), words.end(), 0u);
  Buffer buffer = context().make_buffer(words.size() * 4, false, "large").value();
  buffer.upload(std::as_bytes(std::span(words))).value();
  std::vector<std::uint32_t> back(words.size());
  buffer.download(std::as_writable_bytes(std::span(back))).value();
  CHECK(words == back);
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("a buffer that does not fit is an error with its name and size") {
  const Result<Buffer> buffer = context().make_buffer(1ull << 60, false, "weights");
  REQUIRE_FALSE(buffer);
  CHECK(buffer.error().code == ErrorCode::out_of_memory);
  CHECK(contains(buffer.error().message, "weights: 1152921504606846976 bytes"));
}

TEST_CASE("a shader loops as often as the capabilities say") {
  static constexpr ShaderInfo loops{"loops", spirv_loops_comp};
  compile::Program program;
  program.externals.push_back({"counts", compile::ExternalRole::output, Shape{4}, DType::i32, 16});
  compile::Dispatch& dispatch = program.dispatches.emplace_back();
  dispatch.shader = &loops;
  const std::uint32_t trips[4] = {30'000, 5'000, 100, 250};  // 60,352 with the test that ends each loop
  dispatch.push.resize(sizeof(trips));
  dispatch.bindings = {{external_range(0, 4), true, true}};
  dispatch.label = "loops";
  const auto counts = [&](std::span<const std::uint32_t, 4> asked) {
    std::memcpy(dispatch.push.data(), asked.data(), 16);
    Plan plan = plan_from_program(context(), program).value();
    Buffer buffer = context().make_buffer(16, true).value();
    const std::uint32_t one = 1;
    std::memcpy(buffer.data(), &one, 4);
    const PortBuffer port{"counts", &buffer};
    const Bindings bindings = plan.bind({&port, 1}).value();
    plan.submit(bindings).value();
    plan.wait().value();
    std::vector<std::uint32_t> out(3);
    std::memcpy(out.data(), buffer.data() + 4, 12);
    return out;
  };
  CHECK(counts(trips) == std::vector<std::uint32_t>{30'000, 5'000, 25'000});
  const std::uint32_t many[4] = {40'000, 40'000, 300, 300};
  const std::vector<std::uint32_t> all{40'000, 40'000, 90'000};
  // With a limit the sum over all loops is cut; without one nothing is.
  CHECK((counts(many) == all) == (caps_of(context()).max_loop_iterations == 0));
}
