#include "io/picture_file.hpp"
#include "tests/faults/readers/reader.hpp"
#include <fovea/io.hpp>

using namespace fovea;

namespace {

template <class T>
void check(const Result<io::Picture<T>>& read, int channels) {
  if (!read) return;
  test::require(read->width > 0 && read->height > 0 && read->width * read->height <= (1 << 16), "extents within the limit");
  test::require(channels == 0 || read->channels == channels, "as many channels as were asked for");
  test::require(read->values.size() == static_cast<std::size_t>(read->width * read->height * read->channels), "as many values as pixels");
}

}  // namespace

#ifdef FOVEA_FUZZ
// A hostile file has the right checksums: those of a PNG's chunks are put right after each mutation.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 == 0 || size < 8 || data[0] != 0x89) return size;
  for (std::size_t at = 8; at + 12 <= size;) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length * 256 + data[at + i];
    if (length > size - at - 12) break;
    const std::uint32_t sum = io::crc32(test::bytes_of(data + at + 4, 4 + length));
    for (std::size_t i = 0; i < 4; ++i) data[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += 12 + length;
  }
  return size;
}
#endif

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const test::MemoryFile file(test::bytes_of(data, size));
  const int channels = static_cast<int>(size % 5);
  const io::PictureOptions options{.channels = channels, .max_pixels = 1 << 16};
  check(io::read_picture_u8(file.path(), options), channels);
  check(io::read_picture(file.path(), options), channels);
  return 0;
}
