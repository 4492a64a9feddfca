// Who may include whom (docs/architecture.md): the build fails on an arrow that goes up.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path root = FOVEA_SOURCE_DIR;

// Each room and the rooms below it that it may see. Public headers are open to all; shaders/*.h to ops.
const std::map<std::string, std::set<std::string>> may_see{
    {"base", {"base"}},
    {"ir", {"ir", "base"}},
    {"ops", {"ops", "ir", "base", "shaders"}},
    {"compile", {"compile", "ops", "ir", "base", "shaders"}},
    {"vk", {"vk", "base"}},
    {"run", {"run", "compile", "vk", "base"}},
    {"api", {"api", "run", "compile", "vk", "ops", "ir", "base"}},
    {"io", {"io", "base"}},
    {"linalg", {"linalg", "base"}},
    {"glsl", {"glsl", "ops", "base"}},
    {"nn", {"nn", "ops", "ir", "base"}},
};

struct Include {
  fs::path file;
  std::string target;
  bool system;
};

std::vector<Include> includes_of(const fs::path& folder) {
  std::vector<Include> includes;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (extension != ".cpp" && extension != ".hpp") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (line.rfind("#include", 0) != 0) continue;
      const auto open = line.find_first_of("<\"");
      const auto close = line.find_first_of(">\"", open + 1);
      includes.push_back({entry.path(), line.substr(open + 1, close - open - 1), line[open] == '<'});
    }
  }
  return includes;
}

}  // namespace

TEST_CASE("rooms of the engine include only the rooms below them") {
  int arrows = 0;
  for (const auto& room : fs::directory_iterator(root / "engine")) {
    const std::string name = room.path().filename().string();
    if (!room.is_directory()) continue;
    REQUIRE_MESSAGE(may_see.count(name), "engine/", name, " is not in the plan");
    for (const Include& include : includes_of(room.path())) {
      if (include.system) continue;
      ++arrows;
      const std::string target = include.target.substr(0, include.target.find('/'));
      CHECK_MESSAGE(may_see.at(name).count(target), include.file.string(), " includes ", include.target);
    }
  }
  CHECK(arrows > 50);
}

TEST_CASE("only engine/vk, engine/run, engine/api and vulkan.hpp see Vulkan") {
  for (const char* folder : {"engine/base", "engine/ir", "engine/ops", "engine/compile", "engine/io", "engine/linalg", "engine/glsl", "include/fovea"})
    if (fs::exists(root / folder))
      for (const Include& include : includes_of(root / folder))
        CHECK_MESSAGE((include.target.rfind("vulkan/", 0) != 0 || include.file.filename() == "vulkan.hpp"),
                      include.file.string(), " includes ", include.target);
}

TEST_CASE("public headers include the standard library and each other") {
  for (const Include& include : includes_of(root / "include")) {
    CHECK_MESSAGE(include.system, include.file.string(), " includes ", include.target);
    const std::string name = include.file.filename().string();
    const bool other = include.target.find('/') != std::string::npos && include.target.rfind("fovea/", 0) != 0;
    if (other) CHECK_MESSAGE((name == "vulkan.hpp" || name == "glm.hpp"), include.file.string(), " includes ", include.target);
  }
}

TEST_CASE("vendors are named in the quirk table alone") {
  for (const auto& entry : fs::recursive_directory_iterator(root / "engine")) {
    if (!entry.is_regular_file() || entry.path().stem() == "quirks") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);)
      for (const char* vendor : {"NVIDIA", "AMD", "Intel", "Qualcomm", "lavapipe", "SwiftShader", "RADV", "Mali"})
        if (const auto at = line.find(vendor); at != std::string::npos) {
          const auto comment = line.find("//");
          CHECK_MESSAGE((comment != std::string::npos && comment < at), entry.path().string(), ": ", line);
        }
  }
}
