#pragma once
// What the public headers declare, for tests that must cover all of it.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace fovea::test {

// Every function that takes the caller's place (CallSite), but for members and operators: those that append to a graph.
inline std::set<std::string> declared_functions() {
  namespace fs = std::filesystem;
  std::set<std::string> names;
  const std::regex declaration(R"(\n[A-Za-z][\w:<>]* (\w+)\([^;]*CallSite site)");
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(FOVEA_SOURCE_DIR) / "include/fovea")) {
    if (entry.path().extension() != ".hpp") continue;
    std::ifstream file(entry.path());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) names.insert((*at)[1]);
  }
  return names;
}

}  // namespace fovea::test
