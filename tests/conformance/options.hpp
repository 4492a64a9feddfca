#pragma once
// The command line, checked before any device is made.

#include "io/json.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fovea::conformance {

struct Options {
  std::vector<std::string> corpora;
  std::string device, pattern = "*";
  std::vector<std::string> variants;  // "operator=kernel"
  bool all_variants = false;          // --variant all
  bool all_devices = false, list = false, verbose = false;
  std::optional<double> fuzz;  // seconds
  std::uint32_t count = UINT32_MAX, seed = 1;
  bool shrink = false;
  std::vector<std::filesystem::path> graphs;  // of --graph, read before any device is made
  std::filesystem::path save;                 // empty: nowhere
  int replays = 2;
  bool poison_shared = false;
  std::optional<double> budget;  // seconds a dispatch
  io::Json limits = io::Json::object();  // of --limits
  std::vector<std::filesystem::path> merge;
  std::filesystem::path json, junit, html;  // empty: not written
};

// What is not understood, told on stderr, ends with the status given here: 0 after --help, 2 after a mistake.
std::optional<int> parse(int argc, char** argv, Options& options);

}  // namespace fovea::conformance
