#include "tests/faults/readers/reader.hpp"

#include <sys/mman.h>
#include <unistd.h>

namespace fovea::test {

MemoryFile::MemoryFile(std::span<const std::byte> bytes) : descriptor_(::memfd_create("reader", MFD_CLOEXEC)) {
  require(descriptor_ >= 0 && ::write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "a file in memory");
}
MemoryFile::~MemoryFile() { ::close(descriptor_); }

}  // namespace fovea::test
