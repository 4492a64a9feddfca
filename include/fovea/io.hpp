#pragma once
// Files: tensors (safetensors) and pictures (PNG, JPEG). A library of its own, fovea::io, beside the engine.
// Whatever a file holds, a call returns its content or an Error that names the file and what is wrong with it. Files
// are written whole or not at all: into a neighbour of the path, which is then renamed.

#include <fovea/result.hpp>
#include <fovea/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::io {

// ---- Tensors ------------------------------------------------------------------------------------------------------

// Element types of a safetensors file, by its own names: BOOL, U8, ... F64. Stored little-endian; BOOL is one byte.
enum class ElementType : std::uint8_t { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };
const char* to_string(ElementType type);
std::size_t size_of(ElementType type);

// A tensor in a file, or to be written to one. The bytes belong to the Safetensors, or to the caller; row-major, not
// necessarily aligned to their element size.
struct StoredTensor {
  std::string name;
  ElementType type = ElementType::f32;
  Shape shape;
  std::span<const std::byte> bytes;
};

using Metadata = std::map<std::string, std::string>;

// A safetensors file, mapped into memory: opening reads the header alone, bytes are paged in when they are looked at.
// (The format: 8 bytes of header length, a JSON header, the data.) Move-only. A file that another program shortens
// while it is mapped ends this one (SIGBUS); write_safetensors never does that to a reader.
class Safetensors {
 public:
  // Errors (io): not a regular file, shorter than its header says, a header that is not JSON of the format's form, a
  // name given twice, an unknown element type, more than max_rank extents, a size that is not extents × element size,
  // offsets that overlap, leave holes or pass the end, a header over 100 MB.
  static Result<Safetensors> open(const std::filesystem::path& path);
  // The same from memory that outlives the object; `name` stands for the file in errors.
  static Result<Safetensors> parse(std::span<const std::byte> file, std::string_view name);

  ~Safetensors();
  Safetensors(Safetensors&&) noexcept;
  Safetensors& operator=(Safetensors&&) noexcept;

  // In the order of their bytes in the file.
  std::span<const StoredTensor> tensors() const;
  // Null when there is none of that name.
  const StoredTensor* find(std::string_view name) const;
  // The header's "__metadata__".
  const Metadata& metadata() const;

 private:
  struct Impl;
  explicit Safetensors(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Orders tensors by falling element size, then name, so that each stands aligned in the file.
// Errors: an invalid shape, a type that is none, bytes.size() other than shape × element size, a name given twice, a name
// or metadata that is not UTF-8 (invalid_argument); a file that cannot be written (io).
Result<void> write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                               const Metadata& metadata = {});

// The elements as f32: f64 and wide integers are rounded to nearest, BOOL gives 0 and 1. A type that is none has no elements.
std::vector<float> to_f32(const StoredTensor& tensor);
// The elements of an integer or BOOL tensor. Errors: a floating-point tensor, a value outside i32 (both are named).
Result<std::vector<std::int32_t>> to_i32(const StoredTensor& tensor);
// The elements as the bytes that a port of this dtype takes: f16 and bf16 round the f32 value to nearest even; boolean
// is x != 0. Errors: to i32 as above; a type that is none.
Result<std::vector<std::byte>> to_storage(const StoredTensor& tensor, DType dtype);

// ---- Pictures -----------------------------------------------------------------------------------------------------

// Rows from the top, pixels from the left, channels innermost: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. Values are as
// encoded in the file (sRGB, usually).
template <class T>
struct Picture {
  std::int64_t width = 0, height = 0;
  int channels = 0;
  std::vector<T> values;  // height·width·channels
};

struct PictureOptions {
  int channels = 0;  // 1 to 4: convert to so many; 0: as in the file
  // A picture with more pixels is refused before any memory is taken for it (out_of_memory). Eight megapixels: 4K fits.
  std::int64_t max_pixels = std::int64_t{8} << 20;
};

// PNG or JPEG. Values 0..255, or 0..1 (of a 16-bit PNG with all 16 bits). Turned and mirrored as an Exif orientation says,
// so that width and height are those that a viewer shows.
// Errors: no such file, neither PNG nor JPEG, too many pixels, truncated or damaged (a PNG's checksums are looked at).
Result<Picture<std::uint8_t>> read_picture_u8(const std::filesystem::path& path, const PictureOptions& options = {});
Result<Picture<float>> read_picture(const std::filesystem::path& path, const PictureOptions& options = {});

// Floats are clamped to 0..1 and rounded to 8 bits; NaN is written as 0.
// Errors: extents and values that do not agree (invalid_argument), a file that cannot be written (io).
Result<void> write_png(const std::filesystem::path& path, const Picture<std::uint8_t>& picture);
Result<void> write_png(const std::filesystem::path& path, const Picture<float>& picture);

// ---- Any file -----------------------------------------------------------------------------------------------------

// Writes the pieces one after another. A symbolic link is followed; errors: the target is a folder or a device, its
// folder is missing or not writable, the disk is full. SIGHUP, SIGINT, SIGTERM and SIGXFSZ reach the calling thread only
// when the file is in place or gone.
Result<void> write_file(const std::filesystem::path& path, std::span<const std::span<const std::byte>> pieces);
Result<void> write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace fovea::io
