#pragma once
// Text kept in tests/golden. FOVEA_UPDATE_GOLDEN=1 writes what the code gives now; read the diff before committing it.

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace fovea::test {

inline void check_golden(const std::string& name, const std::string& text) {
  const std::string path = FOVEA_SOURCE_DIR "/tests/golden/" + name + ".txt";
  if (std::getenv("FOVEA_UPDATE_GOLDEN")) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream in(path, std::ios::binary);
  std::stringstream kept;
  kept << in.rdbuf();
  CHECK_MESSAGE(in.good(), "cannot read ", path);
  CHECK_MESSAGE(kept.str() == text, name, " changed; it is now:\n", text);
}

}  // namespace fovea::test
