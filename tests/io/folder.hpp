#pragma once
// A folder of a test's own, gone with the object.

#include <fovea/io.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace fovea::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "fovea-io-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path operator/(const char* name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  // How many files stand in it: a failed write must leave none.
  std::ptrdiff_t files() const { return std::distance(std::filesystem::directory_iterator(path_), {}); }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The result must be an Error of this code whose message holds every one of these texts.
template <class T>
void check_error(const Result<T>& result, ErrorCode code, std::initializer_list<std::string> texts) {
  REQUIRE_FALSE(static_cast<bool>(result));
  CHECK_MESSAGE(result.error().code == code, result.error().message);
  for (const std::string& text : texts) {
    CHECK_MESSAGE(result.error().message.find(text) != std::string::npos, "'", result.error().message, "' lacks '",
                  text, "'");
  }
}

}  // namespace fovea::test
