// A fuzzer that cannot fail is worth nothing: on a real device, graphs whose softmax was made wrong are found and reduced.

#include "tests/conformance/fuzz/fuzz.hpp"

#include "tests/conformance/fuzz/interpret.hpp"
#include "tests/conformance/fuzz/maker.hpp"
#include <fovea/context.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

using namespace fovea;
using namespace fovea::conformance;

namespace {

bool is_wrong(const Node& node) {
  return node.op->name == "softmax" && node.shape.at(axis_from(node.attributes.integer("axis", -1), node.shape)) > 3;
}

// The case as a device runs it that scales what softmax over more than 3 elements gives by 1 + 1/512.
Case sabotaged(const Case& one, const Recipe& recipe) {
  Recipe wrong{.storage = recipe.storage, .gradient = recipe.gradient};
  std::vector<std::size_t> number;
  for (Node node : recipe.nodes) {
    for (std::size_t& operand : node.in) operand = number[operand];
    wrong.nodes.push_back(node);
    if (is_wrong(node)) {
      Node scale{.op = find_operator("scale"), .in = {wrong.nodes.size() - 1}, .shape = node.shape};
      scale.attributes.set("by", 1 + 1.0 / 512);
      wrong.nodes.push_back(scale);
    }
    number.push_back(wrong.nodes.size() - 1);
  }
  wrong.output = number[recipe.output];
  Case made = make_case(wrong, one.group, one.name);
  // It expects what the right graph gives, by the names of its inputs.
  Case expected{one.group, one.name, one.op, made.attrs, {}, one.absolute, one.onnx_absolute, one.relative};
  io::Json absolute = io::Json::object();
  for (const io::StoredTensor& tensor : one.tensors.tensors()) {
    std::string name = tensor.name;
    const std::size_t v = name.find(".v");
    if (v != name.npos) name = name.substr(0, v + 2) + std::to_string(number[static_cast<std::size_t>(std::stoi(name.substr(v + 2)))]);
    absolute[name] = one.tolerance(tensor.name).absolute;
    expected.tensors.add(name, tensor.type, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()});
  }
  expected.absolute = absolute;
  return expected;
}

struct Device {
  Device() : context(Context::create({.validation = std::getenv("VK_INSTANCE_LAYERS") != nullptr, .log = [this](LogLevel level, std::string_view text) {
                       const std::lock_guard lock(mutex);
                       if (level != LogLevel::info) messages.emplace_back(text);
                     }})
                         .value()) {}
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex);
    return std::exchange(messages, {});
  }
  std::mutex mutex;
  std::vector<std::string> messages;
  Context context;
};

}  // namespace

TEST_CASE("a device that is wrong in softmax over more than 3 elements is found out, and one softmax over 4 remains") {
  Device device;
  (void)device.take();
  const RunCase run = [&](const Case& one, const RunOptions& options) {
    const Recipe recipe = parse_recipe(Attrs(one.attrs).text("graph")).value();
    return run_case(device.context, sabotaged(one, recipe), options, [&] { return device.take(); });
  };
  std::vector<CaseResult> failed, others;
  std::uint32_t seed = 1;
  for (; failed.empty() && seed < 2000; ++seed) {
    // Only graphs that are wrong there, and of a few nodes: what finds and reduces them is what is tested.
    const Recipe recipe = random_recipe(seed);
    if (recipe.nodes.size() > 6 || !std::ranges::any_of(recipe.nodes, is_wrong)) continue;
    fuzz({.seconds = 1e-9, .seed = seed, .shrink = true, .storage16 = false}, {}, run, [&](const CaseResult& result) {
      (result.status == Status::failed ? failed : others).push_back(result);
    });
  }
  REQUIRE(failed.size() == 1);
  const CaseResult& found = failed[0];
  MESSAGE(found.title(), ": ", found.lines[0]);
  CHECK(found.group == "fuzz");
  CHECK(found.error.value > 1);
  const std::string program = found.lines.back(), text = found.lines[found.lines.size() - 2];
  CHECK_MESSAGE(text.ends_with("%1 = softmax(%0) : f32[4]\noutput %1\n"), text);
  CHECK(program.find("const Tensor v1 = softmax(v0, {});") != std::string::npos);
  CHECK(others.back().lines[0].starts_with("1 graphs; of their runs 0 passed, 1 failed"));

  // What it printed fails again there, and passes on the device as it is.
  const Recipe smallest = parse_recipe(text.substr(text.find("# "))).value();
  std::vector<Status> statuses;
  const auto note = [&](const CaseResult& result) { statuses.push_back(result.status); };
  run_recipe(smallest, "smallest", {}, {}, run, note);
  run_recipe(smallest, "smallest", {}, {}, [&](const Case& one, const RunOptions& options) {
    return run_case(device.context, one, options, [&] { return device.take(); });
  }, note);
  CHECK(statuses == std::vector{Status::failed, Status::passed});
}
