#pragma once
// The platform's files: mapping one for reading. (Writing: write_file of io.hpp, in the same .cpp.)

#include <fovea/result.hpp>

#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

namespace fovea::io {

// A whole regular file, read-only, mapped. Move-only.
class MappedFile {
 public:
  // Errors (io): no such file, not a regular file, not readable.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace fovea::io
