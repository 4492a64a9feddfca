#pragma once
// The container of a picture: what its segments (JPEG) or chunks (PNG) tell without decoding, and whether they are
// whole.

#include <cstddef>
#include <cstdint>
#include <span>

namespace fovea::io {

struct PictureScan {
  const char* damage = nullptr;  // null, or what is wrong
  // Which way up the picture is, by Exif's tag 0x0112: 1 as stored, 2 to 8 turned or mirrored; 1 where none is told.
  int orientation = 1;
};

// From the first byte of a JPEG to its end marker. stb fills what a truncated picture lacks with grey (from 2.28 on
// without an error), before 2.28 writes past its own table where a code table has more than 256 codes, and reads past it
// where a scan uses one that was never defined.
PictureScan scan_jpeg(std::span<const std::byte> file);

// From the first byte of a PNG to its end chunk. stb checks no checksum: those of all chunks that shape the pixels must
// be right here. (PNG, third edition, 5.3 and annex D)
PictureScan scan_png(std::span<const std::byte> file);

// The checksum of PNG (ISO 3309): polynomial 0xedb88320, bits from the least significant on.
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace fovea::io
