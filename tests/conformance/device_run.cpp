#include "tests/conformance/device_run.hpp"

#include "engine/api/internal.hpp"
#include "tests/conformance/fuzz/fuzz.hpp"
#include "tests/conformance/limits.hpp"
#include "tests/conformance/runner.hpp"
#include "vk/physical_device.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <utility>

namespace fovea::conformance {
namespace {

// Warnings and errors of Fovea and of the validation layers, kept for the case that caused them.
class Messages {
 public:
  LogFunction sink() {
    return [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      if (level != LogLevel::info) texts_.emplace_back(text);
    };
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(texts_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

std::string uuid_text(const std::array<std::uint8_t, 16>& uuid) {
  std::string text;
  for (std::size_t i = 0; i < uuid.size(); ++i) text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
  return text;
}

void describe_device(const DeviceCaps& caps, DeviceReport& report) {
  report.device = caps.device_name;
  report.driver = caps.driver_name;
  report.version = caps.driver_info;
  report.type = to_string(caps.type);
  report.vulkan = fmt::format("{}.{}.{}", caps.api_version >> 22 & 0x7f, caps.api_version >> 12 & 0x3ff, caps.api_version & 0xfff);
  report.device_uuid = uuid_text(caps.device_uuid);
  report.driver_uuid = uuid_text(caps.driver_uuid);
  report.vendor_id = caps.vendor_id;
  report.device_id = caps.device_id;
  report.driver_version = caps.driver_version;
}

void describe_capabilities(const Context& context, DeviceReport& report) {
  report.limits = describe(caps_of(context));
  for (const auto& [key, value] : report.limits.items())
    if (value == true) report.features.push_back(key);
  std::istringstream lines(context.capabilities_text());
  for (std::string line; std::getline(lines, line);) report.capabilities.push_back(line);
}

// Lowers the device's limits for everything compiled from now on.
Result<void> emulate(Context& context, const io::Json& limits) {
  Result<DeviceCaps> lowered = lower(caps_of(context), limits);
  if (!lowered) return lowered.error();
  context.impl()->device->caps = std::move(*lowered);
  return {};
}

std::vector<CaseResult> run_file(Context& context, const CaseFile& file, const RunOptions& options, const TakeMessages& take_messages) {
  const Result<Case> loaded = load_case(file.path);
  if (loaded) return run_case(context, *loaded, options, take_messages);
  return {{.group = file.group, .name = file.name, .op = "unreadable", .variant = "", .status = Status::failed,
           .lines = {loaded.error().message}}};
}

FuzzOptions fuzz_options(const Context& context, const Options& options) {
  return {.seconds = options.fuzz.value_or(0), .count = options.count, .seed = options.seed, .shrink = options.shrink,
          .storage16 = caps_of(context).storage16, .save = options.save};
}

RunCase on_device(Context& context, const TakeMessages& take_messages) {
  return [&](const Case& one, const RunOptions& options) { return run_case(context, one, options, take_messages); };
}

// `device` as ContextOptions::device; `report` says what is known of it already.
void run_device(const Work& work, const Options& options, const std::string& device, const Listener& listener,
                DeviceReport& report) {
  const auto start = std::chrono::steady_clock::now();
  Messages messages;
  {
    ContextOptions context_options{.device = device, .log = messages.sink()};
    context_options.validation = std::getenv("VK_INSTANCE_LAYERS") != nullptr;  // as tests/drivers.sh --validate sets it
    report.validation = context_options.validation;
    Result<Context> context = Context::create(context_options);
    if (context) {
      describe_device(caps_of(*context), report);
      if (Result<void> done = emulate(*context, options.limits)) report.emulated = options.limits;
      else report.absent = done.error().message;
      describe_capabilities(*context, report);
    } else {
      report.absent = context.error().message;
    }
    listener.begin(report);
    if (!report.absent.empty()) return;
    report.messages = messages.take();  // of making the device

    const DeviceCaps& caps = caps_of(*context);
    const RunOptions run_options{.variants = options.variants,
                                 .all_variants = options.all_variants,
                                 .runs = options.replays,
                                 .poison_shared = options.poison_shared,
                                 .below_floor = !options.limits.empty() && below_floor(caps),
                                 .timestamps = caps.timestamp_period_ns > 0,
                                 .budget_ns = static_cast<std::uint64_t>(options.budget.value_or(0) * 1e9)};
    work(*context, run_options, [&] { return messages.take(); }, [&](const CaseResult& result) {
      listener.result(result);
      report.results.push_back(result);
      if (!context->impl()->device->lost()) return;
      // What is left of the work has a device of its own.
      Result<Context> next = Context::create(context_options);
      Result<void> lowered = next ? emulate(*next, options.limits) : next.error();
      if (lowered) *context = std::move(*next);
      else messages.sink()(LogLevel::error, "no device after one was lost: " + lowered.error().message);
    });
  }
  for (std::string& message : messages.take()) report.messages.push_back(std::move(message));  // the device is gone
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Every device of the loader's: those of Context::devices by index, then those that Fovea refuses.
std::vector<DeviceReport> list_devices() {
  const auto absent = [](std::string device, std::string why) {
    DeviceReport report;
    report.device = std::move(device);
    report.absent = std::move(why);
    return report;
  };
  Result<std::unique_ptr<vk::Instance>> instance = vk::Instance::create({false, log_or_stderr({}), nullptr});
  if (!instance) return {absent("Vulkan", instance.error().message)};
  const Result<vk::Candidates> found = vk::find_candidates(**instance);
  if (!found) return {absent("Vulkan", found.error().message)};
  std::vector<DeviceReport> reports;
  for (const vk::Candidate& candidate : found->usable) describe_device(candidate.caps, reports.emplace_back());
  for (const std::string& refused : found->refused)
    reports.push_back(absent(refused.substr(0, refused.rfind(": ")), refused.substr(refused.rfind(": ") + 2)));
  if (reports.empty()) reports.push_back(absent("Vulkan", "the loader lists no device"));
  return reports;
}

}  // namespace

Work run_files(std::vector<CaseFile> files, Begin begin) {
  return [files = std::move(files), begin = std::move(begin)](Context& context, const RunOptions& options,
                                                              const TakeMessages& take_messages, const Emit& emit) {
    for (const CaseFile& file : files) {
      begin(file.id());
      for (const CaseResult& result : run_file(context, file, options, take_messages)) emit(result);
    }
  };
}

Work run_random_graphs(const Options& options, Begin begin) {
  return [&options, begin = std::move(begin)](Context& context, const RunOptions& run_options, const TakeMessages& take_messages, const Emit& emit) {
    FuzzOptions fuzzing = fuzz_options(context, options);
    fuzzing.begin = begin;
    fuzz(fuzzing, run_options, on_device(context, take_messages), emit);
  };
}

Work run_graphs(std::vector<std::pair<std::string, Recipe>> graphs, const Options& options, Begin begin) {
  return [graphs = std::move(graphs), &options, begin = std::move(begin)](Context& context, const RunOptions& run_options, const TakeMessages& take_messages,
                                                const Emit& emit) {
    for (const auto& [name, recipe] : graphs) {
      begin(name);
      run_recipe(recipe, name, fuzz_options(context, options), run_options, on_device(context, take_messages), emit);
    }
  };
}

std::vector<DeviceReport> run_devices(const Work& work, const Options& options, const Listener& listener) {
  if (!options.all_devices) {
    DeviceReport report;
    report.device = options.device.empty() ? "the best device" : options.device;
    run_device(work, options, options.device, listener, report);
    return {report};
  }
  std::vector<DeviceReport> reports = list_devices();
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (reports[i].absent.empty()) {
      run_device(work, options, std::to_string(i), listener, reports[i]);
    } else {
      listener.begin(reports[i]);
    }
  }
  return reports;
}

}  // namespace fovea::conformance
