#pragma once
// What the public headers declare, for tests that must cover all of it.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace fovea::test {

// The texts of the public headers.
inline std::vector<std::string> header_texts() {
  namespace fs = std::filesystem;
  std::vector<std::string> texts;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(FOVEA_SOURCE_DIR) / "include/fovea")) {
    if (entry.path().extension() != ".hpp") continue;
    std::ifstream file(entry.path());
    texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return texts;
}

// Every function that takes the caller's place (CallSite), but for members and operators: those that append to a graph.
inline std::set<std::string> declared_functions() {
  std::set<std::string> names;
  const std::regex declaration(R"(\n[A-Za-z][\w:<>]* (\w+)\([^;]*CallSite site)");
  for (const std::string& text : header_texts())
    for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) names.insert((*at)[1]);
  return names;
}

// Every enumeration but those inside classes, and how many enumerators it has.
inline std::map<std::string, int> declared_enumerations() {
  std::map<std::string, int> counts;
  const std::regex declaration(R"(\nenum class (\w+)[^{]*\{([^}]*)\})"), comment("//[^\n]*"), word(R"(\w+)");
  for (const std::string& text : header_texts()) {
    const std::string code = std::regex_replace(text, comment, "");
    for (std::sregex_iterator at(code.begin(), code.end(), declaration), end; at != end; ++at) {
      const std::string body = (*at)[2];
      counts[(*at)[1]] = static_cast<int>(std::distance(std::sregex_iterator(body.begin(), body.end(), word), end));
    }
  }
  return counts;
}

}  // namespace fovea::test
