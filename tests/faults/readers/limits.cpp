#include "tests/conformance/limits.hpp"
#include "tests/faults/readers/reader.hpp"

using namespace fovea;
using namespace fovea::conformance;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const test::MemoryFile file(test::bytes_of(data, size));
  const Result<io::Json> read = read_limits(file.path());
  if (!read) return 0;
  DeviceCaps caps;
  caps.storage16 = caps.float16 = caps.timeline_semaphore = true;
  caps.subgroup_size = 8;
  if (const Result<DeviceCaps> lowered = lower(caps, *read)) test::require(lowered->max_invocations <= caps.max_invocations, "limits only take away");
  return 0;
}
