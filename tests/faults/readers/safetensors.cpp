#include "tests/faults/readers/reader.hpp"
#include <fovea/io.hpp>

using namespace fovea;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file = test::bytes_of(data, size);
  const Result<io::Safetensors> read = io::Safetensors::parse(file, "fuzz");
  if (!read) {
    test::require(read.error().code == ErrorCode::io && read.error().message.starts_with("fuzz: "), "an error names the file");
    return 0;
  }
  std::size_t bytes = 0;
  for (const io::StoredTensor& tensor : read->tensors()) {
    const auto elements = static_cast<std::size_t>(tensor.shape.elements());
    bytes += tensor.bytes.size();
    test::require(tensor.bytes.size() == elements * io::size_of(tensor.type), "a tensor has the bytes of its shape");
    test::require(read->find(tensor.name) != nullptr, "a tensor is found by its name");
    test::require(io::to_f32(tensor).size() == elements, "f32");
    if (const auto values = io::to_i32(tensor)) test::require(values->size() == elements, "i32");
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::i32, DType::boolean})
      if (const auto stored = io::to_storage(tensor, dtype)) test::require(stored->size() == elements * size_of(dtype), "storage");
  }
  test::require(bytes + 8 <= size, "the tensors lie in the file");
  return 0;
}
